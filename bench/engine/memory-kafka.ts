/**
 * Kafka as the engine's ports see it, in memory and in the same thread: a bench of the stream thread
 * alone. Data goes the real way (batches are stamped, checksums made and checked); no request, no
 * socket, no other broker work. One member owns everything; nothing ever fails.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { visibleBatches } from '../../kafka/fetch/visible-batches.ts';
import {
  type Admin,
  type FetchedPartition,
  type Fetcher,
  type GroupMember,
  type GroupProtocol,
  type KafkaClient,
  type OffsetToCommit,
  type ProducedRange,
  partitionKey,
  type TopicDescription,
  type TopicPartition,
  type Transaction,
  type TransactionalProducer,
} from '../../kafka/ports.ts';
import { stampOffsets, stampProducer } from '../../kafka/records/batch-builder.ts';
import type { EncodedBatch } from '../../kafka/records/types.ts';

/** What produce, offsets and EndTxn take together. */
const TRANSACTION_MS = 5;

interface Log {
  readonly batches: Buffer[];
  readonly baseOffsets: number[];
  endOffset: number;
}

export interface MemoryKafka extends KafkaClient {
  /** Appends a batch as a plain producer would. */
  append(batch: EncodedBatch): ProducedRange;
  /** The batches of a partition, as stored. */
  stored(topic: string, partition: number): readonly Buffer[];
  readonly committed: ReadonlyMap<string, TopicPartition & OffsetToCommit>;
}

export interface MemoryKafkaOptions {
  readonly topics: ReadonlyMap<string, number>;
  /** After each transaction, with everything committed so far. */
  readonly onCommitted: (committed: MemoryKafka['committed']) => void;
}

export function memoryKafka(options: MemoryKafkaOptions): MemoryKafka {
  const topics = new Map(options.topics);
  const logs = new Map<string, Log>();
  const fetchers = new Set<MemoryFetcher>();
  const committed = new Map<string, TopicPartition & OffsetToCommit>();
  const logOf = (topic: string, partition: number): Log => {
    const key = partitionKey(topic, partition);
    let log = logs.get(key);
    if (log === undefined) {
      log = { batches: [], baseOffsets: [], endOffset: 0 };
      logs.set(key, log);
    }
    return log;
  };
  const append = ({ topic, partition, bytes, recordCount }: EncodedBatch): ProducedRange => {
    const log = logOf(topic, partition);
    const baseOffset = log.endOffset;
    stampProducer(bytes, { producerId: 1, producerEpoch: 0, baseSequence: 0, transactional: true });
    stampOffsets(bytes, { baseOffset, leaderEpoch: 0 });
    log.batches.push(bytes);
    log.baseOffsets.push(baseOffset);
    log.endOffset += recordCount;
    for (const fetcher of fetchers) fetcher.wakeup();
    return { baseOffset, nextOffset: log.endOffset, leaderEpoch: 0 };
  };
  const producer = (transactionalId: string): TransactionalProducer => ({
    transactionalId,
    init: async () => {},
    commit: async (transaction: Transaction) => {
      await sleep(TRANSACTION_MS);
      await transaction.group();
      const produced = new Map<string, ProducedRange>();
      for (const batch of transaction.batches) {
        const key = partitionKey(batch.topic, batch.partition);
        const { baseOffset } = produced.get(key) ?? {
          baseOffset: logOf(batch.topic, batch.partition).endOffset,
        };
        produced.set(key, { ...append(batch), baseOffset });
      }
      for (const [key, offset] of transaction.offsets) committed.set(key, offset);
      options.onCommitted(committed);
      return { kind: 'committed', produced };
    },
    close: () => {},
  });
  return {
    append,
    committed,
    stored: (topic, partition) => logOf(topic, partition).batches,
    admin: memoryAdmin(topics, logOf, committed),
    fetcher: () => {
      const fetcher = new MemoryFetcher(logOf);
      fetchers.add(fetcher);
      return fetcher;
    },
    groupMember: ({ groupId }, protocol) => onlyMember(groupId, protocol, topics),
    transactionalProducer: producer,
    producer: () => {
      throw new Error('this bench commits in transactions only');
    },
    waitUntilReachable: async () => {},
    partitionCount: async (topic) => topics.get(topic),
    close: async () => {},
  };
}

