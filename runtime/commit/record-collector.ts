/**
 * Everything a stream thread writes in one transaction, encoded as it comes: one slab per
 * partition, cut into batches below the broker's limit. seal() hands the batches over and starts
 * the next transaction; discard() forgets them.
 */
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import { partitionForKey } from '../../kafka/murmur2.ts';
import type { Compression, TopicDescription } from '../../kafka/ports.ts';
import { BatchBuilder } from '../../kafka/records/batch-builder.ts';
import type { EncodedBatch, RecordHeader } from '../../kafka/records/types.ts';
import type { Serde } from '../../schemas/serde.ts';
import type { FrozenWrite } from '../../stores/state-store.ts';
import type { StreamRecord } from '../../topology/processor.ts';
import type { SinkNode } from '../../topology/sub-topology.ts';

export interface RecordCollectorOptions {
  readonly batchBytesMax: number;
  readonly compression: Compression;
  /** Real name of a topic that the topology names. */
  readonly realName: (name: string) => string;
  readonly topics: ReadonlyMap<string, TopicDescription>;
  /** Partition count of a topic that was not known at the start; undefined = does not exist. */
  readonly partitionCount: (topic: string) => Promise<number | undefined>;
}

/** A record for a topic whose partition count has to be asked for: placed by placeWaiting() or seal(). */
interface Unplaced {
  readonly sink: SinkNode;
  readonly topic: string;
  readonly record: StreamRecord<unknown, unknown>;
  readonly taskPartition: number;
}

interface Slab {
  readonly topic: string;
  readonly partition: number;
  readonly builder: BatchBuilder;
  /** Listed among the used ones of the open transaction. */
  isUsed: boolean;
}

/** Bytes of a record besides key, value and headers, rounded up. */
const RECORD_OVERHEAD_BYTES = 128;
const NO_HEADERS: readonly RecordHeader[] = [];

export class RecordCollector {
  readonly #options: RecordCollectorOptions;
  readonly #counts = new Map<string, number>();
  /** Topic -> partition -> slab; builders are reused from transaction to transaction. */
  readonly #slabs = new Map<string, Slab[]>();
  /** max.message.bytes of topics, where it is known. */
  readonly #limits = new Map<string, number>();
  /** Slabs with records, in order of their first record. */
  #used: Slab[] = [];
  #batches: EncodedBatch[] = [];
  #unplaced: Unplaced[] = [];
  #finishedBytes = 0;
  #recordCount = 0;
  #key: Buffer = Buffer.allocUnsafe(1024);
  #value: Buffer = Buffer.allocUnsafe(4096);

  constructor(options: RecordCollectorOptions) {
    this.#options = options;
    for (const [name, { partitions }] of options.topics) this.#counts.set(name, partitions);
  }

