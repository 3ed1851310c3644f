/** Puts what is known of a payment into the sale's log, at the place of its zone. */
import type { CommandSender } from '../command-sender.ts';
import { zoneKey } from '../domain/zone.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import type { ReportPayment } from './payment-provider.ts';

export function reportPayment(sender: CommandSender, serdes: TicketSerdes): ReportPayment {
  const payments = { topic: TOPICS.payments, serde: serdes.payment };
  return async (update) => {
    await sender.send(payments, zoneKey(update.eventId, update.zoneId), update);
  };
}
