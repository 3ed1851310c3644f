import { MillraceError } from '../base/errors.ts';

/**
 * As `work`, but rejects KAFKA_RETRIABLE as soon as the signal aborts. The work itself goes on, and
 * nobody waits for it any more.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () =>
      reject(new MillraceError('KAFKA_RETRIABLE', 'given up', { cause: signal.reason }));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
