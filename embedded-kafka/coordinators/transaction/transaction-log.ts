/** How a transactional id stands in `__transaction_state`: Kafka's TransactionLogKey and -Value. */
import { partitionKey, type TopicPartition } from '../../../kafka/ports.ts';
import {
  array,
  int8,
  int16,
  int32,
  int64,
  string,
  struct,
} from '../../../kafka/protocol/schema.ts';
import { decodeVersioned, encodeVersioned, versionOf } from '../versioned-record.ts';
import {
  NO_PRODUCER_ID,
  type Phase,
  partitionsOf,
  STATE_NAMES,
  startedAtMs,
  stateName,
  type TransactionMetadata,
  type TransactionPartitions,
} from './transaction-metadata.ts';

const KEY_VERSION = 0;
const VALUE_VERSION = 1;

const keyFormat = {
  schema: struct({ transactionalId: string }),
  flexibleFrom: Number.POSITIVE_INFINITY,
};

const valueFormat = {
  schema: struct({
    producerId: int64,
    previousProducerId: int64.tag(0, '1+').default(-1),
    nextProducerId: int64.tag(1, '1+').default(-1),
    producerEpoch: int16,
    transactionTimeoutMs: int32,
    transactionStatus: int8,
    transactionPartitions: array(struct({ topic: string, partitionIds: array(int32) })).nullable(),
    transactionLastUpdateTimestampMs: int64,
    transactionStartTimestampMs: int64,
    clientTransactionVersion: int16.tag(2, '1+').default(0),
  }),
  flexibleFrom: 1,
};

export interface TransactionRecord {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

export function encodeTransaction(metadata: TransactionMetadata): TransactionRecord {
  const { phase } = metadata;
  return {
    key: encodeVersioned(keyFormat, KEY_VERSION, { transactionalId: metadata.transactionalId }),
    value: encodeVersioned(valueFormat, VALUE_VERSION, {
      producerId: metadata.producerId,
      previousProducerId: metadata.previousProducerId,
      nextProducerId: phase.kind === 'ending' ? phase.nextProducerId : NO_PRODUCER_ID,
      producerEpoch: metadata.producerEpoch,
      transactionTimeoutMs: metadata.timeoutMs,
      transactionStatus: STATE_NAMES.indexOf(stateName(phase)),
      transactionPartitions: phase.kind === 'idle' ? null : byTopic(partitionsOf(phase)),
      transactionLastUpdateTimestampMs: metadata.lastUpdateMs,
      transactionStartTimestampMs: startedAtMs(phase),
      clientTransactionVersion: metadata.clientVersion,
    }),
  };
}

export function encodeTombstone(transactionalId: string): TransactionRecord {
  return { key: encodeVersioned(keyFormat, KEY_VERSION, { transactionalId }), value: null };
}

/** undefined: a record of a kind that we do not know. `metadata` undefined: the id is gone. */
export function decodeTransaction(
  key: Buffer,
  value: Buffer | null,
):
  | { readonly transactionalId: string; readonly metadata: TransactionMetadata | undefined }
  | undefined {
  if (versionOf(key) !== KEY_VERSION) return undefined;
  const { transactionalId } = decodeVersioned(keyFormat, key);
  if (value === null) return { transactionalId, metadata: undefined };
  const read = decodeVersioned(valueFormat, value);
  const partitions = new Map<string, TopicPartition>();
  for (const { topic, partitionIds } of read.transactionPartitions ?? []) {
    for (const partition of partitionIds) {
      partitions.set(partitionKey(topic, partition), { topic, partition });
    }
  }
  const metadata: TransactionMetadata = {
    transactionalId,
    producerId: read.producerId,
    producerEpoch: read.producerEpoch,
    // Not in the log: a client that repeats an InitProducerId across our restart starts afresh.
    lastProducerEpoch: -1,
    previousProducerId: read.previousProducerId,
    timeoutMs: read.transactionTimeoutMs,
    phase: phaseOf(read.transactionStatus, partitions, read),
    lastUpdateMs: read.transactionLastUpdateTimestampMs,
    clientVersion: read.clientTransactionVersion === 2 ? 2 : 0,
  };
  return { transactionalId, metadata };
}

function phaseOf(
  status: number,
  partitions: TransactionPartitions,
  read: { readonly transactionStartTimestampMs: number; readonly nextProducerId: number },
): Phase {
  const startedAtMs = read.transactionStartTimestampMs;
  switch (STATE_NAMES[status]) {
    case 'Ongoing':
      return { kind: 'ongoing', partitions, startedAtMs };
    case 'PrepareCommit':
    case 'PrepareAbort': {
      const committed = STATE_NAMES[status] === 'PrepareCommit';
      const { nextProducerId } = read;
      return { kind: 'ending', committed, partitions, startedAtMs, nextProducerId };
    }
    case 'CompleteCommit':
      return { kind: 'idle', last: 'committed' };
    case 'CompleteAbort':
      return { kind: 'idle', last: 'aborted' };
    default:
      return { kind: 'idle', last: 'none' };
  }
}

function byTopic(partitions: TransactionPartitions): { topic: string; partitionIds: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions.values()) {
    const ids = topics.get(topic);
    if (ids === undefined) topics.set(topic, [partition]);
    else ids.push(partition);
  }
  return Array.from(topics, ([topic, partitionIds]) => ({ topic, partitionIds }));
}
