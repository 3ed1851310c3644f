/** Tries again what may be tried again, with growing pauses, until a deadline or a signal says stop. */
import { backoffMs } from '../../base/backoff.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { ClientDeps } from '../client-deps.ts';

const BACKOFF = { initialMs: 50, maxMs: 1_000 };

export interface RetryOptions {
  /** Infinity: only the signal ends it. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Default: 50 ms to 1 s. */
  readonly backoff?: { readonly initialMs: number; readonly maxMs: number };
  /** Called before every further attempt; what it rejects with is ignored, the attempt will tell. */
  readonly beforeRetry?: (error: MillraceError) => Promise<void>;
}

/**
 * Resolves with the first success. Rejects with the last error when it is not KAFKA_RETRIABLE or
 * KAFKA_UNAVAILABLE, or when time is up.
 */
export async function retrying<Result>(
  { clock, random }: ClientDeps,
  { timeoutMs, signal, beforeRetry, backoff = BACKOFF }: RetryOptions,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  for (let attempts = 0; ; attempts++) {
    if (signal?.aborted) throw new MillraceError('KAFKA_RETRIABLE', 'given up by the caller');
    try {
      return await attempt();
    } catch (error) {
      const isWorthIt = isMillraceError(error, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE');
      if (!isWorthIt || clock.monotonicMs() >= deadlineMs) throw error;
      await clock.sleep(backoffMs(attempts, backoff, random), signal);
      await beforeRetry?.(error).catch(() => {});
    }
  }
}
