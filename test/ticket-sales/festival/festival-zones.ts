/** The festival's zones, of which a test names only what matters to it. */
import type { CreateZoneCommand } from '../../../ticket-sales/domain/command.ts';

export function createZone(
  zoneId: string,
  changes: Partial<CreateZoneCommand> = {},
): CreateZoneCommand {
  return {
    kind: 'createZone',
    eventId: 'fest',
    zoneId,
    capacity: 5,
    quantityMax: 10,
    price: { amountMinor: 4_000, currency: 'EUR' },
    terms: null,
    blockedSeats: [],
    ...changes,
  };
}

export const HOLD = {
  checkout: 'hold',
  holdMs: 600_000,
  latePayment: 'refund',
  customerMax: 0,
  opensAtMs: null,
  closesAtMs: null,
  fees: null,
  tiers: [],
  layout: null,
  notify: false,
  intakeOnly: false,
} as const;