  /** Records of the open transaction. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Encoded bytes of the open transaction. */
  get sizeBytes(): number {
    let sizeBytes = this.#finishedBytes;
    for (const { builder } of this.#used) sizeBytes += builder.sizeBytes;
    return sizeBytes;
  }

  /** A record reached a sink. Throws SERIALIZATION when it cannot be written, whoever said so. */
  collect(sink: SinkNode, record: StreamRecord<unknown, unknown>, taskPartition: number): void {
    try {
      const name = typeof sink.topic === 'string' ? sink.topic : sink.topic(record);
      const topic = this.#options.realName(name);
      const count = this.#counts.get(topic);
      if (count === undefined) this.#unplaced.push({ sink, topic, record, taskPartition });
      else this.#place(sink, topic, count, record, taskPartition);
    } catch (error) {
      throw serializationError(sink, error);
    }
    this.#recordCount++;
  }

  /** Records wait for a partition count: placeWaiting() asks for it while their source is still known. */
  get isWaiting(): boolean {
    return this.#unplaced.length > 0;
  }

  /**
   * Places what waits. Rejects SERIALIZATION as collect() throws it, also for a topic that does not exist.
   * Where Kafka cannot be asked just now, records go on waiting until seal().
   */
  async placeWaiting(): Promise<void> {
    const waiting = this.#unplaced;
    this.#unplaced = [];
    try {
      await this.#placeAll(waiting);
    } catch (error) {
      if (!isMillraceError(error, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE')) throw error;
      this.#unplaced.unshift(...waiting);
    }
  }

  /** Bytes that are ready: dead letters. The partition is taken modulo the topic's count. */
  collectRaw(target: {
    readonly topic: string;
    readonly partition: number;
    readonly timestampMs: number;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers: readonly RecordHeader[];
  }): void {
    const { topic, timestampMs, key, value, headers } = target;
    const count = this.#counts.get(topic);
    if (count === undefined) throw new MillraceError('INTERNAL', `${topic} was not prepared`);
    const slab = this.#slab(topic, target.partition % count);
    if (!slab.builder.append(timestampMs, key, value, headers)) {
      this.#finish(slab);
      slab.builder.append(timestampMs, key, value, headers);
    }
    this.#recordCount++;
  }

  /**
   * One committed-to-be write of a store, for its changelog. Throws PROCESSING_FAILED when the topic is
   * known not to take it: a store must not hold what its changelog does not.
   */
  collectWrite(topic: string, partition: number, write: FrozenWrite): void {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd, timestampMs } = write;
    const keyBytes = keyEnd - keyStart;
    const sizeBytes = RECORD_OVERHEAD_BYTES + keyBytes + Math.max(0, valueEnd - valueStart);
    const limitBytes = this.#limits.get(topic);
    if (limitBytes !== undefined && sizeBytes > limitBytes) {
      throw new MillraceError(
        'PROCESSING_FAILED',
        `an entry of store ${write.storeName} with a key of ${keyBytes} bytes is too large for ${topic}`,
        {
          hint: `Raise max.message.bytes of ${topic} (${limitBytes}), or keep smaller values in the store.`,
          facts: { store: write.storeName, topic, keyBytes, sizeBytes, limitBytes },
        },
      );
    }
    this.#append(
      this.#slab(topic, partition),
      timestampMs,
      buffer,
      keyStart,
      keyEnd,
      buffer,
      valueStart,
      valueEnd,
      NO_HEADERS,
    );
    this.#recordCount++;
  }

  /** Ends the transaction's output: its batches, in order per partition. */
  async seal(): Promise<readonly EncodedBatch[]> {
    if (this.isWaiting) await this.#placeAll(this.#unplaced);
    for (const slab of this.#used) this.#finish(slab);
    const batches = this.#batches;
    this.#reset();
    return batches;
  }

  /** Topics that have been written to since the start. */
  writtenTopics(): readonly string[] {
    return [...this.#slabs.keys()];
  }

  /** Makes batches no larger than the topic's max.message.bytes. False when that is known already. */
  limitBatches(topic: string, bytesMax: number): boolean {
    if (this.#limits.get(topic) === bytesMax) return false;
    this.#limits.set(topic, bytesMax);
    // Those with records of the open transaction are discarded with it.
    this.#slabs.set(topic, []);
    return true;
  }

  /** Forgets everything of the open transaction. */
  discard(): void {
    for (const { builder } of this.#used) builder.reset();
    this.#reset();
  }

  #reset(): void {
    for (const slab of this.#used) slab.isUsed = false;
    this.#batches = [];
    this.#used = [];
    this.#unplaced = [];
    this.#finishedBytes = 0;
    this.#recordCount = 0;
  }

  async #placeAll(waiting: readonly Unplaced[]): Promise<void> {
    for (const { topic } of waiting) {
      const count = this.#counts.get(topic) ?? (await this.#options.partitionCount(topic));
      if (count !== undefined) this.#counts.set(topic, count);
    }
    for (const { sink, topic, record, taskPartition } of waiting) {
      const count = this.#counts.get(topic);
      if (count === undefined) {
        throw new MillraceError(
          'SERIALIZATION',
          `sink ${sink.name} chose topic ${topic}, which does not exist`,
        );
      }
      try {
        this.#place(sink, topic, count, record, taskPartition);
      } catch (error) {
        throw serializationError(sink, error);
      }
    }
  }

  #place(
    sink: SinkNode,
    topic: string,
    partitionCount: number,
    record: StreamRecord<unknown, unknown>,
    taskPartition: number,
  ): void {
    const { key, value, timestampMs, headers } = record;
    const keyEnd = key === null || key === undefined ? -1 : this.#encodeKey(sink.keySerde, key);
    const valueEnd =
      value === null || value === undefined ? -1 : this.#encodeValue(sink.valueSerde, value);
    this.#checkSize(sink, topic, keyEnd, valueEnd, headers);
    const partition =
      sink.partitioner?.({ topic, key, value, partitionCount, taskPartition }) ??
      (keyEnd < 0
        ? taskPartition % partitionCount
        : partitionForKey(this.#key, 0, keyEnd, partitionCount));
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitionCount) {
      throw new MillraceError(
        'SERIALIZATION',
        `sink ${sink.name}: ${topic} has no partition ${partition}`,
      );
    }
    const slab = this.#slab(topic, partition);
    this.#append(
      slab,
      timestampMs,
      this.#key,
      keyEnd < 0 ? -1 : 0,
      keyEnd,
      this.#value,
      valueEnd < 0 ? -1 : 0,
      valueEnd,
      headers,
    );
  }

  #checkSize(
    sink: SinkNode,
    topic: string,
    keyEnd: number,
    valueEnd: number,
    headers: readonly RecordHeader[],
  ): void {
    let sizeBytes = RECORD_OVERHEAD_BYTES + Math.max(0, keyEnd) + Math.max(0, valueEnd);
    for (const { key, value } of headers) sizeBytes += 2 * key.length + (value?.length ?? 0) + 10;
    const limitBytes = this.#batchBytesMax(topic);
    if (sizeBytes <= limitBytes) return;
    throw new MillraceError(
      'SERIALIZATION',
      `sink ${sink.name}: a record for ${topic} is too large`,
      {
        hint: "Raise batchBytesMax and the topic's max.message.bytes, or write less.",
        facts: { sizeBytes, limitBytes },
      },
    );
  }

  #batchBytesMax(topic: string): number {
    return Math.min(this.#options.batchBytesMax, this.#limits.get(topic) ?? Infinity);
  }

  #encodeKey(serde: Serde<unknown>, key: unknown): number {
    let end = serde.encode(key, this.#key, 0);
    while (end < 0) {
      this.#key = Buffer.allocUnsafe(Math.max(this.#key.length * 2, this.#key.length - end));
      end = serde.encode(key, this.#key, 0);
    }
    return end;
  }

  #encodeValue(serde: Serde<unknown>, value: unknown): number {
    let end = serde.encode(value, this.#value, 0);
    while (end < 0) {
      this.#value = Buffer.allocUnsafe(Math.max(this.#value.length * 2, this.#value.length - end));
      end = serde.encode(value, this.#value, 0);
    }
    return end;
  }

  #append(
    slab: Slab,
    timestampMs: number,
    keyBuffer: Buffer,
    keyStart: number,
    keyEnd: number,
    valueBuffer: Buffer,
    valueStart: number,
    valueEnd: number,
    headers: readonly RecordHeader[],
  ): void {
    const { builder } = slab;
    if (
      builder.appendRange(
        timestampMs,
        keyBuffer,
        keyStart,
        keyEnd,
        valueBuffer,
        valueStart,
        valueEnd,
        headers,
      )
    )
      return;
    this.#finish(slab);
    builder.appendRange(
      timestampMs,
      keyBuffer,
      keyStart,
      keyEnd,
      valueBuffer,
      valueStart,
      valueEnd,
      headers,
    );
  }

  #finish({ topic, partition, builder }: Slab): void {
    if (builder.count === 0) return;
    const batch = builder.finish(topic, partition, this.#options.compression);
    builder.reset();
    this.#batches.push(batch);
    this.#finishedBytes += batch.bytes.length;
  }

  #slab(topic: string, partition: number): Slab {
    let slabs = this.#slabs.get(topic);
    if (slabs === undefined) {
      slabs = [];
      this.#slabs.set(topic, slabs);
    }
    let slab = slabs[partition];
    if (slab === undefined) {
      const builder = new BatchBuilder({ sizeBytesMax: this.#batchBytesMax(topic) });
      slab = { topic, partition, builder, isUsed: false };
      slabs[partition] = slab;
    }
    if (!slab.isUsed) {
      slab.isUsed = true;
      this.#used.push(slab);
    }
    return slab;
  }
}

/** What a serde, a topic chooser or a partitioner of the user threw, as a failure of production. */
function serializationError(sink: SinkNode, cause: unknown): MillraceError {
  if (isMillraceError(cause, 'SERIALIZATION')) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MillraceError('SERIALIZATION', `sink ${sink.name}: ${reason}`, { cause });
}
