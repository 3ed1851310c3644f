/**
 * The auditor's own idea of a sale: commands in log order in, what must follow out. Written from the
 * published rules, without a line of the app's decisions; one per partition.
 *
 * F1. A purchase known to the fold is never changed in place: expectations may still point at it. But
 *     for the mark that the changelog has it, which is made when the fold is done.
 */
import { partitionForKey } from '../kafka/murmur2.ts';
import {
  type CommandFields,
  type CommandRecord,
  type Price,
  type PurchaseRecord,
  samePrice,
} from './sale-records.ts';

/** What is kept by key, and must be in a changelog. */
interface Logged {
  /** The changelog has a record of it: marked by who reads the changelog. */
  isLogged: boolean;
}

export interface PurchaseState extends PurchaseRecord, Logged {}

export interface ZoneState extends Logged {
  readonly eventId: string;
  readonly zoneId: string;
  capacity: number;
  sold: number;
  version: number;
  isOpen: boolean;
  readonly quantityMax: number;
  readonly price: Price | null;
  updatedAtMs: number;
  commandOffset: number;
  /** Not announced yet: version, capacity, sold, time and offset, five numbers each. */
  readonly unannounced: number[];
}

export type Consequence =
  /** An outcome is announced; `before`: the purchase as it was until then. */
  | {
      readonly kind: 'outcome';
      readonly purchase: PurchaseRecord;
      readonly before: PurchaseRecord | undefined;
      readonly isRepeat: boolean;
    }
  | { readonly kind: 'dead-letter'; readonly why: string }
  /** Of an operator's command: at most the stock shows it. */
  | { readonly kind: 'none' };

const NOTHING: Consequence = { kind: 'none' };
const CAPACITY_LIMIT = 1_000_000;
const TICKETS_LIMIT = 1_000;
const AMOUNT_LIMIT = 1_000_000_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const CURRENCY = /^[A-Z]{3}$/;

export class SaleFold {
  readonly zones = new Map<string, ZoneState>();
  readonly purchases = new Map<string, PurchaseState>();
  readonly #partition: number;
  readonly #partitionCount: number;

  constructor(partition: number, partitionCount: number) {
    this.#partition = partition;
    this.#partitionCount = partitionCount;
  }

  /** The next command of the log; undefined = a record that is none. */
  apply(
    command: CommandRecord | undefined,
    key: string | undefined,
    offset: number,
    timeMs: number,
  ): Consequence {
    if (command === undefined || key === undefined) return deadLetter('it is no command');
    const { kind, fields } = command;
    if (key !== `${fields.eventId}/${fields.zoneId}`) return deadLetter('its key is another one');
    const zone = this.zones.get(key);
    if (zone === undefined) {
      if (!NAME.test(fields.eventId) || !NAME.test(fields.zoneId)) return deadLetter('bad names');
      if (!this.#isAtHome(key)) return deadLetter('it is in the wrong partition');
    }
    switch (kind) {
      case 'Purchase':
        return this.#buy(zone, fields, offset, timeMs);
      case 'CancelPurchase':
        return this.#cancel(zone, fields, offset, timeMs);
      case 'CreateZone':
        return this.#create(key, zone, fields, offset, timeMs);
      default:
        return alter(kind, zone, fields, offset, timeMs);
    }
  }

  #isAtHome(key: string): boolean {
    const bytes = Buffer.from(key);
    return partitionForKey(bytes, 0, bytes.length, this.#partitionCount) === this.#partition;
  }

  #buy(
    zone: ZoneState | undefined,
    fields: CommandFields,
    commandOffset: number,
    timeMs: number,
  ): Consequence {
    const { purchaseId, buyerId, quantity } = fields;
    if (!UUID.test(purchaseId)) return deadLetter('its purchase id is no UUID');
    if (!NAME.test(buyerId)) return deadLetter('bad buyer');
    const known = this.purchases.get(purchaseId);
    // The same request or another one under its id: either way the first one's outcome is told again.
    if (known !== undefined) return repeat(known);
    const reason = whyNot(zone, quantity);
    const isSold = zone !== undefined && reason === 'none';
    const purchase: PurchaseState = {
      purchaseId,
      eventId: zone?.eventId ?? fields.eventId,
      zoneId: zone?.zoneId ?? fields.zoneId,
      buyerId,
      quantity,
      state: isSold ? 'confirmed' : 'rejected',
      reason,
      requestedAtMs: timeMs,
      decidedAtMs: timeMs,
      commandOffset,
      price: isSold ? priceOf(zone.price, quantity) : null,
      isLogged: false,
    };
    if (isSold) {
      zone.sold += quantity;
      stamp(zone, commandOffset, timeMs);
    }
    this.purchases.set(purchaseId, purchase);
    return { kind: 'outcome', purchase, before: undefined, isRepeat: false };
  }

