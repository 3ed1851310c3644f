/** Money that comes before its purchase does goes back; that it is back may be told before or after it, too. */
import { expect, test } from 'vitest';
import { PLAIN_TERMS } from '../../ticket-sales/domain/zone-terms.ts';
import { ticketTopology } from '../../ticket-sales/ticket-topology.ts';
import { auditLog, violations } from './crafted-log.ts';
import { DrivenSale, serdes } from './driven-sale.ts';
import { idOf } from './small-sale.ts';

const ZONE = { eventId: 'gala', zoneId: 'floor' };
const PRICE = { amountMinor: 1_000, currency: 'EUR' };

const STEPS = {
  purchase: (sale: DrivenSale) =>
    sale.command({
      ...{ kind: 'purchase', ...ZONE, purchaseId: idOf(1), buyerId: 'buyer-1' },
      ...{ quantity: 3, requestedAtMs: 1, options: null },
    }),
  payment: (sale: DrivenSale) => told(sale, 'succeeded'),
  refund: (sale: DrivenSale) => told(sale, 'refunded'),
} as const;

function told(sale: DrivenSale, status: 'succeeded' | 'refunded'): Promise<void> {
  const refundId = status === 'refunded' ? `${idOf(1)}:early` : null;
  const about = { purchaseId: idOf(1), paymentId: 'early', status, refundId };
  return sale.payment({
    kind: 'payment',
    ...ZONE,
    ...PRICE,
    ...about,
    detail: null,
    occurredAtMs: 1,
  });
}

const ORDERS: readonly (readonly (keyof typeof STEPS)[])[] = [
  ['payment', 'refund', 'purchase'],
  ['payment', 'purchase', 'refund'],
  ['payment', 'refund', 'purchase', 'refund'],
];

test.each(ORDERS.map((steps) => [steps.join(', '), steps] as const))(
  '%s raises nothing',
  async (_, steps) => {
    const sale = new DrivenSale(ticketTopology(serdes, { commandPartitions: 1 }));
    const terms = { ...PLAIN_TERMS, checkout: 'hold', holdMs: 60_000 } as const;
    const zone = { ...ZONE, capacity: 2, quantityMax: 3, price: PRICE, terms };
    await sale.command({ kind: 'createZone', ...zone, blockedSeats: [] });
    for (const step of steps) await STEPS[step](sale);
    expect(violations(await auditLog(await sale.finish()))).toEqual([]);
  },
);
