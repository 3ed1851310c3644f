/** Each bench for about two seconds on the embedded broker: it still measures, and its proof holds. No timings. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BENCH_NAMES } from '../../bench/kit/measure.ts';
import { RIVALS } from '../../bench/rivals/catalogue.ts';
import { keptMeasures, runBench, SHORT } from '../kit/run-bench.ts';

const out = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'));
const TIMEOUT_MS = 300_000;

afterAll(() => rmSync(out, { recursive: true, force: true }));

/** On the embedded broker, or on a Kafka of its own. */
function bench(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return runBench(out, args, { KAFKA_BROKERS: undefined, ...env });
}

/** What a bench is there for: 0 would mean that nothing was measured. */
const MUST_BE_POSITIVE = {
  throughput: ['decisionsPerSecond', 'startToAllSeconds', 'peakRssMiB'],
  latency: ['p50Ms', 'p99Ms', 'decisions'],
  restore: ['toRunningSeconds', 'toFirstDecisionSeconds'],
  recovery: ['toDecidingSeconds', 'longestSilenceSeconds'],
  memory: ['idleRssMiB', 'peakRssMiB', 'restRssMiB'],
  http: ['answersPerSecond', 'p50Ms'],
  query: ['answersPerSecond', 'p50Ms'],
  growth: ['peakRssMiB'],
} as const;

/** The query bench has nothing to prove, and is tried beside its rival. */
const PROVING = BENCH_NAMES.filter((name) => name !== 'query');
/** Too few for its cases with more partitions and zones, which only repeat the throughput bench. */
const FEWER = { growth: ['--purchases', '2000'] } as Readonly<Record<string, readonly string[]>>;

describe('the bench', () => {
  test.each(PROVING)(
    '%s measures the sale on the embedded broker and proves its outcomes',
    async (name) => {
      const args = [name, '--on', 'embedded', ...SHORT, ...(FEWER[name] ?? [])];
      const { code, stdout, stderr } = await bench(args);
      expect(code, stderr).toBe(0);
      const measures = keptMeasures(out, name);
      expect(measures.length).toBeGreaterThan(0);
      for (const { bench: measured, by, on, figures, isProven } of measures) {
        expect({ measured, by, on }).toEqual({ measured: name, by: 'millrace', on: 'embedded' });
        expect(isProven).toBe(true);
        for (const figure of MUST_BE_POSITIVE[name]) expect(figures[figure]).toBeGreaterThan(0);
      }
      expect(stdout).toContain('holds');
      expect(existsSync(join(out, `${name}.svg`))).toBe(true);
    },
    TIMEOUT_MS,
  );

  test(
    'measures raw node:http beside our own API, with the same answers',
    async () => {
      const against = ['--against', 'node-http', '--rounds', '1', '--on', 'embedded'];
      const { code, stdout, stderr } = await bench(['query', ...against, ...SHORT]);
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/answersPerSecond .*x\n/);
      const measures = keptMeasures(out, 'query');
      expect(measures.map(({ by }) => by)).toEqual(['millrace', 'node-http']);
      for (const { figures } of measures) {
        for (const figure of MUST_BE_POSITIVE.query) expect(figures[figure]).toBeGreaterThan(0);
      }
    },
    TIMEOUT_MS,
  );

  test('says aloud whom it leaves out, and why', async () => {
    const nowhere = { PATH: '/nowhere' };
    const { code, stdout, stderr } = await bench(
      ['throughput', '--against', 'kafka-streams'],
      nowhere,
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('SKIPPED: throughput against kafka-streams (no java on the PATH)');
  });

  test('names its benches and rivals in the help, and refuses those that it does not know', async () => {
    const help = await bench(['--help']);
    expect(help.code).toBe(0);
    for (const name of [...BENCH_NAMES, ...Object.keys(RIVALS)]) {
      expect(help.stdout).toContain(name);
    }
    const unknown = await bench(['speed']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('there is no bench speed');
    const nobody = await bench(['throughput', '--against', 'nobody']);
    expect(nobody.code).toBe(2);
    expect(nobody.stderr).toContain('there is no rival nobody');
  });
});
