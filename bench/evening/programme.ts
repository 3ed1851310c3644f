/**
 * Who comes to the evening and what becomes of it: two events, ten zones, and buyers with intentions
 * of their own. Pure, and the same for the same seed.
 */
import { type Random, seededRandom } from '../../base/random.ts';
import { rowLetters } from '../../ticket-sales/domain/seats/seat-name.ts';

/** What a buyer means to do once the tickets are held. */
export const INTENTIONS = [
  'pays',
  'pays-twice',
  'repeats-its-payment',
  'pays-a-wrong-amount-first',
  'is-declined',
  'walks-away',
  'pays-late',
  'releases',
  'extends-and-pays',
  'cancels-afterwards',
] as const;
export type Intention = (typeof INTENTIONS)[number];

/** Of a hundred buyers. */
const WEIGHTS: Readonly<Record<Intention, number>> = {
  pays: 58,
  'pays-twice': 3,
  'repeats-its-payment': 3,
  'pays-a-wrong-amount-first': 2,
  'is-declined': 8,
  'walks-away': 9,
  'pays-late': 6,
  releases: 3,
  'extends-and-pays': 2,
  'cancels-afterwards': 6,
};

export interface EveningZone {
  readonly eventId: string;
  readonly zoneId: string;
  /** The body of `PUT /v1/events/{eventId}/zones/{zoneId}`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Rows and seats per row, when they are numbered. */
  readonly layout?: { readonly rows: number; readonly columns: number };
  readonly voucher?: string;
}

export interface EveningBuyer {
  readonly number: number;
  readonly buyerId: string;
  readonly zone: EveningZone;
  /** Part of the body of `POST /v1/purchases`. */
  readonly wish: Readonly<Record<string, unknown>>;
  readonly intention: Intention;
}

export interface Evening {
  readonly events: readonly { readonly eventId: string; readonly name: string }[];
  readonly zones: readonly EveningZone[];
  readonly buyers: readonly EveningBuyer[];
}

export interface EveningOptions {
  readonly buyers: number;
  readonly seed: number;
  /** How long a hold lives: short, so that an evening has room for many. */
  readonly holdMs: number;
  /** Apart from any evening before it. */
  readonly name: string;
}

export function planEvening({ buyers, seed, holdMs, name }: EveningOptions): Evening {
  const random = seededRandom(seed);
  const events = [
    { eventId: `opera-${name}`, name: 'Opera in the Park' },
    { eventId: `derby-${name}`, name: 'Derby' },
  ];
  const zones = [
    ...operaZones(events[0]!.eventId, holdMs, buyers),
    ...derbyZones(events[1]!.eventId, holdMs, buyers),
  ];
  const list = Array.from({ length: buyers }, (_, number) => buyerOf(number, zones, random));
  return { events, zones, buyers: list };
}

/** About as many tickets as three quarters of the buyers want: somebody goes home without. */
function share(buyers: number, permille: number): number {
  return Math.max(4, Math.ceil((buyers * permille) / 1_000));
}

const eur = (amountMinor: number) => ({ amountMinor, currency: 'EUR' });

function operaZones(eventId: string, holdMs: number, buyers: number): EveningZone[] {
  const hold = { checkout: 'hold', holdMs };
  const seated = (rows: number, columns: number) => ({ rows, columns });
  const rowsFor = (permille: number, columns: number) =>
    Math.max(2, Math.ceil(share(buyers, permille) / columns));
  const stalls = seated(rowsFor(150, 40), 40);
  const balcony = seated(rowsFor(60, 30), 30);
  const boxes = seated(rowsFor(10, 8), 8);
  return [
    {
      eventId,
      zoneId: 'stalls',
      layout: stalls,
      body: {
        ...hold,
        layout: stalls,
        capacity: stalls.rows * stalls.columns,
        price: eur(12_000),
        fees: { perTicketMinor: 150, perPurchaseMinor: 290 },
        tiers: [
          { fromSoldPermille: 500, amountMinor: 13_900 },
          { fromSoldPermille: 850, amountMinor: 15_900 },
        ],
        notify: true,
      },
    },
    {
      eventId,
      zoneId: 'balcony',
      layout: balcony,
      body: {
        ...hold,
        layout: balcony,
        capacity: balcony.rows * balcony.columns,
        price: eur(6_950),
      },
    },
    {
      eventId,
      zoneId: 'boxes',
      layout: boxes,
      body: {
        ...hold,
        layout: boxes,
        capacity: boxes.rows * boxes.columns,
        price: eur(24_999),
        customerMax: 8,
        latePayment: 'retake',
      },
    },
    {
      eventId,
      zoneId: 'lawn',
      body: { ...hold, capacity: share(buyers, 250), price: eur(1_901), latePayment: 'retake' },
    },
    { eventId, zoneId: 'picnic', body: { capacity: share(buyers, 100), price: eur(990) } },
  ];
}

function derbyZones(eventId: string, holdMs: number, buyers: number): EveningZone[] {
  const hold = { checkout: 'hold', holdMs };
  return [
    {
      eventId,
      zoneId: 'north',
      body: { ...hold, capacity: share(buyers, 300), price: eur(2_750), latePayment: 'retake' },
    },
    {
      eventId,
      zoneId: 'south',
      body: {
        ...hold,
        capacity: share(buyers, 300),
        price: eur(2_750),
        fees: { perTicketMinor: 33, perPurchaseMinor: 0 },
      },
    },
    {
      eventId,
      zoneId: 'family',
      voucher: 'KIDS',
      body: { ...hold, capacity: share(buyers, 120), price: eur(1_333), notify: true },
    },
    {
      eventId,
      zoneId: 'press',
      body: { ...hold, capacity: share(buyers, 20), price: eur(4_500), customerMax: 2 },
    },
    {
      eventId,
      zoneId: 'away',
      body: { capacity: share(buyers, 80), price: eur(2_200), checkout: 'immediate', notify: true },
    },
  ];
}

function buyerOf(number: number, zones: readonly EveningZone[], random: Random): EveningBuyer {
  const pick = (count: number) => Math.floor(random.next() * count);
  const zone = zones[pick(zones.length)]!;
  // Some come again: limits per customer have something to do.
  const buyerId = `guest-${pick(20) === 0 ? pick(50) : number}`;
  return { number, buyerId, zone, wish: wishOf(zone, pick), intention: intentionOf(random) };
}

function wishOf(zone: EveningZone, pick: (count: number) => number): Record<string, unknown> {
  const quantity = 1 + pick(4);
  const voucher = zone.voucher !== undefined && pick(3) === 0 ? { voucher: zone.voucher } : {};
  if (zone.layout === undefined) return { quantity, ...voucher };
  const { rows, columns } = zone.layout;
  if (pick(3) === 0) {
    const row = rowLetters(pick(rows));
    const first = 1 + pick(Math.max(1, columns - quantity));
    return { seats: Array.from({ length: quantity }, (_, index) => `${row}${first + index}`) };
  }
  return { bestAdjacent: { quantity, allowSplit: pick(2) === 0 } };
}

function intentionOf(random: Random): Intention {
  let left = random.next() * 100;
  for (const intention of INTENTIONS) {
    left -= WEIGHTS[intention];
    if (left < 0) return intention;
  }
  return 'pays';
}
