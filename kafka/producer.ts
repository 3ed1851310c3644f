/**
 * The Producer port: idempotent, without transactions, acks=all. A batch is sent with the same bytes
 * and sequence, to whoever leads, until it is acknowledged, refused, or its delivery timeout is over.
 * Here: buffering and its bound, deadlines, promises. Sending is producer/sender.ts's.
 */
import { MillraceError } from '../base/errors.ts';
import type { ClientDeps } from './client-deps.ts';
import {
  type Compression,
  type ProducedRange,
  type Producer,
  partitionKey,
  type RecordToSend,
  type SentRecord,
} from './ports.ts';
import { Alarm } from './producer/alarm.ts';
import { type BatchWorkshop, createBatchWorkshop } from './producer/batch-workshop.ts';
import { PartitionQueue } from './producer/partition-queue.ts';
import { PendingBatch } from './producer/pending-batch.ts';
import { Sender } from './producer/sender.ts';
import type { EncodedBatch } from './records/types.ts';
import type { Cluster } from './wire.ts';

export interface ProducerOptions {
  readonly deliveryTimeoutMs: number;
  readonly lingerMs: number;
  readonly compression: Compression;
  /** Size of one batch before compression; default 1,000,000, below a broker's default limit. */
  readonly batchBytesMax?: number;
  /** Bytes of records that are not settled yet; send() rejects above it. Default 32 MiB. */
  readonly bufferBytesMax?: number;
  /** Name of the connection set; shared with nobody. Default 'producer'. */
  readonly channel?: string;
}

const REQUEST_TIMEOUT_MS = 30_000;
const BATCH_BYTES_MAX = 1_000_000;
const BUFFER_BYTES_MAX = 32 * 1024 * 1024;
/** What a record takes beyond its key, value and headers: a generous estimate for the buffer's bound. */
const RECORD_OVERHEAD_BYTES = 64;

export function createProducer(
  cluster: Cluster,
  options: ProducerOptions,
  deps: ClientDeps,
): Producer {
  return new IdempotentProducer(cluster, options, deps);
}

class IdempotentProducer implements Producer {
  readonly #cluster: Cluster;
  readonly #options: ProducerOptions;
  readonly #deps: ClientDeps;
  readonly #bufferBytesMax: number;
  readonly #channel: string;
  readonly #workshop: BatchWorkshop;
  readonly #sender: Sender;
  readonly #expiry: Alarm;
  /** By partitionKey; one for every partition written to, kept for its sequence. */
  readonly #queues = new Map<string, PartitionQueue>();
  /** In the order of their deadlines. */
  readonly #unsettled = new Map<PendingBatch, PartitionQueue>();
  #bufferedBytes = 0;
  #flushes = 0;
  #isClosed = false;

