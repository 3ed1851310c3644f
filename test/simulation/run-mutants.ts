/**
 * `npm run mutants -- [--only NAME] [--seeds N]`: every planted bug must be seen by the simulation within
 * so many seeds. The last line is the tally; exit 0 only when none survives.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { MutantVerdict } from './mutant-worker.ts';
import { MUTANTS } from './mutants.ts';

const { values } = parseArgs({
  options: { only: { type: 'string' }, seeds: { type: 'string', default: '500' } },
});
const wanted = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
const queue = [...wanted];
const survivors: string[] = [];

function take({ name, killedBy, seed }: MutantVerdict): void {
  if (killedBy === undefined) survivors.push(name);
  const fate =
    killedBy === undefined
      ? `SURVIVED ${values.seeds} seeds`
      : `killed by seed ${seed}: ${killedBy}`;
  process.stdout.write(`${name}: ${fate}\n`);
}

function run(): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./mutant-worker.ts', import.meta.url));
    const more = () => {
      const name = queue.shift()?.name;
      worker.postMessage(name === undefined ? undefined : { name, seeds: Number(values.seeds) });
    };
    worker.on('message', (verdict: MutantVerdict) => {
      take(verdict);
      more();
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve());
    more();
  });
}

await Promise.all(Array.from({ length: availableParallelism() }, run));
const list = survivors.length === 0 ? '' : `: ${survivors.join(', ')}`;
process.stdout.write(`${wanted.length} mutants, ${survivors.length} survived${list}\n`);
process.exitCode = survivors.length === 0 && wanted.length > 0 ? 0 : 1;
