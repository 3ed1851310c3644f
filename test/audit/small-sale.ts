/**
 * A sale of one zone with three tickets, every record of it by hand: bought, sold out, asked again,
 * given back, and a record that is no command. Each part can be replaced before it is written.
 */
import type { PurchaseRecord, StockRecord, ZoneRecord } from '../../audit/records/sale-records.ts';
import {
  type CraftedRecord,
  commandRecord,
  LOG_TIME,
  letterRecord,
  MemoryLog,
  type Producer,
  purchaseRecord,
  stockRecord,
  zoneRecord,
} from './crafted-log.ts';

const ZONE = { eventId: 'gala', zoneId: 'floor' } as const;
export const ZONE_KEY = 'gala/floor';
/** As it writes the last transaction of the sale. */
export const PRODUCER: Producer = { producerId: 7, producerEpoch: 5 };

export const idOf = (index: number) => `00000000-0000-8000-8000-${String(index).padStart(12, '0')}`;

export const buy = (index: number, quantity = 1): CraftedRecord =>
  commandRecord(ZONE_KEY, 'Purchase', {
    purchaseId: idOf(index),
    ...ZONE,
    buyerId: `buyer-${index}`,
    quantity,
    requestedAtMs: 1,
  });

export const outcome = (
  index: number,
  commandOffset: number,
  changes: Partial<PurchaseRecord> = {},
): PurchaseRecord => ({
  purchaseId: idOf(index),
  ...ZONE,
  buyerId: `buyer-${index}`,
  quantity: 1,
  state: 'confirmed',
  reason: 'none',
  requestedAtMs: LOG_TIME,
  decidedAtMs: LOG_TIME,
  commandOffset,
  price: null,
  seats: [],
  checkout: null,
  ...changes,
});

export const stockAt = (
  version: number,
  sold: number,
  commandOffset: number,
  changes: Partial<StockRecord> = {},
): StockRecord => ({
  ...ZONE,
  capacity: 3,
  available: 3 - sold,
  held: 0,
  sold,
  version,
  updatedAtMs: LOG_TIME,
  commandOffset,
  revenueMinor: 0,
  ...changes,
});

const LAST_ZONE: ZoneRecord = {
  ...ZONE,
  capacity: 3,
  held: 0,
  sold: 2,
  version: 4,
  sale: 'open',
  quantityMax: 10,
  price: null,
  updatedAtMs: LOG_TIME,
  commandOffset: 6,
  revenueMinor: 0,
  terms: null,
};

const POISON: CraftedRecord = { key: Buffer.from(ZONE_KEY), value: Buffer.from('{"json":true}') };

export interface SmallSale {
  commands: CraftedRecord[];
  status: CraftedRecord[];
  stock: CraftedRecord[];
  letters: CraftedRecord[];
  zones: CraftedRecord[];
  purchases: CraftedRecord[];
}

/**
 * Commands: 0 the zone · 1 A buys two · 2 B wants two, sold out · 3 A asks again · 4 is no command ·
 * 5 C buys one · 6 C gives it back. Their outcomes: status 0 to 4, and one dead letter.
 */
export function smallSale(): SmallSale {
  const rejected = { quantity: 2, state: 'rejected', reason: 'sold_out' };
  const cancelled = outcome(3, 6, { state: 'cancelled' });
  return {
    commands: [
      commandRecord(ZONE_KEY, 'CreateZone', { ...ZONE, capacity: 3, quantityMax: 10, price: null }),
      buy(1, 2),
      buy(2, 2),
      buy(1, 2),
      POISON,
      buy(3),
      commandRecord(ZONE_KEY, 'CancelPurchase', { purchaseId: idOf(3), ...ZONE }),
    ],
    status: [
      purchaseRecord(outcome(1, 1, { quantity: 2 })),
      purchaseRecord(outcome(2, 2, rejected)),
      purchaseRecord(outcome(1, 1, { quantity: 2 })),
      purchaseRecord({ ...outcome(3, 5) }),
      purchaseRecord(cancelled),
    ],
    stock: [
      stockRecord(stockAt(1, 0, 0)),
      stockRecord(stockAt(3, 3, 5)),
      stockRecord(stockAt(4, 2, 6)),
    ],
    letters: [letterRecord(POISON, 4)],
    zones: [
      lastZone({ version: 1, sold: 0, commandOffset: 0 }),
      lastZone({ version: 3, sold: 3, commandOffset: 5 }),
      lastZone({}),
    ],
    purchases: [
      purchaseRecord(outcome(1, 1, { quantity: 2 })),
      purchaseRecord(outcome(2, 2, rejected)),
      purchaseRecord(outcome(3, 5)),
      purchaseRecord(cancelled),
    ],
  };
}

export const lastZone = (changes: Partial<ZoneRecord>) => zoneRecord({ ...LAST_ZONE, ...changes });

const OUTPUTS = ['status', 'stock', 'letters', 'zones', 'purchases'] as const;

export type Cuts = Readonly<Record<(typeof OUTPUTS)[number], readonly [number, number]>>;

/** Where the second transaction and the third begin, by index: of commands 1 to 5, and of 6. */
export const CUTS: Cuts = {
  status: [0, 4],
  stock: [1, 2],
  letters: [0, 1],
  zones: [1, 2],
  purchases: [0, 3],
};

export interface LogOptions {
  /** Default 2. Under 1, all transactions have one epoch. */
  readonly transactions?: 1 | 2;
  readonly cuts?: Cuts;
}

/** Commands plain; everything else in three committed transactions. */
export function logOf(sale: SmallSale, { transactions = 2, cuts = CUTS }: LogOptions = {}) {
  const log = new MemoryLog(transactions);
  log.append('commands', sale.commands);
  for (const index of [0, 1, 2]) {
    const epochsBefore = transactions === 1 ? 0 : 2 - index;
    const producer = { ...PRODUCER, producerEpoch: PRODUCER.producerEpoch - epochsBefore };
    const part = (topic: (typeof OUTPUTS)[number]) =>
      sale[topic].slice(index === 0 ? 0 : cuts[topic][index - 1], cuts[topic][index]);
    const written = OUTPUTS.filter((topic) => part(topic).length > 0);
    for (const topic of written) log.append(topic, part(topic), producer);
    for (const topic of written) log.end(topic, producer, 'commit');
  }
  log.committedOffset = log.endOf('commands');
  return log;
}
