/** Rivals keep working: one that costs little decides the same sale on a real Kafka, one is compiled. */
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
    async () => {
      const against = ['--against', 'kafkajs', '--rounds', '1', '--delete-topics'];
      const { code, stderr } = await runBench(out, ['throughput', ...against, ...SHORT]);
      expect(code, stderr).toBe(0);
      const measures = keptMeasures(out, 'throughput');
      const proven = { on: 'kafka', isProven: true };
      expect(measures).toMatchObject([
        { by: 'millrace', ...proven },
        { by: 'kafkajs', ...proven },
      ]);
    },
    TIMEOUT_MS,
  );

  test.skipIf(kafkaStreams.whyNot() !== undefined)(
    `compiles the Kafka Streams rival ${kafkaStreams.whyNot() ?? ''}`.trim(),
    async () => {
      await expect(kafkaStreams.prepare()).resolves.toBeUndefined();
    },
    TIMEOUT_MS,
  );
});
