/**
 * `npm run engine`: what a decision costs the stream thread, without broker, sockets and other
 * threads. CPU time, so that a busy machine matters little. With other checkouts (that have this
 * bench) short runs alternate in one process, and the ratio of each pair of runs is what judges a
 * change: whatever else the machine does meets both.
 *
 *   npm run engine -- [--against DIR] [--rounds N] [--purchases N] [--zones N] [--partitions N]
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Run, RunOptions } from './engine/run.ts';

type RunEngine = (options: RunOptions) => Promise<Run>;

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    purchases: { type: 'string', default: '100000' },
    zones: { type: 'string', default: '1000' },
    partitions: { type: 'string', default: '4' },
  },
});

const options = {
  purchases: Number(values.purchases),
  zones: Number(values.zones),
  partitions: Number(values.partitions),
};
const here = await engineIn(join(import.meta.dirname, '..'));
const there = values.against === undefined ? undefined : await engineIn(values.against);
const runs: { readonly here: Run; readonly there: Run | undefined }[] = [];
// The first round warms the code up.
for (let round = 0; round <= Number(values.rounds); round++) {
  const isHereFirst = round % 2 === 0;
  const first = isHereFirst ? await here(options) : await there?.(options);
  const second = isHereFirst ? await there?.(options) : await here(options);
  const pair = isHereFirst ? { here: first!, there: second } : { here: second!, there: first };
  if (round > 0) runs.push(pair);
}

tell(
  'here ',
  runs.map((pair) => pair.here),
);
if (there !== undefined) {
  tell(
    'there',
    runs.map((pair) => pair.there!),
  );
  const ratios = runs.map((pair) => pair.here.threadUs / pair.there!.threadUs);
  console.log(`here / there: ${spread(ratios)}`);
}

async function engineIn(tree: string): Promise<RunEngine> {
  const module = (await import(join(tree, 'bench', 'engine', 'run.ts'))) as {
    runEngine: RunEngine;
  };
  return module.runEngine;
}

function tell(name: string, all: readonly Run[]): void {
  const digests = [...new Set(all.map(({ digest }) => digest))].join(' ');
  console.log(
    `${name} us per decision: stream thread ${spread(all.map((run) => run.threadUs))}, ` +
      `process ${spread(all.map((run) => run.processUs))}; ` +
      `${Math.round(all[0]!.decisionsPerTransaction)} per transaction; digest ${digests}`,
  );
}

/** Median, and from where to where. */
function spread(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
  return `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
}
