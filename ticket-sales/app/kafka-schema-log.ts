/** The embedded registry's log on a Kafka topic of one partition, `_schemas`, as Confluent's registry has it. */
import { type Clock, systemClock } from '../../base/clock.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import {
  type FetchedPartition,
  type Fetcher,
  type KafkaClient,
  type Producer,
  partitionKey,
} from '../../kafka/ports.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';
import type { SchemaLog, SchemaLogRecord } from '../../schemas/registry/schema-log.ts';

export const SCHEMAS_TOPIC = '_schemas';

export async function createSchemasTopic(
  kafka: KafkaClient,
  replicationFactor: number,
): Promise<void> {
  await kafka.admin.createTopics([
    {
      name: SCHEMAS_TOPIC,
      partitions: 1,
      replicationFactor,
      configs: { 'cleanup.policy': 'compact' },
    },
  ]);
}

interface KafkaSchemaLogParts {
  readonly kafka: KafkaClient;
  readonly producer: Producer;
  readonly clock: Clock;
  readonly log: Log;
}

export function kafkaSchemaLog(
  kafka: KafkaClient,
  producer: Producer,
  log: Log,
  clock: Clock = systemClock,
): SchemaLog {
  return new KafkaSchemaLog({ kafka, producer, clock, log });
}

/** Reading goes on after whatever happened, but not in a hurry. */
const READ_AGAIN_MS = 1_000;

interface Waiting {
  readonly offset: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class KafkaSchemaLog implements SchemaLog {
  readonly #parts: KafkaSchemaLogParts;
  readonly #fetcher: Fetcher;
  readonly #cursor = createRecordCursor();
  readonly #closing = new AbortController();
  #listener: (record: SchemaLogRecord) => void = () => {};
  #position = 0;
  #waiting: Waiting[] = [];
  #reading: Promise<void> = Promise.resolve();

  constructor(parts: KafkaSchemaLogParts) {
    this.#parts = parts;
    this.#fetcher = parts.kafka.fetcher({
      isolation: 'read_committed',
      bufferedBytesMax: 8 * 1024 * 1024,
      partitionBytesMax: 1024 * 1024,
      maxWaitMs: 500,
      channel: 'schemas',
    });
  }

  async start(listener: (record: SchemaLogRecord) => void): Promise<void> {
    this.#listener = listener;
    const end = await this.#endOffset();
    this.#fetcher.seek(SCHEMAS_TOPIC, 0, 0);
    this.#reading = this.#readForEver();
    if (end > 0) await this.readUpTo(end - 1);
  }

  async append(key: string, value: string | null): Promise<number> {
    const record = { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) };
    const { offset } = await this.#parts.producer.send(SCHEMAS_TOPIC, 0, record);
    return offset >= 0 ? offset : (await this.#endOffset()) - 1;
  }

  readUpTo(offset: number): Promise<void> {
    if (this.#position > offset) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ offset, resolve, reject }));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#fetcher.wakeup();
    await this.#reading;
    await this.#fetcher.close();
    const closed = new MillraceError('KAFKA_UNAVAILABLE', 'the log of schemas is closed');
    for (const { reject } of this.#waiting.splice(0)) reject(closed);
  }

  async #endOffset(): Promise<number> {
    const partitions = [{ topic: SCHEMAS_TOPIC, partition: 0 }];
    const offsets = await this.#parts.kafka.admin.listOffsets(
      partitions,
      'latest',
      'read_uncommitted',
    );
    return offsets.get(partitionKey(SCHEMAS_TOPIC, 0))?.offset ?? 0;
  }

  async #readForEver(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        for (const fetched of await this.#fetcher.poll(1_000)) this.#take(fetched);
        this.#wake();
      } catch (error) {
        this.#parts.log.error({ err: error }, 'the schemas cannot be read: trying again');
        await this.#parts.clock.sleep(READ_AGAIN_MS, signal);
        this.#fetcher.seek(SCHEMAS_TOPIC, 0, this.#position);
      }
    }
  }

  /** Throws what the partition cannot be read for. */
  #take({ error, batches, nextOffset, logStartOffset }: FetchedPartition): void {
    if (error !== undefined) {
      // Compaction never removes the head of this topic: it was deleted and made anew.
      if (isMillraceError(error, 'KAFKA_OFFSET_OUT_OF_RANGE')) this.#position = logStartOffset;
      throw error;
    }
    for (const batch of batches) this.#handOver(batch);
    this.#position = Math.max(this.#position, nextOffset);
  }

  #handOver(batch: FetchedBatch): void {
    const cursor = this.#cursor;
    cursor.open(batch);
    while (cursor.next()) {
      if (cursor.offset < this.#position || cursor.keyStart < 0) continue;
      const { buffer, offset, keyStart, keyEnd, valueStart, valueEnd } = cursor;
      const value = valueStart < 0 ? null : buffer.toString('utf8', valueStart, valueEnd);
      this.#listener({ offset, key: buffer.toString('utf8', keyStart, keyEnd), value });
    }
  }

  #wake(): void {
    const due = this.#waiting.filter(({ offset }) => this.#position > offset);
    this.#waiting = this.#waiting.filter(({ offset }) => this.#position <= offset);
    for (const { resolve } of due) resolve();
  }
}
