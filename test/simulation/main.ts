/**
 * `npm run simulate -- --seeds N [--from S] [--threads T]` or `--seed S [--trace] [--mutant NAME]`,
 * of the sale or, by `--scenario NAME`, of another one.
 * One line per failing seed, with the command that replays it; the last line is the tally. Exit 0 only
 * when no seed failed, and, with enough seeds to say, everything that must happen sometimes did.
 */
import { SEEDS_TO_JUDGE, SOMETIMES } from '../../simulation/faults/sometimes.ts';
import { runSeeds } from '../../simulation/run-seeds.ts';
import type { Scenario, ScenarioOfSeed } from '../../simulation/scenario.ts';
import { simulate } from '../../simulation/simulate.ts';
import { chores } from './chores/scenario.ts';
import { commandLine } from './command-line.ts';
import { festival } from './festival/scenario.ts';
import { holds } from './holds/scenario.ts';
import { mutantNamed, simulateMutant } from './mutants.ts';
import { orders } from './orders/scenario.ts';
import { sale } from './simulate.ts';

const HELP = `npm run simulate -- [options]

  --scenario NAME sale, holds (payments and seats), orders (several zones, with the intake
                  and reports), festival (its door) or chores (punctuators)   (sale)
  --seeds N       so many runs                                 (1000; 10000 before a release)
  --from S        the first seed                               (1)
  --threads N     workers                                      (one for each core)
  --seed S        one run only
  --trace         with --seed: every event of it
  --mutant NAME   with --seed: with that bug planted
`;

const values = commandLine(HELP, {
  scenario: { type: 'string', default: 'sale' },
  seeds: { type: 'string' },
  from: { type: 'string', default: '1' },
  seed: { type: 'string' },
  threads: { type: 'string' },
  mutant: { type: 'string' },
  trace: { type: 'boolean', default: false },
});

const PROGRESS_MS = 10_000;

const SCENARIOS: Readonly<
  Record<string, { readonly scenario: Scenario | ScenarioOfSeed; readonly file: string }>
> = {
  sale: { scenario: sale, file: './simulate.ts' },
  holds: { scenario: holds, file: './holds/scenario.ts' },
  orders: { scenario: orders, file: './orders/scenario.ts' },
  festival: { scenario: festival, file: './festival/scenario.ts' },
  chores: { scenario: chores, file: './chores/scenario.ts' },
};
const chosen = SCENARIOS[values.scenario];
if (chosen === undefined) {
  throw new Error(`no scenario ${values.scenario}; there are ${Object.keys(SCENARIOS).join(', ')}`);
}
const { scenario, file } = chosen;

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function one(seed: number): Promise<boolean> {
  const options = { seed, ...(values.trace ? { trace: tell } : {}) };
  const run =
    values.mutant === undefined
      ? simulate(scenario, options)
      : simulateMutant(mutantNamed(values.mutant), options);
  const { violations, traceHash, events } = await run;
  for (const violation of violations) tell(`VIOLATION ${violation}`);
  const isClean = violations.length === 0;
  tell(`seed ${seed} ${isClean ? 'passed' : 'FAILED'}: trace ${traceHash}, ${events} events`);
  return isClean;
}

function vacuity(metTooSeldom: readonly string[] | undefined): string {
  if (metTooSeldom === undefined) {
    return `not judged: below ${SEEDS_TO_JUDGE} seeds chance alone leaves something out`;
  }
  return metTooSeldom.length === 0
    ? `all ${SOMETIMES.length} things that must happen sometimes did`
    : `VACUOUS: met too seldom: ${metTooSeldom.join('; ')}`;
}

async function many(seeds: number, from: number): Promise<boolean> {
  const began = performance.now();
  let [done, toldAt] = [0, began];
  const named = { module: new URL(file, import.meta.url), export: values.scenario };
  const replay = values.scenario === 'sale' ? '' : `--scenario ${values.scenario} `;
  const threads = values.threads === undefined ? {} : { threads: Number(values.threads) };
  const { passed, failed, events, counters, metTooSeldom } = await runSeeds(named, {
    seeds,
    from,
    ...threads,
    onResult: ({ seed, violations }) => {
      done++;
      if (violations.length > 0) {
        tell(`FAILED seed ${seed}: ${violations[0]?.split('\n')[0]}`);
        tell(`  npm run simulate -- ${replay}--seed ${seed} --trace`);
      }
      if (performance.now() - toldAt < PROGRESS_MS) return;
      toldAt = performance.now();
      tell(`${done} of ${seeds} seeds`);
    },
  });
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1_000 / done;
  for (const [what, times] of [...counters].sort()) tell(`${String(times).padStart(8)} ${what}`);
  tell(
    `seeds ${from} to ${from + seeds - 1}: ${(done / seconds).toFixed(1)} a second, ${cpuMs.toFixed(1)} ms of CPU and ${Math.round(events / done)} events each`,
  );
  tell(vacuity(metTooSeldom));
  tell(`${passed} passed, ${failed.length} failed`);
  return failed.length === 0 && (metTooSeldom ?? []).length === 0;
}

const isClean =
  values.seed === undefined
    ? await many(Number(values.seeds ?? 1_000), Number(values.from))
    : await one(Number(values.seed));
process.exitCode = isClean ? 0 : 1;
