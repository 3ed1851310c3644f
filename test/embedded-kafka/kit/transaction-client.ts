/** A transactional producer as requests, V1 or V2, one step at a time. */
import { addOffsetsToTxnApi } from '../../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../../../kafka/protocol/messages/add-partitions-to-txn.ts';
import { endTxnApi } from '../../../kafka/protocol/messages/end-txn.ts';
import { fetchApi } from '../../../kafka/protocol/messages/fetch.ts';
import { initProducerIdApi } from '../../../kafka/protocol/messages/init-producer-id.ts';
import { offsetFetchApi } from '../../../kafka/protocol/messages/offset-fetch.ts';
import { produceApi } from '../../../kafka/protocol/messages/produce.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import { BatchBuilder, stampProducer } from '../../../kafka/records/batch-builder.ts';
import { forEachBatch, isControl } from '../../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { BatchHeader } from '../../../kafka/records/types.ts';
import type { BrokerHarness } from './broker-harness.ts';

export interface Identity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export class TransactionClient {
  readonly #harness: BrokerHarness;
  readonly transactionalId: string;
  readonly #version: 1 | 2;
  readonly #sequences = new Map<string, number>();
  identity: Identity = { producerId: -1, producerEpoch: -1 };

  constructor(harness: BrokerHarness, transactionalId: string, version: 1 | 2 = 2) {
    this.#harness = harness;
    this.transactionalId = transactionalId;
    this.#version = version;
  }

  /** One InitProducerId; with `expected` as a producer that wants to go on. */
  async init(expected: Identity = { producerId: -1, producerEpoch: -1 }, timeoutMs = 60_000) {
    const answer = await this.#harness.send(initProducerIdApi, 5, {
      transactionalId: this.transactionalId,
      transactionTimeoutMs: timeoutMs,
      ...expected,
    });
    if (answer.errorCode === 0) this.#adopt(answer);
    return answer.errorCode;
  }

  /** V1: what V2 does on the way. */
  async addPartition(topic: string, partition = 0): Promise<number> {
    const answer = await this.#harness.send(addPartitionsToTxnApi, 3, {
      v3AndBelowTransactionalId: this.transactionalId,
      v3AndBelowProducerId: this.identity.producerId,
      v3AndBelowProducerEpoch: this.identity.producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
    });
    return answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1;
  }

  async addOffsets(groupId: string): Promise<number> {
    const request = { transactionalId: this.transactionalId, ...this.identity, groupId };
    return (await this.#harness.send(addOffsetsToTxnApi, 3, request)).errorCode;
  }

  async produce(topic: string, value: string, partition = 0): Promise<number> {
    const sequence = this.#sequences.get(`${topic}-${partition}`) ?? 0;
    const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
    builder.append(this.#harness.clock.nowMs(), Buffer.from(value), Buffer.from(value));
    const { bytes } = builder.finish(topic, partition, 'none');
    stampProducer(bytes, { ...this.identity, baseSequence: sequence, transactional: true });
    const answer = await this.#harness.send(produceApi, this.#version === 2 ? 12 : 11, {
      transactionalId: this.transactionalId,
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: topic, partitionData: [{ index: partition, records: bytes }] }],
    });
    const errorCode = answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1;
    if (errorCode === 0) this.#sequences.set(`${topic}-${partition}`, sequence + 1);
    return errorCode;
  }

  async commitOffset(
    groupId: string,
    topic: string,
    offset: number,
    member: { memberId?: string; generationId?: number; groupInstanceId?: string | null } = {},
  ): Promise<number> {
    const answer = await this.#harness.send(txnOffsetCommitApi, this.#version === 2 ? 5 : 3, {
      transactionalId: this.transactionalId,
      groupId,
      ...this.identity,
      ...member,
      topics: [
        {
          name: topic,
          partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'm' }],
        },
      ],
    });
    return answer.topics[0]?.partitions[0]?.errorCode ?? -1;
  }

  /** EndTxn; under V2 adopts the new identity, as a client must. */
  async end(committed: boolean, identity: Identity = this.identity): Promise<number> {
    const answer = await this.#harness.send(endTxnApi, this.#version === 2 ? 5 : 3, {
      transactionalId: this.transactionalId,
      ...identity,
      committed,
    });
    if (answer.errorCode === 0 && this.#version === 2) this.#adopt(answer);
    return answer.errorCode;
  }

  #adopt({ producerId, producerEpoch }: Identity): void {
    this.identity = { producerId, producerEpoch };
    this.#sequences.clear();
  }
}

/** The committed offset of partition 0: -1 = none; 'unstable' while a transaction may move it. */
export async function committedOffset(
  harness: BrokerHarness,
  groupId: string,
  topic: string,
  requireStable = true,
): Promise<number | 'unstable'> {
  const answer = await harness.send(offsetFetchApi, 7, {
    groupId,
    topics: [{ name: topic, partitionIndexes: [0] }],
    requireStable,
  });
  const partition = answer.topics[0]?.partitions[0];
  if (partition?.errorCode === 88) return 'unstable';
  if (partition?.errorCode !== 0) throw new Error(`OffsetFetch: ${partition?.errorCode}`);
  return partition.committedOffset;
}

/** What a read_committed consumer sees of a partition: values, aborted ones left out. */
export async function readCommitted(
  harness: BrokerHarness,
  topic: string,
  partition = 0,
): Promise<string[]> {
  const answer = await harness.send(fetchApi, 11, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 10_000_000,
    isolationLevel: 1,
    topics: [{ topic, partitions: [{ partition, fetchOffset: 0, partitionMaxBytes: 10_000_000 }] }],
    forgottenTopicsData: [],
  });
  const found = answer.responses[0]?.partitions[0];
  if (found?.errorCode !== 0) throw new Error(`Fetch: ${found?.errorCode}`);
  const records = found.records ?? Buffer.alloc(0);
  const aborted = (found.abortedTransactions ?? []).toSorted(
    (a, b) => b.firstOffset - a.firstOffset,
  );
  const open = new Set<number>();
  const values: string[] = [];
  const cursor = createRecordCursor();
  forEachBatch(records, (header: BatchHeader) => {
    while ((aborted.at(-1)?.firstOffset ?? Number.POSITIVE_INFINITY) <= header.baseOffset) {
      open.add(aborted.pop()?.producerId ?? -1);
    }
    if (isControl(header)) {
      open.delete(header.producerId);
      return;
    }
    if (open.has(header.producerId)) return;
    cursor.open({ buffer: records, header });
    while (cursor.next()) {
      values.push(cursor.buffer.toString('utf8', cursor.valueStart, cursor.valueEnd));
    }
  });
  return values;
}
