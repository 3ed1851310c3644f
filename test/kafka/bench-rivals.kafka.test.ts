/** Rivals that cost little to run decide the same sale on a real Kafka, and the same proof holds for them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { RIVALS } from '../../bench/rivals/catalogue.ts';
import { keptMeasures, runBench, SHORT } from '../kit/run-bench.ts';

const out = mkdtempSync(join(tmpdir(), 'millrace-rivals-test-'));
const TIMEOUT_MS = 600_000;

afterAll(() => rmSync(out, { recursive: true, force: true }));

describe('the bench on Apache Kafka', () => {
  test(
    'measures our sale, the kafkajs job and Kafka Streams on the same topics, all three proven',
    async () => {
      const rivals = ['kafkajs', 'kafka-streams'];
      const against = ['--against', rivals.join(','), '--rounds', '1', '--delete-topics'];
      const { code, stdout, stderr } = await runBench(out, ['throughput', ...against, ...SHORT]);
      expect(code, stderr).toBe(0);
      const measures = keptMeasures(out, 'throughput');
      expect(measures.every(({ on, isProven }) => on === 'kafka' && isProven === true)).toBe(true);
      const able = rivals.filter((name) => RIVALS[name]!.rival.whyNot() === undefined);
      expect(measures.map(({ by }) => by)).toEqual(['millrace', ...able]);
      for (const name of rivals.filter((each) => !able.includes(each))) {
        expect(stdout).toContain(`SKIPPED: throughput against ${name}`);
      }
    },
    TIMEOUT_MS,
  );
});
