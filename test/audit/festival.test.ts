/**
 * The festival's own records among ours, through its door and the real sale: the auditor knows what
 * becomes of them, and tells what nothing has become of.
 */
import { expect, test } from 'vitest';
import { avroSerde } from '../../schemas/avro-serde.ts';
import { toBytes } from '../../schemas/serde.ts';
import type { ZoneTerms } from '../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../ticket-sales/domain/zone-terms.ts';
import { EARLY_PAYMENTS, type EarlyPayment } from '../../ticket-sales/festival/early-payments.ts';
import {
  type FestivalPayment,
  type FestivalPurchase,
  festivalSerdes,
} from '../../ticket-sales/festival/festival-records.ts';
import { loadSchema } from '../../ticket-sales/records.ts';
import { ticketTopology } from '../../ticket-sales/ticket-topology.ts';
import { auditLog, type MemoryLog, registry, ruleOf, violations } from './crafted-log.ts';
import { DrivenSale, serdes } from './driven-sale.ts';
import { numbersFrom } from './random.ts';
import { idOf } from './small-sale.ts';

const LOGS = 100;
const STEPS = 40;
const WAIT_MS = 600_000;
const festival = {
  options: {
    eventId: 'fest',
    inventoryTopic: 'festivalInventoryUpdated',
    paymentWaitMs: WAIT_MS,
  },
  serdes: festivalSerdes(registry, serdes),
};
const purchases = avroSerde<Omit<FestivalPurchase, 'kind'>>({
  schema: loadSchema('festival-purchase-requested'),
  registry,
});
await purchases.prepare?.('any', 'value');
await festival.serdes.passedOn.prepare?.('any', 'value');
const HOLD: ZoneTerms = { ...PLAIN_TERMS, checkout: 'hold', holdMs: 5_000 };

const wanted = (index: number, ticketType = 'vip', quantity = 1) =>
  toBytes(purchases, {
    ...{ purchaseId: idOf(index).toUpperCase(), userId: idOf(500 + index) },
    ...{ ticketType, quantity, timestamp: 1_000 },
  });
const paid = (index: number, status = 'Succeeded', purchaseId = idOf(index)) =>
  toBytes(festival.serdes.passedOn, {
    kind: 'festivalPayment',
    ...{ purchaseId, timestamp: 2_000 + index, status },
  } as FestivalPayment);

async function newSale(): Promise<DrivenSale> {
  const sale = new DrivenSale(ticketTopology(serdes, { commandPartitions: 1, festival }));
  const price = { amountMinor: 4_000, currency: 'EUR' };
  // Whoever wants to be a guest of honour is held: a payment that waits for it is one that counts.
  for (const [zoneId, terms, capacity] of [
    ['normal', null, 6],
    ['vip', HOLD, 1_000],
  ] as const) {
    const zone = { eventId: 'fest', zoneId, capacity, quantityMax: 3, price, terms };
    await sale.command({ kind: 'createZone', ...zone, blockedSeats: [] });
  }
  return sale;
}

async function finished(sale: DrivenSale): Promise<MemoryLog> {
  const early = sale.driver.getKeyValueStore<string, EarlyPayment>(EARLY_PAYMENTS);
  for await (const [key, value] of early.range()) {
    const record = { key: Buffer.from(key), value: Buffer.from(JSON.stringify(value)) };
    sale.log.append('waiting', [record]);
  }
  return sale.finish();
}

