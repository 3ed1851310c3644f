/** Reads the count of rounds at the very moment at which an instance announces one (invariant 5). */
import { forEachBatch } from '../../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { KafkaStreams } from '../../../runtime/kafka-streams.ts';
import type { Watch } from '../../../simulation/scenario.ts';
import { ROUND_KEY, STORES, TOPICS } from './topology.ts';

export function readRounds(streams: KafkaStreams, watch: Watch): void {
  streams.onCommitted(
    [TOPICS.rounds],
    () => true,
    ({ outputs }) => {
      for (const { partition, batch } of outputs) {
        readAfter(lastRoundIn(batch), partition, streams, watch).catch((error: unknown) =>
          watch.violated(`a round that was announced cannot be read: ${error}`),
        );
      }
    },
  );
}

async function readAfter(
  round: number,
  partition: number,
  streams: KafkaStreams,
  { violated, count }: Watch,
): Promise<void> {
  const local = await streams.openLocal(STORES.round, partition);
  if (local.kind !== 'available' || local.role !== 'active') return;
  count('read after an announcement');
  const read = Number(local.store.get(ROUND_KEY) ?? 0);
  if (read < round) violated(`round ${read} is read after round ${round} was announced`);
}

function lastRoundIn(batch: Buffer): number {
  const cursor = createRecordCursor();
  let round = 0;
  forEachBatch(batch, (header) => {
    cursor.open({ buffer: batch, header });
    while (cursor.next()) {
      round = Number(cursor.buffer.toString('utf8', cursor.valueStart, cursor.valueEnd));
    }
  });
  return round;
}