  constructor(cluster: Cluster, options: ProducerOptions, deps: ClientDeps) {
    this.#cluster = cluster;
    this.#options = options;
    this.#deps = deps;
    this.#bufferBytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX;
    this.#channel = options.channel ?? 'producer';
    const batchBytesMax = options.batchBytesMax ?? BATCH_BYTES_MAX;
    this.#workshop = createBatchWorkshop(options.compression, batchBytesMax);
    const requestTimeoutMs = Math.min(REQUEST_TIMEOUT_MS, options.deliveryTimeoutMs);
    const how = { channel: this.#channel, requestTimeoutMs };
    this.#sender = new Sender(cluster, how, deps, (error) => this.#giveUpAll(error));
    this.#expiry = new Alarm(deps.clock, () => this.#expire());
  }

  send(topic: string, partition: number, record: RecordToSend): Promise<SentRecord> {
    const sizeBytes = sizeOf(record);
    const refusal = this.#refusal(sizeBytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    const { clock } = this.#deps;
    const queue = this.#queueOf(topic, partition);
    const timestampMs = record.timestampMs ?? clock.nowMs();
    const lingerUntilMs = clock.monotonicMs() + this.#options.lingerMs;
    const batch = queue.append(record, timestampMs, lingerUntilMs, () => this.#begin(queue));
    const index = batch.recordCount - 1;
    batch.bufferedBytes += sizeBytes;
    this.#bufferedBytes += sizeBytes;
    this.#sender.wake(queue);
    return new Promise((resolve, reject) => {
      batch.onSettled((outcome) => {
        if (outcome.kind === 'failed') return reject(outcome.error);
        const { baseOffset } = outcome;
        resolve({ partition, offset: baseOffset < 0 ? -1 : baseOffset + index });
      });
    });
  }

  async sendBatches(batches: readonly EncodedBatch[]): Promise<ReadonlyMap<string, ProducedRange>> {
    if (this.#isClosed) throw closed();
    const sent = await Promise.all(batches.map((encoded) => this.#sendBatch(encoded)));
    const failure =
      sent.find(({ error }) => error?.code === 'KAFKA_AMBIGUOUS') ??
      sent.find(({ error }) => error);
    if (failure?.error !== undefined) throw failure.error;
    return this.#rangesOf(sent);
  }

  async flush(): Promise<void> {
    const settled = [...this.#unsettled.keys()].map(
      (batch) => new Promise<void>((resolve) => batch.onSettled(() => resolve())),
    );
    this.#flushes++;
    this.#sender.isHurried = true;
    this.#sender.pumpSoon();
    await Promise.all(settled);
    this.#flushes--;
    this.#sender.isHurried = this.#flushes > 0;
  }

  /** What was sent before still is delivered, or fails by its deadline. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    this.#sender.stop();
    this.#expiry.clear();
    this.#cluster.closeChannel(this.#channel);
  }

  #refusal(sizeBytes: number): MillraceError | undefined {
    if (this.#isClosed) return closed();
    // A record that is larger than the whole buffer may still go alone.
    if (this.#bufferedBytes === 0 || this.#bufferedBytes + sizeBytes <= this.#bufferBytesMax) {
      return undefined;
    }
    const message = `the producer's buffer is full: ${this.#bufferedBytes} bytes are not acknowledged yet`;
    return new MillraceError('KAFKA_RETRIABLE', message, {
      hint: 'Kafka is slower than what is sent: slow down and send again. This record was not taken.',
      facts: { bufferedBytes: this.#bufferedBytes, bufferBytesMax: this.#bufferBytesMax },
    });
  }

  #queueOf(topic: string, partition: number): PartitionQueue {
    const key = partitionKey(topic, partition);
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    const queue = new PartitionQueue(topic, partition, this.#workshop);
    this.#queues.set(key, queue);
    return queue;
  }

  #begin(queue: PartitionQueue, encoded?: EncodedBatch): PendingBatch {
    const deadlineMs = this.#deps.clock.monotonicMs() + this.#options.deliveryTimeoutMs;
    const batch = new PendingBatch(deadlineMs, encoded);
    this.#unsettled.set(batch, queue);
    this.#expiry.setAt(deadlineMs);
    batch.onSettled(() => {
      this.#unsettled.delete(batch);
      this.#bufferedBytes -= batch.bufferedBytes;
    });
    return batch;
  }

  #sendBatch(encoded: EncodedBatch): Promise<SentBatch> {
    const queue = this.#queueOf(encoded.topic, encoded.partition);
    const batch = this.#begin(queue, encoded);
    queue.enqueue(batch);
    this.#sender.wake(queue);
    return new Promise((resolve) => {
      batch.onSettled((outcome) => {
        if (outcome.kind === 'failed') resolve({ encoded, baseOffset: -1, error: outcome.error });
        else resolve({ encoded, baseOffset: outcome.baseOffset });
      });
    });
  }

  /** First and last known offset per partition; a partition with a duplicate's ack is left out. */
  #rangesOf(sent: readonly SentBatch[]): Map<string, ProducedRange> {
    const ranges = new Map<string, ProducedRange>();
    const unknown = new Set<string>();
    for (const { encoded, baseOffset } of sent) {
      const { topic, partition, recordCount } = encoded;
      const key = partitionKey(topic, partition);
      if (baseOffset < 0) unknown.add(key);
      ranges.set(key, {
        baseOffset: ranges.get(key)?.baseOffset ?? baseOffset,
        nextOffset: baseOffset + recordCount,
        leaderEpoch: this.#cluster.leaderOf(topic, partition)?.leaderEpoch ?? -1,
      });
    }
    for (const key of unknown) ranges.delete(key);
    return ranges;
  }

  #expire(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const [batch, queue] of this.#unsettled) {
      if (batch.deadlineMs > nowMs) {
        this.#expiry.setAt(batch.deadlineMs);
        return;
      }
      this.#sender.giveUp(queue, batch, this.#timedOut(queue, batch));
    }
  }

  #timedOut({ topic, partition }: PartitionQueue, { lastError }: PendingBatch): MillraceError {
    const reason = lastError === undefined ? '' : `: ${lastError.message}`;
    const limit = `${this.#options.deliveryTimeoutMs} ms`;
    const message = `${partitionKey(topic, partition)} did not acknowledge within ${limit}${reason}`;
    return new MillraceError('KAFKA_RETRIABLE', message, {
      cause: lastError,
      facts: { topic, partition },
    });
  }

  #giveUpAll(error: MillraceError): void {
    for (const [batch, queue] of [...this.#unsettled]) this.#sender.giveUp(queue, batch, error);
  }
}

interface SentBatch {
  readonly encoded: EncodedBatch;
  readonly baseOffset: number;
  readonly error?: MillraceError;
}

function closed(): MillraceError {
  return new MillraceError('KAFKA_FATAL', 'the producer is closed; this record was not taken');
}

function sizeOf({ key, value, headers = [] }: RecordToSend): number {
  let sizeBytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) sizeBytes += 16 + header.key.length + (header.value?.length ?? 0);
  return sizeBytes;
}
