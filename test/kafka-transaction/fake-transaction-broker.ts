/**
 * Transaction coordinator, group coordinator and partition leaders in one: accepts what a broker accepts,
 * checks producer epochs and sequences, and answers as the test has scripted where it has.
 */

import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { Transaction, TransactionOutcome } from '../../kafka/ports.ts';
import type { ReceivedRequestOf } from '../../kafka/protocol/define-api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { addOffsetsToTxnApi } from '../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../../kafka/protocol/messages/add-partitions-to-txn.ts';
import { endTxnApi } from '../../kafka/protocol/messages/end-txn.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import { txnOffsetCommitApi } from '../../kafka/protocol/messages/txn-offset-commit.ts';
import { readBatchHeader } from '../../kafka/records/record-batch.ts';
import type { TransactionApi, TransactionProtocol } from '../../kafka/transaction/error-table.ts';
import { createTransactionalProducer } from '../../kafka/transactional-producer.ts';
import { encodedBatch } from '../kit/batches.ts';
import { drive } from '../kit/drive.ts';
import { disconnected, ScriptedCluster, unreachableBroker } from '../kit/scripted-cluster.ts';

/**
 * An error code; 'lost': carried out, but the answer never arrives; 'dropped': the request never
 * arrives, which looks the same from outside; 'unreachable': not even sent.
 */
export type Answer = number | 'lost' | 'dropped' | 'unreachable';

export const TRANSACTION_TIMEOUT_MS = 5_000;

interface Appended {
  readonly key: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
  readonly bytes: Buffer;
}

export class FakeTransactionBroker {
  readonly cluster = new ScriptedCluster();
  readonly clock = new ManualClock(1_000_000);
  readonly deps = { clock: this.clock, random: seededRandom(1), log: silentLog };
  readonly protocol: TransactionProtocol;
  producerId = 7;
  epoch = 0;
  /** Batches that are in the log, in order of appending; `received` has every one that arrived. */
  readonly appended: Appended[] = [];
  readonly received: Appended[] = [];
  readonly offsetCommits: ReceivedRequestOf<typeof txnOffsetCommitApi>[] = [];
  readonly ended: ReceivedRequestOf<typeof endTxnApi>[] = [];
  readonly initialised: ReceivedRequestOf<typeof initProducerIdApi>[] = [];
  /** DUPLICATE_SEQUENCE_NUMBER for a repetition, as when the broker no longer knows its offset. */
  forgetsOffsets = false;
  /** The group coordinator's check of a TxnOffsetCommit. */
  checkGroup: (request: ReceivedRequestOf<typeof txnOffsetCommitApi>) => number | Promise<number> =
    () => Errors.NONE;
  /** Called when a request is here, before anything is done about it. */
  beforeAnswer: (api: TransactionApi) => void = () => {};
  readonly #script = new Map<string, Answer[]>();
  readonly #nextOffsets = new Map<string, number>();

  constructor(protocol: TransactionProtocol) {
    this.protocol = protocol;
    if (protocol === 'V2') this.cluster.finalizedFeatures.set('transaction.version', 2);
    for (const partition of [0, 1, 2]) this.cluster.lead('out', partition, 1);
    this.#answer();
  }

  /** The next answers to this API, one request each; after them it works. `partition`: only there. */
  script(api: TransactionApi, ...answers: Answer[]): void {
    this.#script.set(api, answers);
  }

  scriptPartition(api: TransactionApi, key: string, ...answers: Answer[]): void {
    this.#script.set(`${api} ${key}`, answers);
  }

  producer() {
    const options = { transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
    return createTransactionalProducer(this.cluster, 'app-0-a', options, this.deps);
  }

  async initialisedProducer() {
    const producer = this.producer();
    await drive(this.clock, producer.init());
    this.cluster.sent.length = 0;
    return producer;
  }

  /** One transaction of a fresh producer. */
  async commit(change: Partial<Transaction> = {}): Promise<TransactionOutcome> {
    const producer = await this.initialisedProducer();
    return drive(this.clock, producer.commit(transaction(change)));
  }

  #next(api: string): Answer {
    return this.#script.get(api)?.shift() ?? Errors.NONE;
  }

