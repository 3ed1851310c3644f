/** Looks at every order that ends for want of a payment, at the moment at which an instance says so. */
import { forEachBatch } from '../../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { KafkaStreams } from '../../../runtime/kafka-streams.ts';
import type { Watch } from '../../../simulation/scenario.ts';
import { EPOCH_MS } from '../../../simulation/world/process.ts';
import type { Order } from '../../../ticket-sales/orders/order.ts';
import { ORDER_TOPICS } from '../../../ticket-sales/orders/order-records.ts';
import { serdes } from './app.ts';

/** An order ends before its first hold does, by this part of it at most. */
const MARGIN_PART = 0.1;

export function watchDeadlines(streams: KafkaStreams, { clock, violated, count }: Watch): void {
  const cursor = createRecordCursor();
  streams.onCommitted(
    [ORDER_TOPICS.orderStatus],
    () => true,
    ({ outputs }) => {
      const logTimeMs = EPOCH_MS + clock.monotonicMs();
      for (const { batch } of outputs) {
        forEachBatch(batch, (header) => {
          cursor.open({ buffer: batch, header });
          while (cursor.next()) {
            const { buffer, valueStart, valueEnd } = cursor;
            const order = serdes.order.decode(buffer, valueStart, valueEnd);
            if (order.state !== 'expired' || order.decidingLine !== null) continue;
            count('deadline watched');
            const earlyMs = Math.round(earliestEndMs(order) - logTimeMs);
            if (earlyMs > 0) violated(`${order.orderId} ends ${earlyMs} ms early`);
          }
        });
      }
    },
  );
}

function earliestEndMs({ lines, requestedAtMs }: Order): number {
  const held = lines.filter(({ heldUntilMs }) => heldUntilMs > 0);
  const ends = held.map(({ heldUntilMs }) => {
    return heldUntilMs - (heldUntilMs - requestedAtMs) * MARGIN_PART;
  });
  return Math.min(...ends);
}
