/**
 * From a Kafka error code to the error that crosses the port, where nothing more special is known:
 * admin calls and plain producing. Transactions have their own table.
 */
import { type ErrorCode, MillraceError } from '../base/errors.ts';
import { Errors, errorName, isRetriable } from './protocol/error-codes.ts';

const FENCING: ReadonlySet<number> = new Set([
  Errors.UNKNOWN_MEMBER_ID,
  // The group is gone, and every member with it.
  Errors.GROUP_ID_NOT_FOUND,
  Errors.FENCED_INSTANCE_ID,
  Errors.PRODUCER_FENCED,
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.FENCED_MEMBER_EPOCH,
]);

/** Retriable for the caller only: sending the same bytes again would meet the same answer. */
const STALE_GENERATION: ReadonlySet<number> = new Set([
  Errors.ILLEGAL_GENERATION,
  Errors.REBALANCE_IN_PROGRESS,
  Errors.STALE_MEMBER_EPOCH,
]);

const HINTS: ReadonlyMap<number, string> = new Map([
  [Errors.TOPIC_AUTHORIZATION_FAILED, 'Allow this principal to use the topic (ACL on Topic).'],
  [Errors.GROUP_AUTHORIZATION_FAILED, 'Allow this principal to use the group (ACL on Group).'],
  [
    Errors.CLUSTER_AUTHORIZATION_FAILED,
    'Allow this principal IdempotentWrite or Create (ACL on Cluster).',
  ],
  [Errors.MESSAGE_TOO_LARGE, "Raise the topic's max.message.bytes, or send smaller records."],
  [Errors.RECORD_LIST_TOO_LARGE, "Raise the topic's segment.bytes, or send smaller batches."],
  [
    Errors.INVALID_REPLICATION_FACTOR,
    'The cluster has fewer brokers than the replication factor asks for.',
  ],
  [Errors.INVALID_CONFIG, 'A topic setting has a value that the broker does not accept.'],
  [
    Errors.POLICY_VIOLATION,
    "The topic's cleanup policy, or a policy of the cluster, forbids this.",
  ],
]);

/** The error for `errorCode`; `what` says what was being done, to what. */
export function errorFor(errorCode: number, what: string, detail?: string | null): MillraceError {
  const name = errorName(errorCode);
  const hint = HINTS.get(errorCode);
  return new MillraceError(codeFor(errorCode), `${what}: ${name}${detail ? ` (${detail})` : ''}`, {
    facts: { kafkaError: name },
    ...(hint === undefined ? {} : { hint }),
  });
}

function codeFor(errorCode: number): ErrorCode {
  if (errorCode === Errors.OFFSET_OUT_OF_RANGE) return 'KAFKA_OFFSET_OUT_OF_RANGE';
  if (FENCING.has(errorCode)) return 'KAFKA_FENCED';
  return isRetriable(errorCode) || STALE_GENERATION.has(errorCode)
    ? 'KAFKA_RETRIABLE'
    : 'KAFKA_FATAL';
}
