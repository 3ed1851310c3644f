/**
 * The time port. Everything that waits or looks at a clock takes a Clock by argument, so that a
 * simulation can own time. nowMs may jump; monotonicMs never goes back and is what durations use.
 */
export interface Clock {
  /** Wall clock, epoch milliseconds. */
  nowMs(): number;
  /** Milliseconds since some fixed point; never goes back. */
  monotonicMs(): number;
  /** Calls back once after at least `delayMs`. The returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void;
  /** Resolves after at least `delayMs`, or at once when the signal aborts (it never rejects). */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** One turn of the event loop: I/O that is ready gets done before it resolves. */
  turn(): Promise<void>;
}

export function turnOfSystem(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function sleepOn(
  after: Clock['after'],
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

function afterOnSystem(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: afterOnSystem,
  sleep: (delayMs, signal) => sleepOn(afterOnSystem, delayMs, signal),
  turn: turnOfSystem,
};
