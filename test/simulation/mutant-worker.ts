/** Runs one mutant after the other, each until a seed has seen it. */
import { parentPort } from 'node:worker_threads';
import { mutantNamed } from './mutants.ts';
import { simulate } from './simulate.ts';

export interface MutantVerdict {
  readonly name: string;
  readonly seed: number;
  /** The first violation; undefined = it survived. */
  readonly killedBy: string | undefined;
}

Error.stackTraceLimit = 0;

async function judge(name: string, seeds: number): Promise<MutantVerdict> {
  const mutant = mutantNamed(name);
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations } = await simulate({ seed, mutation: mutant.mutation() });
    const [first] = violations;
    if (first !== undefined) return { name, seed, killedBy: first.slice(0, 160) };
  }
  return { name, seed: seeds, killedBy: undefined };
}

parentPort!.on('message', async (task: { name: string; seeds: number } | undefined) => {
  if (task === undefined) parentPort!.close();
  else parentPort!.postMessage(await judge(task.name, task.seeds));
});
