/** Lets a manual clock run while something is awaited: as fast as the code under test has nothing to do. */
import { setImmediate } from 'node:timers/promises';
import type { ManualClock } from '../../base/manual-clock.ts';

const STEP_MS = 5;
const TURNS_PER_STEP = 6;
const STEPS_MAX = 100_000;

/** Lets everything that needs no time happen. */
export async function turn(count = TURNS_PER_STEP): Promise<void> {
  for (let index = 0; index < count; index++) await setImmediate();
}

/** The promise's result; time passes until it is there. */
export async function whileTimePasses<Result>(
  clock: ManualClock,
  promise: Promise<Result>,
): Promise<Result> {
  let isSettled = false;
  const settle = () => {
    isSettled = true;
  };
  promise.then(settle, settle);
  for (let step = 0; !isSettled; step++) {
    if (step === STEPS_MAX) throw new Error('it takes longer than the test has patience');
    await turn();
    if (!isSettled) clock.advance(STEP_MS);
  }
  return promise;
}
