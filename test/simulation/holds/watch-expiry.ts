/** Looks at every end of a hold at the moment at which an instance announces it. */
import { forEachBatch } from '../../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { KafkaStreams } from '../../../runtime/kafka-streams.ts';
import type { Watch } from '../../../simulation/scenario.ts';
import { EPOCH_MS } from '../../../simulation/world/process.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { serdes } from '../sale.ts';

/** At the moment at which the end of a hold is announced: it must have come. */
export function watchExpiry(streams: KafkaStreams, { clock, violated, count }: Watch): void {
  const cursor = createRecordCursor();
  streams.onCommitted(
    [TOPICS.purchaseStatus],
    () => true,
    ({ outputs }) => {
      const logTimeMs = EPOCH_MS + clock.monotonicMs();
      for (const { batch } of outputs) {
        forEachBatch(batch, (header) => {
          cursor.open({ buffer: batch, header });
          while (cursor.next()) {
            const { purchaseId, state, checkout } = serdes.purchase.decode(
              cursor.buffer,
              cursor.valueStart,
              cursor.valueEnd,
            );
            if (state !== 'expired' || checkout === null) continue;
            count('expiry watched');
            const earlyMs = Math.round(checkout.heldUntilMs - logTimeMs);
            if (earlyMs > 0) violated(`the hold of ${purchaseId} ends ${earlyMs} ms early`);
          }
        });
      }
    },
  );
}