/** Odd ones are of the zone that holds; even ones are sold at once, and paid only when they are known. */
async function randomStep(sale: DrivenSale, pick: (below: number) => number): Promise<void> {
  const index = pick(12);
  const key = ['fest/vip', 'anything', null][pick(3)]!;
  const ticketType = index % 2 === 1 ? 'vip' : 'normal';
  switch (pick(8)) {
    case 0:
    case 1:
    case 2:
      return sale.pipe('commands', key, wanted(index, ticketType, 1 + (index % 3)));
    case 3:
    case 4: {
      const isKnown = sale.stored('purchases', idOf(index)) !== undefined;
      if (ticketType === 'normal' && !isKnown) return undefined;
      return sale.pipe('payments', key, paid(index, pick(3) === 0 ? 'FAILED' : 'Succeeded'));
    }
    case 5: {
      const address = { eventId: 'fest', zoneId: ticketType, purchaseId: idOf(index) };
      if (pick(2) === 0) return sale.command({ kind: 'cancel', ...address });
      const request = { buyerId: 'eve', quantity: 1, requestedAtMs: 0, options: null };
      return sale.command({ kind: 'purchase', ...address, ...request });
    }
    case 6:
      // Nobody understands these.
      return pick(2) === 0
        ? sale.pipe('payments', key, paid(index, 'MAYBE'))
        : sale.pipe('commands', key, Buffer.from('{"json":true}'));
    default:
      return sale.pass(1_000 + 1_000 * pick(3));
  }
}

test(`raises nothing on ${LOGS} sales with the festival's records`, {
  timeout: 300_000,
}, async () => {
  const found: string[] = [];
  let paidOnes = 0;
  for (let seed = 0; seed < LOGS; seed++) {
    const sale = await newSale();
    const pick = numbersFrom(seed);
    for (let step = 0; step < STEPS; step++) await randomStep(sale, pick);
    await sale.pass(8_000);
    const report = await auditLog(await finished(sale), { isSettled: true });
    found.push(...violations(report).map((violation) => `seed ${seed}: ${violation}`));
    found.push(...[...report.invalid, ...report.notes].map((what) => `seed ${seed}: ${what}`));
    if (ruleOf(report, 'I15') === 'held') paidOnes++;
  }
  expect(found).toEqual([]);
  expect(paidOnes).toBeGreaterThan(LOGS / 2);
});

test('a purchase of theirs that is not passed on, and no dead letter, is reported', async () => {
  const sale = await newSale();
  await sale.pipe('commands', null, wanted(1));
  const log = await finished(sale);
  const offset = log.append('commands', [{ key: null, value: wanted(3) }]);
  log.committedOffset = log.endOf('commands');
  expect(violations(await auditLog(log))).toEqual([`I7 ticketPurchase-0@${offset}`]);
});

test('a payment of theirs that ends nowhere is reported', async () => {
  const sale = await newSale();
  await sale.pipe('commands', null, wanted(1));
  await sale.pipe('payments', null, paid(1));
  const log = await finished(sale);
  const offset = log.append('payments', [{ key: null, value: paid(3) }]);
  expect(violations(await auditLog(log))).toEqual([`I7 paymentStatusUpdate-0@${offset}`]);
});

test('a payment of theirs that waits for its purchase is none that is lost', async () => {
  const sale = await newSale();
  await sale.pipe('commands', null, wanted(1));
  await sale.pipe('payments', 'k', paid(3));
  await sale.pass(10_000);
  const early = sale.driver.getKeyValueStore<string, EarlyPayment>(EARLY_PAYMENTS);
  let waiting = 0;
  for await (const _ of early.range()) waiting++;
  expect(waiting).toBe(1);
  expect(violations(await auditLog(await finished(sale)))).toEqual([]);
});

test('what the festival asked for in the topic is no ghost to a journal of others', async () => {
  const sale = await newSale();
  await sale.pipe('commands', null, wanted(1));
  const address = { eventId: 'fest', zoneId: 'vip' };
  const stranger = { purchaseId: idOf(9), buyerId: 'eve', quantity: 1 };
  const asked = { requestedAtMs: 0, options: null };
  await sale.command({ kind: 'purchase', ...address, ...stranger, ...asked });
  const known = { ...address, ...stranger, answer: 'accepted' } as const;
  const log = await finished(sale);
  expect(violations(await auditLog(log, { journal: [known] }))).toEqual([]);
});
