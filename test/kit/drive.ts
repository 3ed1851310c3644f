import { setImmediate } from 'node:timers/promises';
import type { ManualClock } from '../../base/manual-clock.ts';

/** Event-loop turns in which everything that does not wait for time gets done. */
const TURNS = 20;

/** Lets everything happen that can happen without time passing. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await setImmediate();
}

/** Moves time to the next timer whenever nothing else happens, until `work` is done. */
export async function drive<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  work.then(end, end);
  for (let step = 0; step < 10_000; step++) {
    await settle();
    if (isDone) return work;
    clock.advance(clock.nextTimerInMs() ?? 1);
  }
  throw new Error('nothing ends this work');
}

/** Moves time forward in steps, with everything done in between. */
export async function pass(clock: ManualClock, durationMs: number, stepMs = 50): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += stepMs) {
    await settle();
    clock.advance(Math.min(stepMs, durationMs - passedMs));
  }
  await settle();
}
