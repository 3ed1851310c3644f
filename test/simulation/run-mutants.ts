/**
 * `npm run mutants -- [--only NAME,NAME] [--seeds N]`: every planted bug must be seen by the simulation
 * within so many seeds. One line per bug, with the seed that killed it; the last line is the tally. Exit 0
 * only when none survives.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { commandLine } from './command-line.ts';
import type { MutantVerdict } from './mutant-worker.ts';
import { MUTANTS, mutantNamed } from './mutants.ts';

const PROGRESS_MS = 30_000;

const HELP = `npm run mutants -- [options]

  --only NAME,…   these planted bugs only                      (all)
  --seeds N       a bug must be seen within so many seeds      (500)
`;

const values = commandLine(HELP, {
  only: { type: 'string' },
  seeds: { type: 'string', default: '500' },
});
const wanted = values.only?.split(',').map(mutantNamed) ?? MUTANTS;
const queue = [...wanted];
const survivors: string[] = [];
const unsoundSeeds = new Set<number>();
let killed = 0;

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

function take({ name, seed, violation, unsound }: MutantVerdict): void {
  const { what } = mutantNamed(name);
  for (const each of unsound) unsoundSeeds.add(each);
  if (seed === undefined) {
    survivors.push(name);
    tell(`SURVIVED ${values.seeds} seeds: ${name} (${what})`);
  } else {
    killed++;
    tell(`killed by seed ${seed}: ${name} (${what})\n  ${violation}`);
  }
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

const progress = setInterval(() => {
  const judged = killed + survivors.length;
  tell(`${judged} of ${wanted.length} judged, ${survivors.length} survived`);
}, PROGRESS_MS);
await Promise.all(Array.from({ length: availableParallelism() }, run));
clearInterval(progress);
if (survivors.length > 0) tell(`survivors: ${survivors.join(', ')}`);
if (unsoundSeeds.size > 0) tell(`FAILED without any bug: seeds ${[...unsoundSeeds].join(', ')}`);
tell(`${killed} passed, ${survivors.length} failed`);
process.exitCode = survivors.length + unsoundSeeds.size === 0 && killed > 0 ? 0 : 1;
