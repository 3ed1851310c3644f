/** Reads whole topics for the auditor: every committed record, in order, by partition. */
import { isMillraceError } from '../base/errors.ts';
import { type KafkaClient, partitionKey } from '../kafka/ports.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';
import type { RecordHeader } from '../kafka/records/types.ts';

export interface ReadRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

/** By partition. */
export async function readCommitted(
  client: KafkaClient,
  topic: string,
  partitions: number,
): Promise<readonly (readonly ReadRecord[])[]> {
  const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await client.admin.listOffsets(all, 'latest', 'read_uncommitted');
  const records: ReadRecord[][] = all.map(() => []);
  const open = new Set<number>();
  const fetcher = client.fetcher({
    isolation: 'read_committed',
    bufferedBytesMax: 1 << 24,
    partitionBytesMax: 1 << 20,
    maxWaitMs: 100,
    channel: `audit-${topic}`,
  });
  const starts = await client.admin.listOffsets(all, 'earliest', 'read_uncommitted');
  for (const { partition } of all) {
    const key = partitionKey(topic, partition);
    const from = starts.get(key)!.offset;
    if (from >= ends.get(key)!.offset) continue;
    fetcher.seek(topic, partition, from);
    open.add(partition);
  }
  const cursor = createRecordCursor();
  for (let polls = 0; open.size > 0; polls++) {
    if (polls === 1_000) throw new Error(`${topic} cannot be read to its end`);
    for (const { partition, batches, nextOffset, error } of await fetcher.poll(500)) {
      if (error !== undefined && !isMillraceError(error, 'KAFKA_RETRIABLE')) throw error;
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next()) records[partition]!.push(copyOf(cursor));
      }
      if (nextOffset >= ends.get(partitionKey(topic, partition))!.offset) {
        open.delete(partition);
        fetcher.remove(topic, partition);
      }
    }
  }
  await fetcher.close();
  return records;
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
