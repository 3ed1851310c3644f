/** What the storage tests share: batches in short words, a topic manager on any disk, whole reads. */
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import { MemoryDisk } from '../../embedded-kafka/disk/memory-disk.ts';
import {
  openTopicManager,
  type TopicManagerOptions,
} from '../../embedded-kafka/partitions/topic-manager.ts';
import type { Partition, ReadResult, TopicManager } from '../../embedded-kafka/ports.ts';
import type { Compression } from '../../kafka/ports.ts';
import { BatchBuilder, sealBatch, stampProducer } from '../../kafka/records/batch-builder.ts';
import { forEachBatch, isControl, lastOffset } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';

export const START_MS = 1_700_000_000_000;

export interface TestRecord {
  readonly key?: string | null;
  readonly value?: string | null;
  readonly timestampMs?: number;
}

export interface TestProducer {
  readonly producerId: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
}

/** A sealed batch as a client sends it. A string stands for a record with that value and key. */
export function batchOf(
  records: readonly (string | TestRecord)[],
  producer?: TestProducer,
  compression: Compression = 'none',
): Buffer {
  const builder = new BatchBuilder({ sizeBytesMax: 64 * 1024 * 1024 });
  for (const record of records) {
    const full: TestRecord = typeof record === 'string' ? { key: record, value: record } : record;
    const key = full.key === undefined || full.key === null ? null : Buffer.from(full.key);
    const value = full.value === undefined || full.value === null ? null : Buffer.from(full.value);
    builder.append(full.timestampMs ?? START_MS, key, value);
  }
  const { bytes } = builder.finish('', 0, compression);
  if (producer === undefined) {
    sealBatch(bytes);
  } else {
    stampProducer(bytes, {
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch ?? 0,
      baseSequence: producer.baseSequence ?? 0,
      transactional: producer.transactional ?? false,
    });
  }
  return bytes;
}

export interface Storage {
  readonly disk: MemoryDisk;
  readonly clock: ManualClock;
  readonly topics: TopicManager;
  readonly failures: Error[];
}

export async function openStorage(
  disk: MemoryDisk = new MemoryDisk(),
  options: Partial<TopicManagerOptions> & {
    readonly clock?: ManualClock;
    readonly seed?: number;
  } = {},
): Promise<Storage> {
  const clock = options.clock ?? new ManualClock(START_MS);
  const failures: Error[] = [];
  const topics = await openTopicManager({
    random: seededRandom(options.seed ?? 1),
    log: silentLog,
    onFailure: (error) => failures.push(error),
    ...options,
    disk,
    clock,
  });
  return { disk, clock, topics, failures };
}

/** Opens storage with one topic 't' of one partition. */
export async function openPartition(
  configs: Readonly<Record<string, string>> = {},
  disk?: MemoryDisk,
  options: Parameters<typeof openStorage>[1] = {},
): Promise<Storage & { readonly partition: Partition }> {
  const storage = await openStorage(disk, options);
  if (storage.topics.topic('t') === undefined) {
    const configMap = new Map(Object.entries(configs));
    const created = storage.topics.createTopic({ name: 't', partitions: 1, configs: configMap });
    if (created.error !== 0) throw new Error(created.errorMessage);
  }
  return { ...storage, partition: storage.topics.partition('t', 0)! };
}

export function appendTo(partition: Partition, records: Buffer, acks = -1) {
  return partition.append({ records, acks, transactionalId: null });
}

export function readAt(
  partition: Partition,
  fetchOffset: number,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
  maxBytes = 1024 * 1024,
): ReadResult {
  return partition.read({
    fetchOffset,
    maxBytes,
    isolation,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    atLeastOneBatch: true,
  });
}

export interface SeenRecord {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
}

const cursor = createRecordCursor();

/** Data records in these batches; control batches are left out. */
export function recordsIn(bytes: Buffer): SeenRecord[] {
  const seen: SeenRecord[] = [];
  forEachBatch(bytes, (header) => {
    if (isControl(header) || header.recordCount === 0) return;
    cursor.open({ buffer: bytes, header });
    while (cursor.next()) {
      const text = (start: number, end: number) =>
        start < 0 ? null : cursor.buffer.toString('utf8', start, end);
      seen.push({
        offset: cursor.offset,
        key: text(cursor.keyStart, cursor.keyEnd),
        value: text(cursor.valueStart, cursor.valueEnd),
        timestampMs: cursor.timestampMs,
      });
    }
  });
  return seen;
}

/** Everything a read_uncommitted reader sees from `offset` on, fetch by fetch. */
export function readAll(partition: Partition, offset = partition.logStartOffset): SeenRecord[] {
  const seen: SeenRecord[] = [];
  for (let next = offset; ; ) {
    const { error, records } = readAt(partition, next, 'read_uncommitted', 4096);
    if (error !== 0) throw new Error(`read failed with ${error}`);
    if (records.length === 0) return seen;
    seen.push(...recordsIn(records).filter((record) => record.offset >= next));
    forEachBatch(records, (header) => {
      next = lastOffset(header) + 1;
    });
  }
}

export function values(seen: readonly SeenRecord[]): (string | null)[] {
  return seen.map((record) => record.value);
}
