/** The short set of the fault program on the Kafka that KAFKA_BROKERS names; `npm run faults` has all. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Grounds } from '../faults/kit/ground.ts';
import { runScenario } from '../faults/run-scenario.ts';
import { SCENARIOS } from '../faults/scenarios.ts';
import { isScratchKafka, kafkaBrokers } from '../kit/real-kafka.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-faults-'));
const grounds = new Grounds({
  directory,
  outsideBrokers: kafkaBrokers,
  mayDeleteTopics: isScratchKafka,
});

afterAll(async () => {
  await grounds.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Only to end what hangs. */
const timeout = 300_000;

for (const scenario of SCENARIOS.filter(({ isShort }) => isShort === true)) {
  const { name, about, on } = scenario;
  test(`the sale is proven and audited after: ${about} (${name}, on ${on})`, {
    timeout,
  }, async ({ skip }) => {
    const context = {
      grounds,
      directory,
      round: 0,
      minutes: 1,
      onProgress: () => {},
      onStage: () => {},
    };
    const row = await runScenario(scenario, context);
    if (row.result === 'SKIPPED') skip(row.what);
    expect(`${row.result}: ${row.what}`).toMatch(/^passed: /);
  });
}
