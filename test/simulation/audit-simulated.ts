/**
 * `npm run audit-simulated -- --seeds N [--from S] [--threads T] [--scenario sale|holds|orders]`: simulated
 * sales, clean ones, judged by `millrace audit`'s own code. Every violation is a false alarm (or a real bug: look). The last line is
 * the tally; exit 0 only when nothing was raised and every rule that such a sale can break had a case.
 */
import { RULES, type Rule } from '../../audit/findings.ts';
import { runSeeds } from '../../simulation/run-seeds.ts';
import { commandLine } from './command-line.ts';

const PROGRESS_MS = 10_000;
/** Of these a simulated sale has no case, or hardly ever: the auditor itself says why. */
const MAYBE_NONE: Readonly<Record<string, readonly Rule[]>> = {
  sale: ['I2', 'I11', 'I15', 'I16', 'I19', 'I21', 'I22', 'I27'],
  holds: ['I11', 'I19', 'I22', 'I27'],
  orders: ['I11', 'I19', 'I22'],
};
const SCENARIOS: Readonly<Record<string, { readonly file: string; readonly name: string }>> = {
  sale: { file: './audited-sale.ts', name: 'auditedSale' },
  holds: { file: './holds/scenario.ts', name: 'holds' },
  orders: { file: './orders/scenario.ts', name: 'auditedOrders' },
};

const HELP = `npm run audit-simulated -- [options]

  --scenario NAME sale, holds (with payments and seats) or orders     (sale)
  --seeds N       so many clean simulated sales                (1000)
  --from S        the first seed                               (1)
  --threads N     workers                                      (one for each core)
`;

const values = commandLine(HELP, {
  scenario: { type: 'string', default: 'sale' },
  seeds: { type: 'string', default: '1000' },
  from: { type: 'string', default: '1' },
  threads: { type: 'string' },
});

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

const chosen = SCENARIOS[values.scenario];
if (chosen === undefined) throw new Error(`no scenario ${values.scenario}`);
const seeds = Number(values.seeds);
const began = performance.now();
let [done, toldAt] = [0, began];
const { passed, failed, counters } = await runSeeds(
  { module: new URL(chosen.file, import.meta.url), export: chosen.name },
  {
    seeds,
    from: Number(values.from),
    ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
    onResult: ({ seed, violations }) => {
      done++;
      for (const violation of violations.slice(0, 3)) {
        tell(`RAISED seed ${seed}: ${violation.split('\n')[0]}`);
      }
      if (performance.now() - toldAt < PROGRESS_MS) return;
      toldAt = performance.now();
      tell(`${done} of ${seeds} logs`);
    },
  },
);
const rules = Object.keys(RULES) as Rule[];
for (const rule of rules) {
  const held = counters.get(`${rule} held`) ?? 0;
  tell(`${rule.padEnd(4)} ${String(held).padStart(6)} logs held it   ${RULES[rule]}`);
}
const vacuous = rules.filter(
  (rule) =>
    MAYBE_NONE[values.scenario]?.includes(rule) !== true &&
    (counters.get(`${rule} held`) ?? 0) === 0,
);
for (const rule of vacuous) tell(`VACUOUS: no log had a case of ${rule}`);
const seconds = ((performance.now() - began) / 1_000).toFixed(0);
tell(`${passed} logs raised nothing, ${failed.length} raised something, in ${seconds} s`);
process.exitCode = failed.length === 0 && vacuous.length === 0 ? 0 : 1;
