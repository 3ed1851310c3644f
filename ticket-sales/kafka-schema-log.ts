/** The embedded registry's log on a Kafka topic of one partition, `_schemas`, as Confluent's registry has it. */
import type { Log } from '../base/log.ts';
import { type Fetcher, type KafkaClient, type Producer, partitionKey } from '../kafka/ports.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';
import type { FetchedBatch } from '../kafka/records/types.ts';
import type { SchemaLog, SchemaLogRecord } from '../schemas/registry/schema-log.ts';

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

export function kafkaSchemaLog(kafka: KafkaClient, producer: Producer, log: Log): SchemaLog {
  return new KafkaSchemaLog(kafka, producer, log);
}

class KafkaSchemaLog implements SchemaLog {
  readonly #kafka: KafkaClient;
  readonly #producer: Producer;
  readonly #log: Log;
  readonly #fetcher: Fetcher;
  readonly #cursor = createRecordCursor();
  #listener: (record: SchemaLogRecord) => void = () => {};
  #position = 0;
  #waiting: { readonly offset: number; readonly resolve: () => void }[] = [];
  #reading: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(kafka: KafkaClient, producer: Producer, log: Log) {
    this.#kafka = kafka;
    this.#producer = producer;
    this.#log = log;
    this.#fetcher = kafka.fetcher({
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
    const { offset } = await this.#producer.send(SCHEMAS_TOPIC, 0, record);
    return offset >= 0 ? offset : (await this.#endOffset()) - 1;
  }

  readUpTo(offset: number): Promise<void> {
    if (this.#position > offset) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ offset, resolve }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#fetcher.wakeup();
    await this.#reading;
    await this.#fetcher.close();
  }

  async #endOffset(): Promise<number> {
    const partitions = [{ topic: SCHEMAS_TOPIC, partition: 0 }];
    const offsets = await this.#kafka.admin.listOffsets(partitions, 'latest', 'read_uncommitted');
    return offsets.get(partitionKey(SCHEMAS_TOPIC, 0))?.offset ?? 0;
  }

  async #readForEver(): Promise<void> {
    while (!this.#closed) {
      for (const fetched of await this.#fetcher.poll(1_000)) {
        if (fetched.error !== undefined) {
          // Compaction never removes the head of this topic, so only a recreated topic gets here.
          this.#log.error(
            { error: fetched.error },
            'the schemas topic was replaced: reading it anew',
          );
          this.#position = 0;
          this.#fetcher.seek(SCHEMAS_TOPIC, 0, fetched.logStartOffset);
          continue;
        }
        for (const batch of fetched.batches) this.#handOver(batch);
        this.#position = Math.max(this.#position, fetched.nextOffset);
      }
      this.#wake();
    }
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
