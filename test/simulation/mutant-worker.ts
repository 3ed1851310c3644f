/** Judges one mutant after the other: it runs seeds until one has seen the bug. */
import { parentPort } from 'node:worker_threads';
import { mutantNamed, simulateMutant, unmutated } from './mutants.ts';

export interface MutantTask {
  readonly name: string;
  readonly seeds: number;
}

export interface MutantVerdict {
  readonly name: string;
  /** The one that killed it; undefined = it survived them all. */
  readonly seed: number | undefined;
  readonly violation: string;
  /** Seeds that fail without the bug, too: they say nothing about it. */
  readonly unsound: readonly number[];
}

Error.stackTraceLimit = 0;

async function judge({ name, seeds }: MutantTask): Promise<MutantVerdict> {
  const mutant = mutantNamed(name);
  const unsound: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const [violation] = (await simulateMutant(mutant, { seed })).violations;
    if (violation === undefined) continue;
    const { violations } = await simulateMutant(unmutated(mutant), { seed });
    if (violations.length > 0) unsound.push(seed);
    else return { name, seed, violation: violation.slice(0, 160), unsound };
  }
  return { name, seed: undefined, violation: '', unsound };
}

parentPort!.on('message', async (task: MutantTask | undefined) => {
  if (task === undefined) parentPort!.close();
  else parentPort!.postMessage(await judge(task));
});
