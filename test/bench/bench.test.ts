/** Each bench for about two seconds on the embedded broker: it still measures, and its proof holds. No timings. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BENCH_NAMES, type Measure } from '../../bench/kit/measure.ts';

const root = resolve(import.meta.dirname, '../..');
const out = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'));
const TIMEOUT_MS = 180_000;

afterAll(() => rmSync(out, { recursive: true, force: true }));

function bench(
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['bench/main.ts', ...args, '--out', out], {
      cwd: root,
      env: { ...process.env, KAFKA_BROKERS: undefined },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.once('close', (code) => done({ code, stdout, stderr }));
  });
}

function lines(name: string): Measure[] {
  return readFileSync(join(out, `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Measure);
}

/** What a bench is there for: 0 would mean that nothing was measured. */
const MUST_BE_POSITIVE = {
  throughput: ['decisionsPerSecond', 'startToAllSeconds', 'peakRssMiB'],
  latency: ['p50Ms', 'p99Ms', 'decisions'],
  restore: ['toRunningSeconds', 'toFirstDecisionSeconds'],
  memory: ['idleRssMiB', 'peakRssMiB', 'restRssMiB'],
  http: ['answersPerSecond', 'p50Ms'],
} as const;

describe('the bench', () => {
  test.each(BENCH_NAMES)(
    '%s measures the sale on the embedded broker and proves its outcomes',
    async (name) => {
      const { code, stdout, stderr } = await bench(name, '--on', 'embedded', '--short');
      expect(code, stderr).toBe(0);
      const measures = lines(name);
      expect(measures.length).toBeGreaterThan(0);
      for (const { bench: measured, on, figures, isProven } of measures) {
        expect({ measured, on, isProven }).toEqual({
          measured: name,
          on: 'embedded',
          isProven: true,
        });
        for (const figure of MUST_BE_POSITIVE[name]) expect(figures[figure]).toBeGreaterThan(0);
      }
      expect(stdout).toContain('holds');
      expect(existsSync(join(out, `${name}.svg`))).toBe(true);
    },
    TIMEOUT_MS,
  );

  test('names its benches in the help, and refuses one that it does not know', async () => {
    const help = await bench('--help');
    expect(help.code).toBe(0);
    for (const name of BENCH_NAMES) expect(help.stdout).toContain(name);
    const unknown = await bench('speed');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('there is no bench speed');
  });
});