function memoryAdmin(
  topics: Map<string, number>,
  logOf: (topic: string, partition: number) => Log,
  committed: MemoryKafka['committed'],
): Admin {
  const describe = (name: string): [string, TopicDescription][] => {
    const partitions = topics.get(name);
    return partitions === undefined ? [] : [[name, { name, topicId: `id-${name}`, partitions }]];
  };
  return {
    createTopics: async (specs) => {
      for (const { name, partitions } of specs) topics.set(name, partitions);
      return { created: specs.map(({ name }) => name), existing: [] };
    },
    deleteTopics: async () => {},
    describeTopics: async (names) => new Map(names.flatMap(describe)),
    listTopics: async () => [...topics.keys()],
    topicConfigs: async () => new Map(),
    listOffsets: async (partitions, spec) =>
      new Map(
        partitions.map(({ topic, partition }) => {
          const offset = spec === 'latest' ? logOf(topic, partition).endOffset : 0;
          return [partitionKey(topic, partition), { offset, leaderEpoch: 0, timestampMs: 0 }];
        }),
      ),
    committedOffsets: async (_groupId, partitions) =>
      new Map(
        partitions.map(({ topic, partition }) => {
          const key = partitionKey(topic, partition);
          return [key, committed.get(key) ?? { offset: -1, leaderEpoch: -1, metadata: '' }];
        }),
      ),
    commitOffsets: async () => {},
    deleteRecords: async () => {},
    clusterId: async () => 'memory',
  };
}

function onlyMember(
  groupId: string,
  protocol: GroupProtocol,
  topics: ReadonlyMap<string, number>,
): GroupMember {
  const memberId = 'only';
  const metadata = { groupId, generation: 1, memberId, groupInstanceId: null };
  return {
    start: async () => {
      const self = {
        memberId,
        groupInstanceId: null,
        topics: protocol.topics(),
        ownedPartitions: [],
        userData: protocol.userData(),
      };
      const assignment = (await protocol.assign([self])).get(memberId)!;
      const exists = ({ topic, partition }: TopicPartition) => partition < (topics.get(topic) ?? 0);
      await protocol.onAssigned(assignment.partitions.filter(exists), assignment);
    },
    metadata: () => metadata,
    isRebalancing: false,
    settled: async () => {},
    rejoin: () => {},
    stop: async () => {},
  };
}

interface Position {
  readonly topic: string;
  readonly partition: number;
  offset: number;
  /** Whoever waits for a partition has been told whether there is anything. */
  isLookedAt: boolean;
}

/** One batch per partition and poll, so that a partition is paused when it has enough. */
class MemoryFetcher implements Fetcher {
  readonly #logOf: (topic: string, partition: number) => Log;
  readonly #positions = new Map<string, Position>();
  readonly #paused = new Set<string>();
  #isWoken = false;
  #wake: (() => void) | undefined;

  constructor(logOf: (topic: string, partition: number) => Log) {
    this.#logOf = logOf;
  }

  seek(topic: string, partition: number, offset: number): void {
    const position = { topic, partition, offset, isLookedAt: false };
    this.#positions.set(partitionKey(topic, partition), position);
  }

  remove(topic: string, partition: number): void {
    this.#positions.delete(partitionKey(topic, partition));
  }

  pause(topic: string, partition: number): void {
    this.#paused.add(partitionKey(topic, partition));
  }

  resume(topic: string, partition: number): void {
    this.#paused.delete(partitionKey(topic, partition));
  }

  async poll(maxWaitMs: number): Promise<readonly FetchedPartition[]> {
    const ready = this.#take();
    if (ready.length > 0 || maxWaitMs <= 0 || this.#isWoken) {
      this.#isWoken = false;
      return ready;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, maxWaitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#isWoken = false;
    return this.#take();
  }

  wakeup(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  async close(): Promise<void> {
    this.#positions.clear();
    this.#wake?.();
  }

  #take(): FetchedPartition[] {
    const taken: FetchedPartition[] = [];
    for (const [key, position] of this.#positions) {
      const { topic, partition, offset } = position;
      const { batches, baseOffsets, endOffset } = this.#logOf(topic, partition);
      if (this.#paused.has(key)) continue;
      const isEmpty = offset >= endOffset;
      if (isEmpty && position.isLookedAt) continue;
      position.isLookedAt = true;
      const index = baseOffsets.findLastIndex((base) => base <= offset);
      const fetched = isEmpty
        ? { batches: [], nextOffset: offset }
        : visibleBatches({
            records: batches[index]!,
            fetchOffset: offset,
            fetchEpoch: 0,
            aborted: [],
          });
      position.offset = fetched.nextOffset;
      taken.push({
        topic,
        partition,
        batches: fetched.batches,
        nextOffset: fetched.nextOffset,
        lastLeaderEpoch: 0,
        highWatermark: endOffset,
        lastStableOffset: endOffset,
        logStartOffset: 0,
      });
    }
    return taken;
  }
}
