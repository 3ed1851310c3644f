/** What an answer to Produce means for an idempotent batch. Pure: the table of codes, nothing else. */
import { Errors, isRetriable } from '../protocol/error-codes.ts';

export type Verdict =
  | { readonly kind: 'acknowledged' }
  /** In the log already; where is not known. */
  | { readonly kind: 'duplicate' }
  /** Same bytes again. `mayBeInLog`: this attempt may have appended it all the same. */
  | { readonly kind: 'resend'; readonly mayBeInLog: boolean }
  /**
   * The log does not know what we had acknowledged before (truncated, expired): nothing of this batch is
   * in it, and it never will be under this producer id.
   */
  | { readonly kind: 'renew-identity' }
  | { readonly kind: 'refused' };

const RENEW: ReadonlySet<number> = new Set([
  Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
  Errors.UNKNOWN_PRODUCER_ID,
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.INVALID_PRODUCER_ID_MAPPING,
  Errors.PRODUCER_FENCED,
]);

/** Appended by the leader, but not (known to be) replicated. */
const APPENDED_PERHAPS: ReadonlySet<number> = new Set([
  Errors.UNKNOWN_SERVER_ERROR,
  Errors.REQUEST_TIMED_OUT,
  Errors.NETWORK_EXCEPTION,
  Errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
]);

export function verdictOn(errorCode: number): Verdict {
  if (errorCode === Errors.NONE) return { kind: 'acknowledged' };
  if (errorCode === Errors.DUPLICATE_SEQUENCE_NUMBER) return { kind: 'duplicate' };
  if (APPENDED_PERHAPS.has(errorCode)) return { kind: 'resend', mayBeInLog: true };
  if (RENEW.has(errorCode)) return { kind: 'renew-identity' };
  if (isRetriable(errorCode)) return { kind: 'resend', mayBeInLog: false };
  return { kind: 'refused' };
}
