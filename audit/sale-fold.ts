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
  type CommandKind,
  type CommandRecord,
  type Price,
  type PurchaseRecord,
  samePrice,
} from './records/sale-records.ts';

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
  revenueMinor: number;
  version: number;
  sale: 'open' | 'closed' | 'paused';
  readonly quantityMax: number;
  readonly price: Price | null;
  updatedAtMs: number;
  commandOffset: number;
  /** Not announced yet: version, capacity, sold, time, offset and revenue, six numbers each. */
  readonly unannounced: number[];
  /** The version that was announced last, as six numbers; empty before the first. */
  announced: readonly number[];
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

const OF_PURCHASES: ReadonlySet<CommandKind> = new Set([
  'Purchase',
  'CancelPurchase',
  'ExtendHold',
  'ConfirmHold',
  'RejectPurchase',
]);
const SALES = { OpenSale: 'open', CloseSale: 'closed', PauseSale: 'paused' } as const;
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
  /** Keys under which purchases were refused, since there was no such zone. */
  readonly #unknownZones = new Set<string>();
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
    const flaw = this.flawOf(command, key);
    if (flaw !== undefined || command === undefined || key === undefined) {
      return deadLetter(flaw ?? '');
    }
    const { kind, fields } = command;
    const zone = this.zones.get(key);
    switch (kind) {
      case 'Purchase':
        return this.#buy(zone, fields, offset, timeMs);
      case 'RejectPurchase':
        return this.#again(fields);
      case 'CancelPurchase':
        return this.#cancel(zone, fields, offset, timeMs);
      case 'CreateZone':
        return this.#create(key, zone, fields, offset, timeMs);
      case 'ChangeCapacity':
      case 'OpenSale':
      case 'CloseSale':
      case 'PauseSale':
        return alter(kind, zone, fields, offset, timeMs);
      default:
        throw new Error(`${kind} is no command of a plain zone`);
    }
  }

  /** Why nothing at all can be done with it, whatever its zone is like. */
  flawOf(command: CommandRecord | undefined, key: string | undefined): string | undefined {
    if (command === undefined || key === undefined) return 'it is no command';
    const { kind, fields } = command;
    if (key !== `${fields.eventId}/${fields.zoneId}`) return 'its key is another one';
    if (!this.zones.has(key)) {
      if (!NAME.test(fields.eventId) || !NAME.test(fields.zoneId)) return 'bad names';
      if (!this.#isAtHome(key)) return 'it is in the wrong partition';
    }
    if (!OF_PURCHASES.has(kind)) return undefined;
    if (!UUID.test(fields.purchaseId)) return 'its purchase id is no UUID';
    const isNew = kind === 'Purchase' || kind === 'RejectPurchase';
    return isNew && !NAME.test(fields.buyerId) ? 'bad buyer' : undefined;
  }

  /** Takes a zone out, with its purchases: it is followed elsewhere from now on. */
  release(key: string): {
    readonly zone: ZoneState | undefined;
    readonly purchases: readonly PurchaseState[];
  } {
    const zone = this.zones.get(key);
    const purchases: PurchaseState[] = [];
    if (zone === undefined && !this.#unknownZones.has(key)) return { zone, purchases };
    this.zones.delete(key);
    for (const purchase of this.purchases.values()) {
      if (`${purchase.eventId}/${purchase.zoneId}` === key) purchases.push(purchase);
    }
    for (const { purchaseId } of purchases) this.purchases.delete(purchaseId);
    return { zone, purchases };
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
      seats: [],
      checkout: null,
      isLogged: false,
    };
    if (isSold) {
      zone.sold += quantity;
      zone.revenueMinor += purchase.price?.amountMinor ?? 0;
      stamp(zone, commandOffset, timeMs);
    }
    if (zone === undefined) this.#unknownZones.add(`${fields.eventId}/${fields.zoneId}`);
    this.purchases.set(purchaseId, purchase);
    return { kind: 'outcome', purchase, before: undefined, isRepeat: false };
  }

  /** Asked for in a zone that is followed elsewhere, and decided in one that is followed here. */
  #again({ purchaseId }: CommandFields): Consequence {
    const known = this.purchases.get(purchaseId);
    if (known === undefined) throw new Error('a plain zone refuses nothing beforehand');
    return repeat(known);
  }

  #cancel(
    zone: ZoneState | undefined,
    fields: CommandFields,
    commandOffset: number,
    timeMs: number,
  ): Consequence {
    const known = this.purchases.get(fields.purchaseId);
    const isHere = known?.eventId === fields.eventId && known.zoneId === fields.zoneId;
    if (known === undefined || !isHere) return deadLetter('no such purchase');
    if (zone === undefined || known.state !== 'confirmed') return repeat(known);
    const purchase = { ...known, state: 'cancelled', decidedAtMs: timeMs, commandOffset };
    this.purchases.set(known.purchaseId, purchase);
    zone.sold -= known.quantity;
    zone.revenueMinor -= known.price?.amountMinor ?? 0;
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
      revenueMinor: 0,
      version: 0,
      sale: 'open',
      quantityMax,
      price,
      updatedAtMs: timeMs,
      commandOffset,
      unannounced: [],
      announced: [],
      isLogged: false,
    };
    stamp(created, commandOffset, timeMs);
    this.zones.set(key, created);
    return NOTHING;
  }
}

function alter(
  kind: 'ChangeCapacity' | 'OpenSale' | 'CloseSale' | 'PauseSale',
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
    const sale = SALES[kind];
    if (zone.sale === sale) return NOTHING;
    zone.sale = sale;
  }
  stamp(zone, commandOffset, timeMs);
  return NOTHING;
}

function whyNot(zone: ZoneState | undefined, quantity: number): string {
  if (quantity < 1) return 'invalid_command';
  if (zone === undefined) return 'unknown_zone';
  if (zone.sale !== 'open') return zone.sale === 'closed' ? 'sale_closed' : 'sale_not_open';
  if (quantity > zone.quantityMax) return 'quantity_over_limit';
  return zone.sold + quantity > zone.capacity ? 'sold_out' : 'none';
}

/** A change is a new version, which waits for its announcement. */
function stamp(zone: ZoneState, commandOffset: number, timeMs: number): void {
  zone.version++;
  zone.commandOffset = commandOffset;
  zone.updatedAtMs = timeMs;
  const { version, capacity, sold, revenueMinor } = zone;
  zone.unannounced.push(version, capacity, sold, timeMs, commandOffset, revenueMinor);
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
