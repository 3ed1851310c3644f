/** `npm run bench` as a child process, with results of its own. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Measure } from '../../bench/kit/measure.ts';

const root = resolve(import.meta.dirname, '../..');

/** About two seconds per measure; whatever else runs on the machine, nothing is measured again. */
export const SHORT = ['--short', '--repeats', '0'];

export interface BenchEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Results go to `out`. */
export function runBench(
  out: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<BenchEnd> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['bench/main.ts', ...args, '--out', out], {
      cwd: root,
      env: { ...process.env, ...env },
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

/** What the bench has kept; nothing if it has not run. */
export function keptMeasures(out: string, bench: string): Measure[] {
  const file = join(out, `${bench}.jsonl`);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Measure);
}
