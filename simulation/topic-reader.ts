/** Reads whole topics for the auditor: every committed record, in order, by partition. */
import { isMillraceError } from '../base/errors.ts';
import {
  type Fetcher,
  type KafkaClient,
  partitionKey,
  type TopicDescription,
  type TopicPartition,
} from '../kafka/ports.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';
import type { RecordHeader } from '../kafka/records/types.ts';

export interface ReadRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

const POLL_MS = 500;
const POLLS_MAX = 1_000;

/** Every partition of these topics. */
export function partitionsIn(topics: ReadonlyMap<string, TopicDescription>): TopicPartition[] {
  return [...topics.values()].flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  );
}

export class TopicReader {
  readonly #client: KafkaClient;
  readonly #cursor = createRecordCursor();
  readonly #fetcher: Fetcher;

  constructor(client: KafkaClient) {
    this.#client = client;
    this.#fetcher = client.fetcher({
      isolation: 'read_committed',
      bufferedBytesMax: 1 << 24,
      partitionBytesMax: 1 << 20,
      maxWaitMs: 100,
      channel: 'audit',
    });
  }

  /** By partition. One call at a time. Rejects when there is no such topic. */
  async read(topic: string): Promise<readonly (readonly ReadRecord[])[]> {
    const count = await this.#client.partitionCount(topic);
    if (count === undefined) throw new Error(`there is no topic ${topic}`);
    const all = Array.from({ length: count }, (_, partition) => ({ topic, partition }));
    const { admin } = this.#client;
    const ends = await admin.listOffsets(all, 'latest', 'read_uncommitted');
    const starts = await admin.listOffsets(all, 'earliest', 'read_uncommitted');
    const records: ReadRecord[][] = all.map(() => []);
    /** End by partition. */
    const open = new Map<number, number>();
    for (const { partition } of all) {
      const key = partitionKey(topic, partition);
      const [from, end] = [starts.get(key)!.offset, ends.get(key)!.offset];
      if (from >= end) continue;
      this.#fetcher.seek(topic, partition, from);
      open.set(partition, end);
    }
    for (let polls = 0; open.size > 0; polls++) {
      if (polls === POLLS_MAX) throw new Error(`${topic} cannot be read to its end`);
      await this.#poll(topic, open, records);
    }
    return records;
  }

  close(): Promise<void> {
    return this.#fetcher.close();
  }

  async #poll(topic: string, open: Map<number, number>, records: ReadRecord[][]): Promise<void> {
    for (const { partition, batches, nextOffset, error } of await this.#fetcher.poll(POLL_MS)) {
      if (error !== undefined && !isMillraceError(error, 'KAFKA_RETRIABLE')) throw error;
      for (const batch of batches) {
        this.#cursor.open(batch);
        while (this.#cursor.next()) records[partition]!.push(copyOf(this.#cursor));
      }
      if (nextOffset < open.get(partition)!) continue;
      open.delete(partition);
      this.#fetcher.remove(topic, partition);
    }
  }
}

function copyOf(cursor: ReturnType<typeof createRecordCursor>): ReadRecord {
  const { buffer, offset, timestampMs, keyStart, keyEnd, valueStart, valueEnd } = cursor;
  return {
    offset,
    timestampMs,
    key: keyStart < 0 ? '' : buffer.toString('utf8', keyStart, keyEnd),
    value: valueStart < 0 ? null : Buffer.from(buffer.subarray(valueStart, valueEnd)),
    headers: cursor.headerCount === 0 ? [] : cursor.headers(),
  };
}