  #cancel(
    zone: ZoneState | undefined,
    fields: CommandFields,
    commandOffset: number,
    timeMs: number,
  ): Consequence {
    if (!UUID.test(fields.purchaseId)) return deadLetter('its purchase id is no UUID');
    const known = this.purchases.get(fields.purchaseId);
    const isHere = known?.eventId === fields.eventId && known.zoneId === fields.zoneId;
    if (zone === undefined || known === undefined || !isHere) return deadLetter('no such purchase');
    if (known.state !== 'confirmed') return repeat(known);
    const purchase = { ...known, state: 'cancelled', decidedAtMs: timeMs, commandOffset };
    this.purchases.set(known.purchaseId, purchase);
    zone.sold -= known.quantity;
    stamp(zone, commandOffset, timeMs);
    return { kind: 'outcome', purchase, before: known, isRepeat: false };
  }

  #create(
    key: string,
    zone: ZoneState | undefined,
    fields: CommandFields,
    commandOffset: number,
    timeMs: number,
  ): Consequence {
    const { eventId, zoneId, capacity, quantityMax, price } = fields;
    const isSound =
      isWithin(capacity, 0, CAPACITY_LIMIT) &&
      isWithin(quantityMax, 1, TICKETS_LIMIT) &&
      (price === null || isPrice(price));
    if (!isSound) return deadLetter('a zone cannot be like that');
    if (zone !== undefined) {
      const isSame =
        zone.capacity === capacity &&
        zone.quantityMax === quantityMax &&
        samePrice(zone.price, price);
      return isSame ? NOTHING : deadLetter('the zone is another one');
    }
    const created: ZoneState = {
      eventId,
      zoneId,
      capacity,
      sold: 0,
      version: 0,
      isOpen: true,
      quantityMax,
      price,
      updatedAtMs: timeMs,
      commandOffset,
      unannounced: [],
      isLogged: false,
    };
    stamp(created, commandOffset, timeMs);
    this.zones.set(key, created);
    return NOTHING;
  }
}

function alter(
  kind: 'ChangeCapacity' | 'OpenSale' | 'CloseSale',
  zone: ZoneState | undefined,
  { capacity }: CommandFields,
  commandOffset: number,
  timeMs: number,
): Consequence {
  if (zone === undefined) return deadLetter('there is no such zone');
  if (kind === 'ChangeCapacity') {
    if (!isWithin(capacity, zone.sold, CAPACITY_LIMIT)) return deadLetter('no such capacity');
    if (capacity === zone.capacity) return NOTHING;
    zone.capacity = capacity;
  } else {
    if (zone.isOpen === (kind === 'OpenSale')) return NOTHING;
    zone.isOpen = kind === 'OpenSale';
  }
  stamp(zone, commandOffset, timeMs);
  return NOTHING;
}

function whyNot(zone: ZoneState | undefined, quantity: number): string {
  if (quantity < 1) return 'invalid_command';
  if (zone === undefined) return 'unknown_zone';
  if (!zone.isOpen) return 'sale_closed';
  if (quantity > zone.quantityMax) return 'quantity_over_limit';
  return zone.sold + quantity > zone.capacity ? 'sold_out' : 'none';
}

/** A change is a new version, which waits for its announcement. */
function stamp(zone: ZoneState, commandOffset: number, timeMs: number): void {
  zone.version++;
  zone.commandOffset = commandOffset;
  zone.updatedAtMs = timeMs;
  zone.unannounced.push(zone.version, zone.capacity, zone.sold, timeMs, commandOffset);
}

function repeat(purchase: PurchaseRecord): Consequence {
  return { kind: 'outcome', purchase, before: purchase, isRepeat: true };
}

function deadLetter(why: string): Consequence {
  return { kind: 'dead-letter', why };
}

function priceOf(price: Price | null, quantity: number): Price | null {
  return price === null
    ? null
    : { amountMinor: price.amountMinor * quantity, currency: price.currency };
}

function isPrice({ amountMinor, currency }: Price): boolean {
  return isWithin(amountMinor, 0, AMOUNT_LIMIT) && CURRENCY.test(currency);
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}
