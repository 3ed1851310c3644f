import type { Random } from './random.ts';

/**
 * Exponential backoff with equal jitter: the n-th delay (n from 0) is between half and all of
 * min(maxMs, initialMs * 2^n).
 */
export function backoffMs(
  attempt: number,
  bounds: { readonly initialMs: number; readonly maxMs: number },
  random: Random,
): number {
  const ceilingMs = Math.min(bounds.maxMs, bounds.initialMs * 2 ** Math.min(attempt, 30));
  return ceilingMs / 2 + (random.next() * ceilingMs) / 2;
}
