/**
 * Many seeds of one scenario, in worker threads. Functions cannot be posted to a worker: the scenario is
 * named by its module, as a topology is for stream threads.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { metTooSeldom } from './faults/sometimes.ts';
import type { RunResult } from './simulate.ts';

export interface ScenarioModule {
  /** URL of an ES module. */
  readonly module: URL | string;
  /** The name of a Scenario, or of a ScenarioOfSeed, that it exports. */
  readonly export: string;
}

export interface SeedsOptions {
  readonly seeds: number;
  /** Default: 1. */
  readonly from?: number;
  /** Default: one per core. */
  readonly threads?: number;
  /** After every run, in the order in which they end. */
  readonly onResult?: (result: RunResult) => void;
}

export interface Tally {
  readonly passed: number;
  readonly failed: readonly RunResult[];
  readonly events: number;
  readonly counters: ReadonlyMap<string, number>;
  /** Of what must happen now and then: what did so too seldom; undefined when the seeds were too few. */
  readonly metTooSeldom: readonly string[] | undefined;
}

/** Rejects when a worker cannot load the scenario. */
export async function runSeeds(scenario: ScenarioModule, options: SeedsOptions): Promise<Tally> {
  const { seeds, from = 1, threads = availableParallelism(), onResult } = options;
  const counters = new Map<string, number>();
  const failed: RunResult[] = [];
  let [next, passed, events] = [from, 0, 0];
  const take = (result: RunResult) => {
    events += result.events;
    for (const [what, times] of result.counters) {
      counters.set(what, (counters.get(what) ?? 0) + times);
    }
    if (result.violations.length === 0) passed++;
    else failed.push(result);
    onResult?.(result);
  };
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const workerData: ScenarioModule = { ...scenario, module: String(scenario.module) };
      const worker = new Worker(new URL('./seed-worker.ts', import.meta.url), { workerData });
      const more = () => worker.postMessage(next < from + seeds ? next++ : undefined);
      worker.on('message', (result: RunResult) => {
        take(result);
        more();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      more();
    });
  await Promise.all(Array.from({ length: Math.min(threads, seeds) }, work));
  return { passed, failed, events, counters, metTooSeldom: metTooSeldom(counters, seeds) };
}
