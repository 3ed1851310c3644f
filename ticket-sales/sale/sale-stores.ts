/** What the sale keeps, in one partition with the zone: names, keys, and what a decision may ask of it. */
import { int32Serde, stringSerde } from '../../schemas/serdes.ts';
import type { KeyValueStore, StoreSpec } from '../../stores/state-store.ts';
import type { ProcessorContext } from '../../topology/processor.ts';
import type { ZoneFacts } from '../domain/decisions/facts.ts';
import type { Refund } from '../domain/payment.ts';
import type { Purchase } from '../domain/purchase.ts';
import type { SeatMap } from '../domain/seats/seat-map.ts';
import type { SeatPort } from '../domain/seats/seat-port.ts';
import type { Voucher } from '../domain/voucher.ts';
import type { SeatLayout, Zone } from '../domain/zone.ts';
import type { TicketSerdes } from '../records.ts';
import { SeatStore } from './seat-store.ts';

export const STORES = {
  zones: 'zones',
  purchases: 'purchases',
  /** `<heldUntilMs, 13 digits>/<purchaseId>`: the holds in the order in which they end. */
  holds: 'holds',
  /** `<eventId>/<zoneId>/<code>` */
  vouchers: 'vouchers',
  /** `<eventId>/<zoneId>/<buyerId>`: tickets, in zones with a limit per customer. */
  buyers: 'buyers',
  /** By refundId. */
  refunds: 'refunds',
  seats: 'seats',
} as const;

/** In all partitions together: a process that runs them all spends up to 200 MB on them. */
const KNOWN_PURCHASES_MAX = 16_000_000;

export function saleStores(serdes: TicketSerdes, partitions: number): readonly StoreSpec[] {
  return [
    logged(STORES.zones, serdes.zone),
    {
      ...logged(STORES.purchases, serdes.purchase),
      // Nearly every purchase is a new one, and is hardly ever read again by the engine: objects
      // kept for that would only make the garbage collector copy them.
      knownKeysMax: Math.floor(KNOWN_PURCHASES_MAX / partitions),
      cacheEntriesMax: 0,
    },
    { ...logged(STORES.holds, stringSerde), cacheEntriesMax: 0 },
    logged(STORES.vouchers, serdes.voucher),
    logged(STORES.buyers, int32Serde),
    { ...logged(STORES.refunds, serdes.refund), cacheEntriesMax: 0 },
    logged(STORES.seats, serdes.seats),
  ] as readonly StoreSpec[];
}

function logged<V>(
  name: string,
  valueSerde: StoreSpec<string, V>['valueSerde'],
): StoreSpec<string, V> {
  return {
    kind: 'keyValue',
    name,
    keySerde: stringSerde,
    valueSerde,
    persistence: 'leveldb',
    changelog: { configs: {} },
  };
}

/** The stores of one task. */
export class SaleStores {
  readonly zones: KeyValueStore<string, Zone>;
  readonly purchases: KeyValueStore<string, Purchase>;
  readonly holds: KeyValueStore<string, string>;
  readonly vouchers: KeyValueStore<string, Voucher>;
  readonly buyers: KeyValueStore<string, number>;
  readonly refunds: KeyValueStore<string, Refund>;
  readonly seats: SeatPort;

  constructor(context: ProcessorContext<never, never>) {
    this.zones = context.getStateStore(STORES.zones);
    this.purchases = context.getStateStore(STORES.purchases);
    this.holds = context.getStateStore(STORES.holds);
    this.vouchers = context.getStateStore(STORES.vouchers);
    this.buyers = context.getStateStore(STORES.buyers);
    this.refunds = context.getStateStore(STORES.refunds);
    this.seats = new SeatStore(context.getStateStore(STORES.seats));
  }
}

/** The facts of one zone at a time, read when a decision asks. */
export class StoredFacts implements ZoneFacts {
  readonly #stores: SaleStores;
  #zoneKey = '';

  constructor(stores: SaleStores) {
    this.#stores = stores;
  }

  /** Itself, of another zone from now on. */
  of(zoneKey: string): ZoneFacts {
    this.#zoneKey = zoneKey;
    return this;
  }

  ticketsOf(buyerId: string): number {
    return this.#stores.buyers.get(keyWithin(this.#zoneKey, buyerId)) ?? 0;
  }

  voucher(code: string): Voucher | undefined {
    return this.#stores.vouchers.get(keyWithin(this.#zoneKey, code));
  }

  refund(refundId: string): Refund | undefined {
    return this.#stores.refunds.get(refundId);
  }

  seatMap(layout: SeatLayout): SeatMap {
    return this.#stores.seats.mapOf(this.#zoneKey, layout);
  }
}

/** Of what belongs to a zone: a voucher by its code, a buyer by his id. */
export function keyWithin(zoneKey: string, id: string): string {
  return `${zoneKey}/${id}`;
}

const TIME_DIGITS = 13;

export function holdKey(heldUntilMs: number, purchaseId: string): string {
  return `${timeKey(heldUntilMs)}/${purchaseId}`;
}

/** Before every hold that ends at that time, after every one that ends before it. */
export function timeKey(timeMs: number): string {
  return String(timeMs).padStart(TIME_DIGITS, '0');
}

/** Of a key of the hold index. */
export function heldUntilOf(key: string): number {
  return Number(key.slice(0, key.indexOf('/')));
}
