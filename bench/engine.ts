/**
 * `npm run engine`: what a decision costs the stream thread, without broker, sockets and other
 * threads. CPU time, so that a busy machine matters little. With other checkouts (that have this
 * bench) the runs alternate, and ratios are to the first: how a change is judged. Of several rounds the least
 * counts: whatever else runs on the machine only ever adds.
 *
 *   npm run engine -- [--against DIR…] [--rounds N] [--purchases N] [--zones N] [--partitions N]
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

interface Run {
  readonly threadUs: number;
  readonly processUs: number;
  readonly decisionsPerSecond: number;
  readonly perTransaction: number;
  /** Of all outcomes: trees that decide alike have the same. */
  readonly digest: string;
}

const { values } = parseArgs({
  options: {
    against: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '3' },
    purchases: { type: 'string', default: '300000' },
    zones: { type: 'string', default: '1000' },
    partitions: { type: 'string', default: '4' },
  },
});

const trees = [...values.against, join(import.meta.dirname, '..')];
const runs = new Map<string, Run[]>(trees.map((tree) => [tree, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const tree of trees) runs.get(tree)!.push(runIn(tree));
}
const reference = leastOf(runs.get(trees[0]!)!, 'threadUs');
for (const [tree, done] of runs) {
  const threadUs = leastOf(done, 'threadUs');
  const spread = done.map((run) => run.threadUs.toFixed(2)).join(' ');
  console.log(
    `${threadUs.toFixed(2)} us stream thread (${(threadUs / reference).toFixed(3)}), ` +
      `${leastOf(done, 'processUs').toFixed(2)} us process, ` +
      `${leastOf(done, 'perTransaction').toFixed(0)} per transaction, ` +
      `digest ${[...new Set(done.map(({ digest }) => digest))].join(' ')}, ${tree} [${spread}]`,
  );
}

function runIn(tree: string): Run {
  const { purchases, zones, partitions } = values;
  const file = join(tree, 'bench', 'engine', 'run.ts');
  const output = execFileSync(process.execPath, [file, purchases, zones, partitions]);
  return JSON.parse(output.toString()) as Run;
}

function leastOf(done: readonly Run[], figure: Exclude<keyof Run, 'digest'>): number {
  return Math.min(...done.map((run) => run[figure]));
}
