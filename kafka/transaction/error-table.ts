/**
 * What each answer, and the lack of one, means for a transaction. Pure data and two look-ups; whoever
 * sends does as it is told. A code that a table does not name ends the transaction in the way that is
 * always safe: 'aborted' before EndTxn was sent, 'unknown' at EndTxn.
 */
import { Errors } from '../protocol/error-codes.ts';

/** V2 (KIP-890): the broker adds partitions by itself and every transaction gets an epoch of its own. */
export type TransactionProtocol = 'V1' | 'V2';

export type TransactionApi =
  | 'InitProducerId'
  | 'AddPartitionsToTxn'
  | 'AddOffsetsToTxn'
  | 'Produce'
  | 'TxnOffsetCommit'
  | 'EndTxn';

export type Action =
  | { readonly kind: 'done' }
  /** Appended by an earlier try; the offset is not known. */
  | { readonly kind: 'duplicate' }
  /** OPERATION_NOT_ATTEMPTED: another partition of the same answer says why. */
  | { readonly kind: 'look-at-the-others' }
  /** The same request, after a pause and with a fresh look at who to ask. */
  | {
      readonly kind: 'resend';
      readonly pause: 'brief' | 'backoff';
      readonly refresh: 'nothing' | 'metadata' | 'coordinator';
    }
  /** Ask for the group's newest generation, then resend. */
  | { readonly kind: 'rejoin' }
  | { readonly kind: 'end'; readonly as: EndKind };

export type EndKind =
  | 'aborted'
  | 'unknown'
  /** Another producer has our transactional id, or the coordinator has timed the transaction out. */
  | 'producer-fenced'
  /** The group has dropped us: all tasks are lost. */
  | 'member-lost'
  /** Another process has our group.instance.id. */
  | 'instance-fenced'
  | 'fatal';

const DONE: Action = { kind: 'done' };
const RESEND_SOON: Action = { kind: 'resend', pause: 'brief', refresh: 'nothing' };
const RESEND_LATER: Action = { kind: 'resend', pause: 'backoff', refresh: 'nothing' };
const RESEND_TO_LEADER: Action = { kind: 'resend', pause: 'backoff', refresh: 'metadata' };
const RESEND_TO_COORDINATOR: Action = { kind: 'resend', pause: 'backoff', refresh: 'coordinator' };
const ABORTED: Action = { kind: 'end', as: 'aborted' };
const UNKNOWN: Action = { kind: 'end', as: 'unknown' };
const PRODUCER_FENCED: Action = { kind: 'end', as: 'producer-fenced' };
const FATAL: Action = { kind: 'end', as: 'fatal' };

type Table = Readonly<Partial<Record<number, Action>>>;

const ANY: Table = {
  [Errors.NONE]: DONE,
  [Errors.COORDINATOR_LOAD_IN_PROGRESS]: RESEND_TO_COORDINATOR,
  [Errors.COORDINATOR_NOT_AVAILABLE]: RESEND_TO_COORDINATOR,
  [Errors.NOT_COORDINATOR]: RESEND_TO_COORDINATOR,
  [Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]: FATAL,
  [Errors.CLUSTER_AUTHORIZATION_FAILED]: FATAL,
  [Errors.UNSUPPORTED_VERSION]: FATAL,
};

const INIT_PRODUCER_ID: Table = {
  ...ANY,
  [Errors.CONCURRENT_TRANSACTIONS]: RESEND_SOON,
  // We never send an old id and epoch, so these cannot concern them.
  [Errors.PRODUCER_FENCED]: RESEND_LATER,
  [Errors.INVALID_PRODUCER_EPOCH]: RESEND_LATER,
  [Errors.INVALID_TRANSACTION_TIMEOUT]: FATAL,
  [Errors.INVALID_REQUEST]: FATAL,
};

const PRODUCE: Table = {
  ...ANY,
  [Errors.NOT_LEADER_OR_FOLLOWER]: RESEND_TO_LEADER,
  [Errors.UNKNOWN_TOPIC_OR_PARTITION]: RESEND_TO_LEADER,
  [Errors.LEADER_NOT_AVAILABLE]: RESEND_TO_LEADER,
  [Errors.NETWORK_EXCEPTION]: RESEND_TO_LEADER,
  [Errors.REQUEST_TIMED_OUT]: RESEND_TO_LEADER,
  [Errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND]: RESEND_TO_LEADER,
  [Errors.KAFKA_STORAGE_ERROR]: RESEND_TO_LEADER,
  // Also "the broker could not verify the transaction in time": the leader is the right one.
  [Errors.NOT_ENOUGH_REPLICAS]: RESEND_LATER,
  [Errors.CORRUPT_MESSAGE]: RESEND_LATER,
  [Errors.CONCURRENT_TRANSACTIONS]: RESEND_SOON,
  [Errors.DUPLICATE_SEQUENCE_NUMBER]: { kind: 'duplicate' },
  [Errors.OUT_OF_ORDER_SEQUENCE_NUMBER]: ABORTED,
  [Errors.UNKNOWN_PRODUCER_ID]: ABORTED,
  [Errors.INVALID_TXN_STATE]: ABORTED,
  [Errors.TRANSACTION_ABORTABLE]: ABORTED,
  // What a leader says to a producer whose id another has initialised.
  [Errors.INVALID_PRODUCER_EPOCH]: PRODUCER_FENCED,
  [Errors.PRODUCER_FENCED]: PRODUCER_FENCED,
  [Errors.INVALID_PRODUCER_ID_MAPPING]: PRODUCER_FENCED,
  [Errors.MESSAGE_TOO_LARGE]: FATAL,
  [Errors.RECORD_LIST_TOO_LARGE]: FATAL,
  [Errors.INVALID_RECORD]: FATAL,
  [Errors.INVALID_TIMESTAMP]: FATAL,
  [Errors.INVALID_TOPIC_EXCEPTION]: FATAL,
  [Errors.UNSUPPORTED_COMPRESSION_TYPE]: FATAL,
  [Errors.POLICY_VIOLATION]: FATAL,
  [Errors.TOPIC_AUTHORIZATION_FAILED]: FATAL,
};

