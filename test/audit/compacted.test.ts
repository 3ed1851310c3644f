/** Compaction takes outcomes that newer ones replace, from the head of a log as well as from its middle. */
import { expect, test } from 'vitest';
import type { LogSource } from '../../audit/log/log-source.ts';
import { lastOffset } from '../../kafka/records/record-batch.ts';
import { PLAIN_TERMS } from '../../ticket-sales/domain/zone-terms.ts';
import { sellTickets } from '../../ticket-sales/sale/sell-tickets.ts';
import { Topology } from '../../topology/topology.ts';
import { auditLog, TOPICS, violations } from './crafted-log.ts';
import { DrivenSale, serdes } from './driven-sale.ts';
import { idOf } from './small-sale.ts';

const ZONE = { eventId: 'gala', zoneId: 'floor' };

/** Two buy, and give back what they have: outcomes 0 to 3, with markers behind each. */
async function sale(): Promise<LogSource> {
  const driven = new DrivenSale(sellTickets(new Topology(), serdes, { commandPartitions: 1 }));
  const zone = { ...ZONE, capacity: 3, quantityMax: 3, price: null, terms: null };
  await driven.command({ kind: 'createZone', ...zone, blockedSeats: [] });
  for (const index of [1, 2]) {
    const who = { purchaseId: idOf(index), buyerId: 'ada', quantity: 1, requestedAtMs: 0 };
    await driven.command({ kind: 'purchase', ...ZONE, ...who, options: null });
  }
  for (const index of [1, 2]) {
    await driven.command({ kind: 'cancel', ...ZONE, purchaseId: idOf(index) });
  }
  return driven.finish();
}

/** Without those batches of the outcomes that end at these offsets. */
function compacted(log: LogSource, offsets: readonly number[]): LogSource {
  return {
    topics: () => log.topics(),
    sample: (topics, inputs) => log.sample(topics, inputs),
    async *read(topic, partition, bounds) {
      for await (const { batches, aborted } of log.read(topic, partition, bounds)) {
        const isKept = offsets.every((offset) => lastOffset(batches[0]!.header) !== offset);
        if (topic !== TOPICS.status || isKept) yield { batches, aborted };
      }
    },
  };
}

test('where purchases are held, a gap among their outcomes makes the audit not valid', async () => {
  const driven = new DrivenSale(sellTickets(new Topology(), serdes, { commandPartitions: 1 }));
  const price = { amountMinor: 100, currency: 'EUR' };
  const terms = { ...PLAIN_TERMS, checkout: 'hold', holdMs: 10_000 } as const;
  const zone = { ...ZONE, capacity: 3, quantityMax: 3, price, terms };
  await driven.command({ kind: 'createZone', ...zone, blockedSeats: [] });
  const who = { purchaseId: idOf(1), buyerId: 'ada', quantity: 1, requestedAtMs: 0 };
  await driven.command({ kind: 'purchase', ...ZONE, ...who, options: null });
  await driven.command({ kind: 'cancel', ...ZONE, purchaseId: idOf(1) });
  const log = await driven.finish();
  expect((await auditLog(log)).verdict).toBe('right');
  expect((await auditLog(compacted(log, [0]))).verdict).toBe('not-valid');
});

test.each([
  ['at the head', [0, 1]],
  ['in the middle', [2]],
] as const)('an outcome that was compacted away %s is none that is missing', async (_, offsets) => {
  const report = await auditLog(compacted(await sale(), offsets));
  expect(violations(report)).toEqual([]);
  expect(report.verdict).toBe('right');
});
