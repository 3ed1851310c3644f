/** Zones, purchases and commands of which a test names only what matters to it. */
import type { CancelCommand, PurchaseCommand } from '../../../ticket-sales/domain/command.ts';
import type { ZoneFacts } from '../../../ticket-sales/domain/decisions/facts.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { Zone } from '../../../ticket-sales/domain/zone.ts';

/** Of a zone of which only the zone matters. */
export const NO_FACTS: ZoneFacts = {
  ticketsOf: () => 0,
  voucher: () => undefined,
  refund: () => undefined,
  seatMap: () => {
    throw new Error('this zone has no seats');
  },
};

export const PLACE = { nowMs: 5_000, offset: 42 } as const;

const PURCHASE_ID = '11111111-2222-8333-8444-555555555555';

export function zoneWith(properties: Partial<Zone> = {}): Zone {
  return {
    eventId: 'gala',
    zoneId: 'floor',
    capacity: 100,
    held: 0,
    sold: 0,
    version: 1,
    sale: 'open',
    quantityMax: 10,
    price: null,
    updatedAtMs: 1_000,
    commandOffset: 0,
    revenueMinor: 0,
    terms: null,
    ...properties,
  };
}

export function purchaseCommand(properties: Partial<PurchaseCommand> = {}): PurchaseCommand {
  return {
    kind: 'purchase',
    purchaseId: PURCHASE_ID,
    eventId: 'gala',
    zoneId: 'floor',
    buyerId: 'ada',
    quantity: 2,
    requestedAtMs: 4_000,
    options: null,
    ...properties,
  };
}

export function cancelCommand(properties: Partial<CancelCommand> = {}): CancelCommand {
  return {
    kind: 'cancel',
    purchaseId: PURCHASE_ID,
    eventId: 'gala',
    zoneId: 'floor',
    ...properties,
  };
}

export function purchaseWith(properties: Partial<Purchase> = {}): Purchase {
  return {
    purchaseId: PURCHASE_ID,
    eventId: 'gala',
    zoneId: 'floor',
    buyerId: 'ada',
    quantity: 2,
    state: 'confirmed',
    reason: 'none',
    requestedAtMs: 2_000,
    decidedAtMs: 2_000,
    commandOffset: 7,
    price: null,
    seats: [],
    checkout: null,
    ...properties,
  };
}
