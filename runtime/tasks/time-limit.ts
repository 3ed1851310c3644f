/** Waits for user code, but not for ever. */
import type { Clock } from '../../base/clock.ts';

/**
 * As the promise, unless it takes longer: then rejects with what `late` makes. The work itself cannot be
 * ended: whoever asks must see to it that what it still does goes nowhere.
 */
export function withinTime<T>(
  work: Promise<T>,
  { clock, limitMs, late }: { clock: Clock; limitMs: number; late: () => Error },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => reject(late()));
    work.then(resolve, reject).finally(cancel);
  });
}