const ADD_TO_TXN: Table = {
  ...PRODUCE,
  [Errors.OPERATION_NOT_ATTEMPTED]: { kind: 'look-at-the-others' },
  [Errors.GROUP_AUTHORIZATION_FAILED]: FATAL,
};

const TXN_OFFSET_COMMIT: Table = {
  ...ANY,
  [Errors.ILLEGAL_GENERATION]: { kind: 'rejoin' },
  [Errors.STALE_MEMBER_EPOCH]: { kind: 'rejoin' },
  [Errors.UNKNOWN_MEMBER_ID]: { kind: 'end', as: 'member-lost' },
  [Errors.FENCED_INSTANCE_ID]: { kind: 'end', as: 'instance-fenced' },
  [Errors.REQUEST_TIMED_OUT]: RESEND_LATER,
  [Errors.UNKNOWN_TOPIC_OR_PARTITION]: RESEND_LATER,
  [Errors.NOT_ENOUGH_REPLICAS]: RESEND_LATER,
  [Errors.REBALANCE_IN_PROGRESS]: RESEND_LATER,
  [Errors.CONCURRENT_TRANSACTIONS]: RESEND_SOON,
  [Errors.INVALID_PRODUCER_EPOCH]: PRODUCER_FENCED,
  [Errors.PRODUCER_FENCED]: PRODUCER_FENCED,
  [Errors.INVALID_PRODUCER_ID_MAPPING]: PRODUCER_FENCED,
  [Errors.OFFSET_METADATA_TOO_LARGE]: FATAL,
  [Errors.INVALID_COMMIT_OFFSET_SIZE]: FATAL,
  [Errors.INVALID_GROUP_ID]: FATAL,
  [Errors.GROUP_AUTHORIZATION_FAILED]: FATAL,
  [Errors.TOPIC_AUTHORIZATION_FAILED]: FATAL,
};

const END_TXN: Table = {
  ...ANY,
  [Errors.CONCURRENT_TRANSACTIONS]: RESEND_SOON,
  [Errors.INVALID_TXN_STATE]: ABORTED,
  [Errors.TRANSACTION_ABORTABLE]: ABORTED,
  [Errors.INVALID_PRODUCER_EPOCH]: PRODUCER_FENCED,
  [Errors.PRODUCER_FENCED]: PRODUCER_FENCED,
  [Errors.INVALID_PRODUCER_ID_MAPPING]: PRODUCER_FENCED,
};

const TABLES: Readonly<Record<TransactionApi, Table>> = {
  InitProducerId: INIT_PRODUCER_ID,
  AddPartitionsToTxn: ADD_TO_TXN,
  AddOffsetsToTxn: ADD_TO_TXN,
  Produce: PRODUCE,
  TxnOffsetCommit: TXN_OFFSET_COMMIT,
  EndTxn: END_TXN,
};

const UNLISTED: Readonly<Record<TransactionApi, Action>> = {
  InitProducerId: RESEND_LATER,
  AddPartitionsToTxn: ABORTED,
  AddOffsetsToTxn: ABORTED,
  Produce: ABORTED,
  TxnOffsetCommit: ABORTED,
  EndTxn: UNKNOWN,
};

/** What to do about an error code in an answer. */
export function actionFor(api: TransactionApi, code: number): Action {
  return TABLES[api][code] ?? UNLISTED[api];
}

/**
 * What to do when a request was sent and its answer never came: the broker may have acted on it, and
 * under V1 it may even act later, inside the next transaction. Only what cannot do harm twice is resent.
 */
export function actionForLostAnswer(api: TransactionApi, protocol: TransactionProtocol): Action {
  switch (api) {
    // Caught by its sequence numbers.
    case 'Produce':
      return RESEND_TO_LEADER;
    // Begins anew each time.
    case 'InitProducerId':
      return RESEND_TO_COORDINATOR;
    // Caught by the epoch that V2 gives to each transaction.
    case 'TxnOffsetCommit':
    case 'EndTxn':
      return protocol === 'V2' ? RESEND_TO_COORDINATOR : UNKNOWN;
    // V1 only.
    case 'AddPartitionsToTxn':
    case 'AddOffsetsToTxn':
      return UNKNOWN;
  }
}

/** What a request that could not even be sent asks for: nothing happened, whatever the protocol. */
export const NOT_SENT: Action = RESEND_TO_COORDINATOR;

/** The action for an answer of many codes: an end before a rejoin, that before a resend. */
export function weightiest(actions: Iterable<Action>): Action {
  let heaviest: Action = DONE;
  for (const action of actions) {
    if (WEIGHT[action.kind] > WEIGHT[heaviest.kind]) heaviest = action;
  }
  return heaviest;
}

const WEIGHT: Readonly<Record<Action['kind'], number>> = {
  done: 0,
  duplicate: 0,
  'look-at-the-others': 1,
  resend: 2,
  rejoin: 3,
  end: 4,
};
