/**
 * `npm run simulate -- --seeds N [--from S] [--threads T]` or `--seed S [--trace] [--mutant NAME]`.
 * One line per failing seed, with the command that replays it; the last line is the tally. Exit 0 only
 * when no seed failed.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { mutantNamed } from './mutants.ts';
import { type RunResult, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    threads: { type: 'string' },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

const PROGRESS_MS = 10_000;

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

function replay(seed: number): string {
  return `npm run simulate -- --seed ${seed} --trace`;
}

async function one(seed: number): Promise<boolean> {
  const mutation = values.mutant === undefined ? {} : mutantNamed(values.mutant).mutation();
  const trace = values.trace ? { trace: tell } : {};
  const result = await simulate({ seed, mutation, ...trace });
  for (const violation of result.violations) tell(`VIOLATION ${violation}`);
  const { traceHash, events, commands } = result;
  const verdict = result.violations.length === 0 ? 'passed' : 'FAILED';
  tell(`seed ${seed} ${verdict}: trace ${traceHash}, ${events} events, ${commands} commands`);
  return result.violations.length === 0;
}

async function many(count: number, from: number): Promise<boolean> {
  const began = performance.now();
  const counters = new Map<string, number>();
  let [next, done, failed, events, toldAt] = [from, 0, 0, 0, began];
  const take = (result: RunResult) => {
    done++;
    events += result.events;
    for (const [what, times] of result.counters) {
      counters.set(what, (counters.get(what) ?? 0) + times);
    }
    if (result.violations.length > 0) {
      failed++;
      tell(`FAILED seed ${result.seed}: ${result.violations[0]?.split('\n')[0]}`);
      tell(`  ${replay(result.seed)}`);
    }
    if (performance.now() - toldAt < PROGRESS_MS) return;
    toldAt = performance.now();
    tell(`${done} of ${count} seeds, ${failed} failed`);
  };
  const run = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url));
      const more = () => worker.postMessage(next < from + count ? next++ : undefined);
      worker.on('message', (result: RunResult) => {
        take(result);
        more();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      more();
    });
  const threads = Number(values.threads ?? Math.min(availableParallelism(), count));
  await Promise.all(Array.from({ length: threads }, run));
  const seconds = (performance.now() - began) / 1_000;
  for (const [what, times] of [...counters].sort()) tell(`${String(times).padStart(8)} ${what}`);
  tell(
    `${done} seeds from ${from}, ${failed} failed, ${(done / seconds).toFixed(1)} seeds/s, ${Math.round(events / done)} events each`,
  );
  return failed === 0;
}

const isClean =
  values.seed === undefined
    ? await many(Number(values.seeds ?? 1_000), Number(values.from))
    : await one(Number(values.seed));
process.exitCode = isClean ? 0 : 1;
