import { expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { OFFSETS_TOPIC } from '../../embedded-kafka/coordinators/internal-topics.ts';
import { MarkerWriter } from '../../embedded-kafka/coordinators/transaction/marker-writer.ts';
import type { TopicManager } from '../../embedded-kafka/ports.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';

/** What the partition of offsets answers a marker, and which transactions it is told to end. */
async function endedBy(error: number): Promise<readonly number[]> {
  const ended: number[] = [];
  const partition = { appendMarker: async () => ({ error }) };
  const topics = { partition: () => partition } as unknown as TopicManager;
  const offsets = {
    completeTransaction: ({ producerId }: { readonly producerId: number }) => {
      ended.push(producerId);
    },
  };
  const writer = new MarkerWriter(topics, offsets, silentLog);
  const target = { topic: OFFSETS_TOPIC, partition: 0 };
  await writer.write({ producerId: 7, producerEpoch: 1 }, [target], false);
  return ended;
}

test('a marker ends the offsets that its transaction is about to move', async () => {
  expect(await endedBy(Errors.NONE)).toEqual([7]);
});

// Found by the simulation (seed 3257): the offsets of a committed transaction were dropped by the late abort
// of one before it, so that its input was processed again.
test('a marker that is refused, since a later transaction has begun, leaves that one its offsets', async () => {
  expect(await endedBy(Errors.INVALID_PRODUCER_EPOCH)).toEqual([]);
});
