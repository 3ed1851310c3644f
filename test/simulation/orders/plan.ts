/** What is for sale in a run, and what an order or a purchase asks of it: drawn from the seed. */
import type { Random } from '../../../base/random.ts';
import { chance, pick } from '../../../simulation/world/draw.ts';
import type { CreateZoneCommand, PurchaseCommand } from '../../../ticket-sales/domain/command.ts';
import type { EventDefinition } from '../../../ticket-sales/domain/event.ts';
import { purchaseIdFor } from '../../../ticket-sales/domain/purchase-id.ts';
import { seatName } from '../../../ticket-sales/domain/seats/seat-name.ts';
import type { ZoneTerms } from '../../../ticket-sales/domain/zone.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { type OrderLineRequest, orderIdFor } from '../../../ticket-sales/orders/order.ts';
import type { PlaceOrderCommand } from '../../../ticket-sales/orders/order-command.ts';
import { PARTITIONS } from '../sale.ts';
import { partitionOf } from './app.ts';

/** Holds live so long at most, where they do not live for minutes. */
export const HOLD_MS_MAX = 3_000;
const EVENTS = ['event-0', 'event-1'] as const;
const BUYERS = ['buyer-1', 'buyer-2', 'buyer-3', 'buyer-4'] as const;
const PRICE_MINOR = 4_500;

type Address = Pick<CreateZoneCommand, 'eventId' | 'zoneId'>;

export class SalePlan {
  readonly events: readonly EventDefinition[];
  /** Who is registered. */
  readonly customers: readonly string[];
  readonly zones: readonly CreateZoneCommand[];
  readonly orders: number;
  readonly purchases: number;
  readonly #random: Random;

  constructor(random: Random, faultsMs: number) {
    this.#random = random;
    this.events = EVENTS.map((eventId) => ({
      eventId,
      name: eventId,
      venueId: null,
      startsAtMs: null,
      customers: this.#chance(0.25) ? 'registered' : 'anyone',
      customerMax: this.#chance(0.7) ? pick(random, 2, 5) : 0,
    }));
    this.customers = BUYERS.filter(() => this.#chance(0.7));
    const zones = pick(random, 2, 4);
    this.zones = Array.from({ length: zones }, (_, index) => this.#zone(addressOf(index)));
    this.orders = pick(random, 2, 5 + Math.min(15, faultsMs / 2_000));
    this.purchases = pick(random, 2, 6 + Math.min(15, faultsMs / 2_000));
  }

  buyer(): string {
    return BUYERS[pick(this.#random, 0, BUYERS.length - 1)]!;
  }

  /** `key`: what makes it the same order, or another one. */
  order(key: string, requestedAtMs: number, buyerId = this.buyer()): PlaceOrderCommand {
    const lines = Array.from({ length: pick(this.#random, 1, 3) }, () => this.#line());
    const orderId = orderIdFor(buyerId, key);
    return { kind: 'placeOrder', orderId, buyerId, requestedAtMs, lines };
  }

  purchase(idempotencyKey: string, requestedAtMs: number): PurchaseCommand {
    const { eventId, zoneId, quantity, seats, placement } = this.#line();
    const buyerId = this.buyer();
    const isPlain = seats.length === 0 && placement === 'any';
    return {
      kind: 'purchase',
      eventId,
      zoneId,
      purchaseId: purchaseIdFor({ eventId, zoneId, buyerId, idempotencyKey }),
      buyerId,
      quantity,
      requestedAtMs,
      options: isPlain
        ? null
        : { seats, placement, voucher: null, orderId: null, viaIntake: false },
    };
  }

  /** Now and then of a zone that is not there, or of no ticket at all. */
  #line(): OrderLineRequest {
    const zone = this.zones[pick(this.#random, 0, this.zones.length - 1)]!;
    const { eventId, terms } = zone;
    const zoneId = this.#chance(0.02) ? 'nowhere' : zone.zoneId;
    const quantity = this.#chance(0.02) ? 0 : pick(this.#random, 1, 3);
    const line = { eventId, zoneId, quantity, seats: [], placement: 'any', voucher: null } as const;
    const layout = terms?.layout ?? null;
    if (layout === null || quantity === 0) return line;
    if (this.#chance(0.4)) {
      const placement = this.#chance(0.5) ? 'adjacent' : 'adjacent_or_split';
      return { ...line, placement };
    }
    const row = pick(this.#random, 0, layout.rows - 1);
    const column = pick(this.#random, 0, layout.columns - quantity);
    const seats = Array.from({ length: quantity }, (_, next) => seatName(row, column + next));
    return { ...line, seats };
  }

  #zone(address: Address): CreateZoneCommand {
    const random = this.#random;
    const layout = this.#chance(0.3) ? { rows: 2, columns: pick(random, 3, 4) } : null;
    const isPlain = layout === null && this.#chance(0.4);
    const currency = this.#chance(0.1) ? 'USD' : 'EUR';
    const terms: ZoneTerms = {
      ...PLAIN_TERMS,
      checkout: this.#chance(0.6) ? 'hold' : 'immediate',
      holdMs: pick(random, 1_000, HOLD_MS_MAX),
      customerMax: this.#chance(0.2) ? 4 : 0,
      fees: this.#chance(0.3) ? { perTicketMinor: 150, perPurchaseMinor: 99 } : null,
      layout,
      notify: this.#chance(0.4),
    };
    const isFree = isPlain && this.#chance(0.25);
    return {
      kind: 'createZone',
      ...address,
      capacity: layout === null ? pick(random, 3, 12) : layout.rows * layout.columns,
      quantityMax: 4,
      price: isFree ? null : { amountMinor: PRICE_MINOR, currency },
      terms: isPlain ? null : terms,
      blockedSeats: [],
    };
  }

  #chance(probability: number): boolean {
    return chance(this.#random, probability);
  }
}

/** One zone after the other in the next partition: an order of two has two tasks decide. */
function addressOf(index: number): Address {
  const eventId = EVENTS[index % EVENTS.length]!;
  for (let number = 0; ; number++) {
    const zoneId = `zone-${index}-${number}`;
    if (partitionOf(zoneKey(eventId, zoneId)) === index % PARTITIONS) return { eventId, zoneId };
  }
}
