/**
 * Which error codes each API of the broker may answer: the retriable, the abortable and the fatal ones
 * that Kafka's own handlers give (research on 4.3, and the protocol guide). Those of transactions are also
 * the ones in kafka/transaction/error-table.ts, but this list does not come from there: what it holds and
 * the table does not know must end well, too.
 */
import { Errors, errorName } from '../../../kafka/protocol/error-codes.ts';

const COORDINATOR = [
  Errors.COORDINATOR_LOAD_IN_PROGRESS,
  Errors.COORDINATOR_NOT_AVAILABLE,
  Errors.NOT_COORDINATOR,
];
const PRODUCER = [
  Errors.INVALID_PRODUCER_EPOCH,
  Errors.INVALID_TXN_STATE,
  Errors.INVALID_PRODUCER_ID_MAPPING,
  Errors.PRODUCER_FENCED,
  Errors.TRANSACTION_ABORTABLE,
];
const LEADER = [
  Errors.UNKNOWN_TOPIC_OR_PARTITION,
  Errors.NOT_LEADER_OR_FOLLOWER,
  Errors.REQUEST_TIMED_OUT,
];
const MEMBER = [
  ...COORDINATOR,
  Errors.UNKNOWN_MEMBER_ID,
  Errors.FENCED_INSTANCE_ID,
  Errors.GROUP_AUTHORIZATION_FAILED,
];
const SERVER = Errors.UNKNOWN_SERVER_ERROR;

