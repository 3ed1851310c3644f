/**
 * `npm run faults`: the sale as real processes on an Apache Kafka, harmed in every way we know, each
 * time proven and audited afterwards. What cannot be done here is SKIPPED aloud, never passed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Grounds } from './kit/ground.ts';
import type { Stage } from './kit/stage.ts';
import { tableOf, tallyOf } from './report.ts';
import { type Row, runScenario } from './run-scenario.ts';
import type { GroundName, Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const HELP = `npm run faults [NAME…] [-- options]

  NAME              scenarios, or the beginning of their names   (the short set)
  --long            all scenarios
  --rounds N        everything so many times                     (1)
  --minutes M       how long the soak goes on                    (5)
  --list            what there is
  --delete-topics   may delete the sale's topics on the Kafka that KAFKA_BROKERS names

Apache Kafka is started here where Java and Maven are. Where KAFKA_BROKERS names one, the scenarios
that need nothing else of it run there.
`;

const ORDER: readonly GroundName[] = ['embedded', 'kafka', 'kafka-v1', 'kafka-3'];

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      long: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '5' },
      'delete-topics': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return told(HELP);
  if (values.list) {
    return told(
      SCENARIOS.map(({ name, on, about }) => `${name.padEnd(28)}${on.padEnd(10)}${about}\n`).join(
        '',
      ),
    );
  }
  const chosen = chosenFrom(positionals, values.long);
  const directory = mkdtempSync(join(tmpdir(), 'millrace-faults-'));
  const grounds = new Grounds({
    directory,
    outsideBrokers: process.env['KAFKA_BROKERS'],
    mayDeleteTopics: values['delete-topics'],
  });
  const rows: Row[] = [];
  let stage: Stage | undefined;
  const onStage = (next: Stage) => {
    stage = next;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // No process of ours is left behind.
    process.once(signal, async () => {
      await Promise.allSettled([stage?.clear(), grounds.stop()]);
      process.exit(1);
    });
  }
  try {
    const rounds = Number(values.rounds);
    const minutes = Number(values.minutes);
    if (!(rounds >= 1) || !(minutes > 0)) throw new Error('--rounds and --minutes are numbers');
    for (const [index, { scenario, round }] of plan(chosen, rounds).entries()) {
      const place = `[${index + 1}/${chosen.length * rounds}] ${scenario.name}`;
      const onProgress = (what: string) => console.error(`${place}: ${what}`);
      const context = { grounds, directory, round, minutes, onProgress, onStage };
      const row = await runScenario(scenario, context);
      console.error(`${place}: ${row.result} after ${row.seconds} s: ${row.what}`);
      rows.push(row);
    }
  } finally {
    await grounds.stop();
  }
  const { text, hasFailed } = tallyOf(rows);
  console.log(`${tableOf(rows)}\n\n${text}`);
  // After a failure the folder stays, to be looked into.
  if (!hasFailed) rmSync(directory, { recursive: true, force: true });
  return hasFailed ? 1 : 0;
}

function told(text: string): number {
  process.stdout.write(text);
  return 0;
}

function chosenFrom(names: readonly string[], isLong: boolean): readonly Scenario[] {
  if (names.length === 0) return SCENARIOS.filter(({ isShort }) => isLong || isShort === true);
  return names.flatMap((name) => {
    const exact = SCENARIOS.filter((scenario) => scenario.name === name);
    const found = exact.length > 0 ? exact : SCENARIOS.filter((one) => one.name.startsWith(name));
    if (found.length === 0) throw new Error(`there is no scenario ${name}: see --list`);
    return found;
  });
}

/** Grouped by Kafka: each is started once. */
function plan(chosen: readonly Scenario[], rounds: number) {
  const runs = chosen.flatMap((scenario) =>
    Array.from({ length: rounds }, (_, round) => ({ scenario, round })),
  );
  return runs.sort((a, b) => ORDER.indexOf(a.scenario.on) - ORDER.indexOf(b.scenario.on));
}

// Whatever still waits for a process that is gone must not keep this one.
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
