/** Rivals keep working: those on Kafka decide the same sale on a real one, and are proven as ours is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { RIVALS } from '../../bench/rivals/catalogue.ts';
import { isScratchKafka } from '../kit/real-kafka.ts';
import { keptMeasures, runBench, SHORT } from '../kit/run-bench.ts';

const out = mkdtempSync(join(tmpdir(), 'millrace-rivals-test-'));
const TIMEOUT_MS = 400_000;
const { rival: kafkaStreams } = RIVALS['kafka-streams']!;

afterAll(() => rmSync(out, { recursive: true, force: true }));

describe('the bench on Apache Kafka', () => {
  // It deletes the topics of a sale.
  test.skipIf(!isScratchKafka)(
    'measures our sale and the kafkajs job on the same topics, both proven',
    () => expectProven('kafkajs'),
    TIMEOUT_MS,
  );

  test.skipIf(!isScratchKafka || kafkaStreams.whyNot() !== undefined)(
    `measures our sale and Kafka Streams, both proven ${kafkaStreams.whyNot() ?? ''}`.trim(),
    () => expectProven('kafka-streams'),
    TIMEOUT_MS,
  );
});

async function expectProven(rival: string): Promise<void> {
  const directory = join(out, rival);
  const against = ['--against', rival, '--rounds', '1', '--delete-topics'];
  const { code, stderr } = await runBench(directory, ['throughput', ...against, ...SHORT]);
  expect(code, stderr).toBe(0);
  const proven = { on: 'kafka', isProven: true };
  expect(keptMeasures(directory, 'throughput')).toMatchObject([
    { by: 'millrace', ...proven },
    { by: rival, ...proven },
  ]);
}