  /** Throws when there is no answer; calls `act` when the request is carried out. */
  #handle(api: TransactionApi, act: () => void): number {
    this.beforeAnswer(api);
    const answer = this.#next(api);
    switch (answer) {
      case 'unreachable':
        throw unreachableBroker();
      case 'dropped':
        throw disconnected();
      case 'lost':
        act();
        throw disconnected();
      case Errors.NONE:
        act();
        return Errors.NONE;
      default:
        return answer;
    }
  }

  #answer(): void {
    this.cluster.on(initProducerIdApi, (request) => {
      this.initialised.push(request);
      const errorCode = this.#handle('InitProducerId', () => {
        this.epoch++;
      });
      const { producerId, epoch } = this;
      return { throttleTimeMs: 0, errorCode, producerId, producerEpoch: epoch };
    });
    this.cluster.on(addPartitionsToTxnApi, (request) => {
      const code = this.#handle('AddPartitionsToTxn', () => {});
      return {
        throttleTimeMs: 0,
        resultsByTransaction: [],
        resultsByTopicV3AndBelow: request.v3AndBelowTopics.map(({ name, partitions }) => ({
          name,
          resultsByPartition: partitions.map((partitionIndex) => ({
            partitionIndex,
            partitionErrorCode:
              code || (this.#next(`AddPartitionsToTxn ${name}-${partitionIndex}`) as number),
          })),
        })),
      };
    });
    this.cluster.on(addOffsetsToTxnApi, () => ({
      throttleTimeMs: 0,
      errorCode: this.#handle('AddOffsetsToTxn', () => {}),
    }));
    this.cluster.on(produceApi, (request) => this.#produce(request));
    this.cluster.on(txnOffsetCommitApi, async (request) => {
      const errorCode =
        this.#handle('TxnOffsetCommit', () => {}) || (await this.checkGroup(request));
      if (errorCode === Errors.NONE) this.offsetCommits.push(request);
      return {
        throttleTimeMs: 0,
        topics: request.topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
        })),
      };
    });
    this.cluster.on(endTxnApi, (request) => {
      const isRepetition = this.ended.some((each) => each.producerEpoch === request.producerEpoch);
      const errorCode = this.#handle('EndTxn', () => {
        if (!isRepetition && this.protocol === 'V2') this.epoch++;
        this.ended.push(request);
      });
      const { producerId, epoch: producerEpoch } = this;
      return { throttleTimeMs: 0, errorCode, producerId, producerEpoch };
    });
  }

  #produce(request: ReceivedRequestOf<typeof produceApi>) {
    let results: ReturnType<FakeTransactionBroker['append']>[] = [];
    const code = this.#handle('Produce', () => {
      results = request.topicData.flatMap(({ name, partitionData }) =>
        partitionData.map(({ index, records }) => this.append(name, index, records!)),
      );
    });
    return {
      responses: request.topicData.map(({ name, partitionData }) => ({
        name,
        partitionResponses: partitionData.map(({ index }) => {
          const result = results.find((each) => each.key === `${name}-${index}`);
          const baseOffset = result?.baseOffset ?? -1;
          return { index, errorCode: code || (result?.code ?? 0), baseOffset, recordErrors: [] };
        }),
      })),
    };
  }

  /** What a partition leader does with a batch of a producer. */
  append(topic: string, partition: number, records: Buffer) {
    const key = `${topic}-${partition}`;
    const scripted = this.#next(`Produce ${key}`);
    const header = readBatchHeader(records, 0)!;
    const batch = {
      key,
      epoch: header.producerEpoch,
      sequence: header.baseSequence,
      count: header.recordCount,
      bytes: Buffer.from(records),
    };
    this.received.push(batch);
    if (scripted !== Errors.NONE) return { key, code: scripted as number, baseOffset: -1 };
    const mine = this.appended.filter((each) => each.key === key);
    const before = mine.findLast((each) => each.epoch === batch.epoch);
    if (before?.sequence === batch.sequence) {
      const baseOffset = (this.#nextOffsets.get(key) ?? 0) - before.count;
      return this.forgetsOffsets
        ? { key, code: Errors.DUPLICATE_SEQUENCE_NUMBER, baseOffset: -1 }
        : { key, code: Errors.NONE, baseOffset };
    }
    const expected = before === undefined ? 0 : before.sequence + before.count;
    if (batch.sequence !== expected) {
      return { key, code: Errors.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 };
    }
    this.appended.push(batch);
    const baseOffset = this.#nextOffsets.get(key) ?? 0;
    this.#nextOffsets.set(key, baseOffset + batch.count);
    return { key, code: Errors.NONE, baseOffset };
  }
}

export const GROUP = {
  groupId: 'app',
  generation: 5,
  memberId: 'member-1',
  groupInstanceId: null,
} as const;

export function transaction(change: Partial<Transaction> = {}): Transaction {
  return {
    batches: [encodedBatch('out', 0, ['a', 'b']), encodedBatch('out', 1, ['c'])],
    offsets: new Map([
      ['in-0', { topic: 'in', partition: 0, offset: 42, leaderEpoch: 3, metadata: 'm' }],
    ]),
    group: async () => GROUP,
    ...change,
  };
}
