/**
 * Who is measured, and in which order: round by round, ours then each rival, so that whatever the
 * machine does meanwhile meets all of them. A run that others disturbed is repeated, so many times.
 */
import { randomUUID } from 'node:crypto';
import { type BenchCase, type BenchName, type Measure, OURS } from './kit/measure.ts';
import type { PlatformName } from './kit/platform.ts';
import { noProgress, progressBars } from './kit/progress.ts';
import { Stage } from './kit/stage.ts';
import { measureLatency } from './measures/latency.ts';
import type { Command } from './options.ts';
import { RIVALS } from './rivals/catalogue.ts';
import type { Rival } from './rivals/rival.ts';

/** Until a broker's code for small transactions is compiled, it takes three times the CPU for each. */
const WARM_UP = { seconds: 60, rates: [2_000] };

export interface Contestant {
  readonly by: string;
  /** undefined = we. */
  readonly rival: Rival | undefined;
  /** For rivals that need no broker: where the run's folder is. */
  readonly on: PlatformName;
}

/** Says aloud whom it leaves out, and why. */
export async function contestantsOf(name: BenchName, command: Command): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  const rivals = command.against.filter((each) => RIVALS[each]!.benches.includes(name));
  const needsKafka = rivals.some((each) => RIVALS[each]!.rival.kind === 'kafka');
  for (const on of command.on ?? (needsKafka ? ['kafka'] : ['embedded', 'kafka'])) {
    const missing = Stage.whyNot(on);
    if (missing === undefined) contestants.push({ by: OURS, rival: undefined, on });
    else console.log(`SKIPPED: ${name} on ${on === 'kafka' ? 'Apache Kafka' : on} (${missing})`);
  }
  for (const by of rivals) {
    const { rival } = RIVALS[by]!;
    const missing = rival.whyNot();
    if (missing === undefined) {
      await rival.prepare();
      contestants.push({ by, rival, on: rival.kind === 'kafka' ? 'kafka' : 'embedded' });
    } else console.log(`SKIPPED: ${name} against ${by} (${missing})`);
  }
  return contestants;
}

/** Every measure of every round; `onMeasure` gets them as they come. */
export async function measureAll(
  cases: readonly BenchCase[],
  contestants: readonly Contestant[],
  command: Command,
  onMeasure: (measure: Measure, each: BenchCase) => void,
): Promise<Measure[]> {
  const stage = new Stage(command.deleteTopics);
  const all: Measure[] = [];
  try {
    const first = contestants.find(({ on, rival }) => on === 'kafka' && rival?.kind !== 'http');
    if (command.rounds > 1 && first !== undefined) await warmUp(stage, cases, first);
    for (let round = 1; round <= command.rounds; round++) {
      for (const [index, each] of cases.entries()) {
        const of = cases.length > 1 ? `, case ${index + 1} of ${cases.length}` : '';
        for (const contestant of contestants) {
          console.error(`round ${round} of ${command.rounds}${of}: ${nameOf(contestant)}`);
          const measures = await measureQuietly(stage, each, contestant, command);
          for (const measure of measures) onMeasure(measure, each);
          all.push(...measures);
        }
      }
    }
  } finally {
    await stage.close();
  }
  return all;
}

/** A broker that has just started would cost whoever comes first. Kept nowhere. */
async function warmUp(
  stage: Stage,
  [first]: readonly BenchCase[],
  contestant: Contestant,
): Promise<void> {
  if (first === undefined) return;
  console.error('warming up the broker');
  const options = { ...first.options, ...WARM_UP };
  await measureOnce(stage, { measure: measureLatency, options }, contestant);
}

/** The quietest of at most `repeats` runs more. */
async function measureQuietly(
  stage: Stage,
  each: BenchCase,
  contestant: Contestant,
  { noisePercentMax, repeats }: Command,
): Promise<Measure[]> {
  let quietest: Measure[] | undefined;
  for (let run = 0; run <= repeats; run++) {
    const measures = await measureOnce(stage, each, contestant);
    if (quietest === undefined || noiseOf(measures) < noiseOf(quietest)) quietest = measures;
    if (noiseOf(quietest) <= noisePercentMax) break;
    if (run < repeats) {
      console.error(`  others took ${noiseOf(measures)} % of the machine: once more`);
    }
  }
  return quietest ?? [];
}

function measureOnce(
  stage: Stage,
  { measure, options }: BenchCase,
  { by, rival, on }: Contestant,
): Promise<Measure[]> {
  return stage.withPlatform(on, (platform) =>
    measure({
      options,
      by,
      rival,
      platform,
      application: `ticket-sales-${randomUUID().slice(0, 8)}`,
      progress: process.stderr.isTTY ? progressBars : noProgress,
    }),
  );
}

function noiseOf(measures: readonly Measure[]): number {
  return Math.max(0, ...measures.map(({ foreignCpuPercent }) => foreignCpuPercent));
}

function nameOf({ by, rival, on }: Contestant): string {
  return rival?.kind === 'http' ? by : `${by} on ${on === 'kafka' ? 'Apache Kafka' : on}`;
}
