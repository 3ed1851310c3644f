/**
 * From "this cannot go on" to one of the outcomes of kafka/ports.ts, with an error for people.
 * Pure: when it happened, and what happened before, come in as facts.
 */

import { unreachable } from '../../base/assert.ts';
import { type ErrorCode, MillraceError } from '../../base/errors.ts';
import type { TransactionOutcome } from '../ports.ts';
import { Errors, errorName } from '../protocol/error-codes.ts';
import type { EndKind, TransactionApi } from './error-table.ts';

/** Why a transaction, or an init, cannot go on. */
export interface Ending {
  readonly as: EndKind;
  readonly api: TransactionApi;
  /** Kafka's error code, where a broker gave one. */
  readonly code?: number;
  readonly cause?: unknown;
  /** Said instead of the code's name. */
  readonly message?: string;
}

export interface EndingContext {
  readonly transactionalId: string;
  /** Since the first request of this transaction. */
  readonly elapsedMs: number;
  readonly transactionTimeoutMs: number;
  /** Since this id was fenced before; Infinity when it was not. */
  readonly sinceFencedMs: number;
  /** An EndTxn(commit) was sent before the answer that ended it: it may have been carried out. */
  readonly mayBeCommitted: boolean;
}

/** Fenced twice within this time: not an orphan of ours, but somebody alive with the same id. */
const FENCED_AGAIN_MS = 60_000;

export type FailedOutcome = Exclude<TransactionOutcome, { readonly kind: 'committed' }>;

export function outcomeOf(ending: Ending, context: EndingContext): FailedOutcome {
  if (context.mayBeCommitted && ending.as !== 'fatal') {
    return { kind: 'unknown', cause: errorFor('KAFKA_AMBIGUOUS', ending, context) };
  }
  switch (ending.as) {
    case 'aborted':
      return { kind: 'aborted', cause: errorFor('KAFKA_ABORTABLE', ending, context) };
    case 'unknown':
      return { kind: 'unknown', cause: errorFor('KAFKA_AMBIGUOUS', ending, context) };
    case 'member-lost':
      return { kind: 'fenced', cause: errorFor('KAFKA_FENCED', ending, context) };
    case 'instance-fenced':
      return { kind: 'fatal', cause: errorFor('KAFKA_FENCED', ending, context, SHARED_INSTANCE) };
    case 'producer-fenced':
      return fenced(ending, context);
    case 'fatal':
      return { kind: 'fatal', cause: fatalError(ending, context) };
    default:
      return unreachable(ending.as);
  }
}

function fenced(ending: Ending, context: EndingContext): FailedOutcome {
  // The coordinator fences a transaction that has run out of time in the same words.
  if (context.elapsedMs >= context.transactionTimeoutMs) {
    return { kind: 'aborted', cause: errorFor('KAFKA_ABORTABLE', ending, context) };
  }
  if (context.sinceFencedMs < FENCED_AGAIN_MS) {
    return { kind: 'fatal', cause: errorFor('KAFKA_FENCED', ending, context, SHARED_ID) };
  }
  return { kind: 'fenced', cause: errorFor('KAFKA_FENCED', ending, context) };
}

export function fatalError(
  ending: Ending,
  context: { readonly transactionalId: string },
): MillraceError {
  return errorFor('KAFKA_FATAL', ending, context, hintFor(ending.code));
}

const SHARED_ID =
  'Two processes use the same transactional id: they share a state directory or a group.instance.id.';
const SHARED_INSTANCE = 'Another process has joined the group with the same group.instance.id.';

function errorFor(
  code: ErrorCode,
  ending: Ending,
  { transactionalId }: { readonly transactionalId: string },
  hint?: string,
): MillraceError {
  const reason =
    ending.message ?? (ending.code === undefined ? 'no answer' : errorName(ending.code));
  return new MillraceError(code, `${ending.api} of ${transactionalId}: ${reason}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: ending.cause,
    facts: {
      transactionalId,
      api: ending.api,
      kafkaError: ending.code,
      ...(isTooLarge(ending.code) ? { isTooLarge: true } : {}),
    },
  });
}

/** Smaller batches may help. */
function isTooLarge(code: number | undefined): boolean {
  return code === Errors.MESSAGE_TOO_LARGE || code === Errors.RECORD_LIST_TOO_LARGE;
}

function hintFor(code: number | undefined): string | undefined {
  switch (code) {
    case Errors.INVALID_TRANSACTION_TIMEOUT:
      return "The transaction timeout is above the broker's transaction.max.timeout.ms.";
    case Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return 'The principal needs Write and Describe on this transactional id.';
    case Errors.CLUSTER_AUTHORIZATION_FAILED:
      return 'The principal needs IdempotentWrite on the cluster.';
    case Errors.TOPIC_AUTHORIZATION_FAILED:
      return 'The principal needs Write on the output and changelog topics, Read on the input topics.';
    case Errors.GROUP_AUTHORIZATION_FAILED:
      return 'The principal needs Read on the group.';
    case Errors.MESSAGE_TOO_LARGE:
    case Errors.RECORD_LIST_TOO_LARGE:
      return "A batch is above the topic's max.message.bytes.";
    case Errors.OFFSET_METADATA_TOO_LARGE:
      return "Offset metadata is above the broker's offset.metadata.max.bytes.";
    default:
      return undefined;
  }
}