const CODES: Readonly<Record<string, readonly number[]>> = {
  ApiVersions: [Errors.UNSUPPORTED_VERSION, SERVER],
  Metadata: [
    Errors.UNKNOWN_TOPIC_OR_PARTITION,
    Errors.LEADER_NOT_AVAILABLE,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    SERVER,
  ],
  FindCoordinator: [
    Errors.COORDINATOR_NOT_AVAILABLE,
    Errors.COORDINATOR_LOAD_IN_PROGRESS,
    Errors.GROUP_AUTHORIZATION_FAILED,
    Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    SERVER,
  ],
  CreateTopics: [
    Errors.REQUEST_TIMED_OUT,
    Errors.TOPIC_ALREADY_EXISTS,
    Errors.NOT_CONTROLLER,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    Errors.POLICY_VIOLATION,
    Errors.INVALID_CONFIG,
    SERVER,
  ],
  DescribeConfigs: [Errors.TOPIC_AUTHORIZATION_FAILED, SERVER],
  ListOffsets: [
    ...LEADER,
    Errors.FENCED_LEADER_EPOCH,
    Errors.UNKNOWN_LEADER_EPOCH,
    Errors.OFFSET_NOT_AVAILABLE,
    Errors.KAFKA_STORAGE_ERROR,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    SERVER,
  ],
  Fetch: [
    ...LEADER,
    Errors.OFFSET_OUT_OF_RANGE,
    Errors.CORRUPT_MESSAGE,
    Errors.FENCED_LEADER_EPOCH,
    Errors.UNKNOWN_LEADER_EPOCH,
    Errors.OFFSET_NOT_AVAILABLE,
    Errors.KAFKA_STORAGE_ERROR,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    SERVER,
  ],
  DeleteRecords: [
    ...LEADER,
    Errors.OFFSET_OUT_OF_RANGE,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    Errors.POLICY_VIOLATION,
    SERVER,
  ],
  JoinGroup: [
    ...MEMBER,
    Errors.REBALANCE_IN_PROGRESS,
    Errors.MEMBER_ID_REQUIRED,
    Errors.INCONSISTENT_GROUP_PROTOCOL,
    Errors.INVALID_SESSION_TIMEOUT,
    Errors.GROUP_MAX_SIZE_REACHED,
    SERVER,
  ],
  SyncGroup: [...MEMBER, Errors.ILLEGAL_GENERATION, Errors.REBALANCE_IN_PROGRESS, SERVER],
  Heartbeat: [...MEMBER, Errors.ILLEGAL_GENERATION, Errors.REBALANCE_IN_PROGRESS, SERVER],
  LeaveGroup: [...MEMBER, SERVER],
  OffsetFetch: [
    ...COORDINATOR,
    Errors.UNSTABLE_OFFSET_COMMIT,
    Errors.GROUP_AUTHORIZATION_FAILED,
    SERVER,
  ],
  OffsetCommit: [
    ...MEMBER,
    Errors.ILLEGAL_GENERATION,
    Errors.REBALANCE_IN_PROGRESS,
    Errors.REQUEST_TIMED_OUT,
    Errors.OFFSET_METADATA_TOO_LARGE,
    SERVER,
  ],
  InitProducerId: [
    ...COORDINATOR,
    Errors.CONCURRENT_TRANSACTIONS,
    Errors.PRODUCER_FENCED,
    Errors.INVALID_PRODUCER_EPOCH,
    Errors.INVALID_TRANSACTION_TIMEOUT,
    Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    Errors.CLUSTER_AUTHORIZATION_FAILED,
    SERVER,
  ],
  AddPartitionsToTxn: [
    ...COORDINATOR,
    ...PRODUCER,
    Errors.CONCURRENT_TRANSACTIONS,
    Errors.UNKNOWN_TOPIC_OR_PARTITION,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    SERVER,
  ],
  AddOffsetsToTxn: [
    ...COORDINATOR,
    ...PRODUCER,
    Errors.CONCURRENT_TRANSACTIONS,
    Errors.GROUP_AUTHORIZATION_FAILED,
    Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    SERVER,
  ],
  Produce: [
    ...LEADER,
    ...PRODUCER,
    Errors.LEADER_NOT_AVAILABLE,
    Errors.NETWORK_EXCEPTION,
    Errors.NOT_ENOUGH_REPLICAS,
    Errors.KAFKA_STORAGE_ERROR,
    Errors.CORRUPT_MESSAGE,
    Errors.CONCURRENT_TRANSACTIONS,
    Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
    Errors.UNKNOWN_PRODUCER_ID,
    Errors.MESSAGE_TOO_LARGE,
    Errors.RECORD_LIST_TOO_LARGE,
    Errors.INVALID_RECORD,
    Errors.TOPIC_AUTHORIZATION_FAILED,
    SERVER,
  ],
  TxnOffsetCommit: [
    ...MEMBER,
    ...PRODUCER,
    Errors.ILLEGAL_GENERATION,
    Errors.REBALANCE_IN_PROGRESS,
    Errors.REQUEST_TIMED_OUT,
    Errors.UNKNOWN_TOPIC_OR_PARTITION,
    Errors.CONCURRENT_TRANSACTIONS,
    Errors.OFFSET_METADATA_TOO_LARGE,
    Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    SERVER,
  ],
  EndTxn: [
    ...COORDINATOR,
    ...PRODUCER,
    Errors.CONCURRENT_TRANSACTIONS,
    Errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    SERVER,
  ],
};

/** Said although the request was carried out: the broker did not hear of it in time. */
const AFTER_ALL: Readonly<Record<string, readonly number[]>> = {
  Produce: [
    Errors.REQUEST_TIMED_OUT,
    Errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    Errors.DUPLICATE_SEQUENCE_NUMBER,
  ],
  TxnOffsetCommit: [Errors.REQUEST_TIMED_OUT],
  CreateTopics: [Errors.REQUEST_TIMED_OUT],
};

/** Throws for an API that is not in the list: it must be looked up, not left out. */
export function codesOf(apiName: string): readonly number[] {
  const codes = CODES[apiName];
  if (codes === undefined) throw new Error(`which errors does ${apiName} give? Add it to the list`);
  return codes;
}

export function codesAfterAll(apiName: string): readonly number[] {
  return AFTER_ALL[apiName] ?? [];
}

export function codeNamed(name: string): number {
  const code = Object.values(Errors).find((each) => errorName(each) === name);
  if (code === undefined) throw new Error(`no error is called ${name}`);
  return code;
}
