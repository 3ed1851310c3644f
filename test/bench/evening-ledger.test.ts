import { expect, test } from 'vitest';
import { Ledger } from '../../bench/evening/ledger.ts';
import { planEvening } from '../../bench/evening/programme.ts';
import type { SaleClient } from '../../bench/sale-client.ts';
import type { FetchedPartition } from '../../kafka/ports.ts';
import { stampOffsets } from '../../kafka/records/batch-builder.ts';
import { readBatchHeader } from '../../kafka/records/record-batch.ts';
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import { TOPICS, ticketSerdes } from '../../ticket-sales/records.ts';
import { purchaseWith } from '../ticket-sales/domain/samples.ts';
import { statusNotice } from '../ticket-sales/http/status-notice.ts';

test('the last word on each purchase of the evening is kept, and no record is read twice', async () => {
  const serdes = ticketSerdes({ register: async () => 7, schemaById: async () => 'string' });
  await serdes.purchase.prepare?.(TOPICS.purchaseStatus, 'value');
  let offset = 0;
  const fetched = (...purchases: Purchase[]): FetchedPartition => {
    const { batch } = statusNotice(serdes.purchase, purchases).outputs[0]!;
    stampOffsets(batch, { baseOffset: offset, leaderEpoch: 0 });
    offset += purchases.length;
    const header = readBatchHeader(batch, 0)!;
    const { purchaseStatus: topic } = TOPICS;
    return {
      topic,
      partition: 0,
      batches: [{ buffer: batch, header }],
      nextOffset: offset,
    } as never;
  };
  const seeks: number[] = [];
  const arriving: FetchedPartition[] = [];
  const fetcher = {
    seek: (_: string, __: number, at: number) => seeks.push(at),
    poll: async () => arriving.splice(0),
    close: async () => {},
  };
  const kafka = { partitionCount: async () => 1, fetcher: () => fetcher };
  const evening = planEvening({ buyers: 1, seed: 1, holdMs: 1_000, name: 'x' });
  const ledger = await Ledger.open({ kafka, serdes } as unknown as SaleClient, evening);
  const purchase = (state: Purchase['state'], eventId = 'opera-x') =>
    purchaseWith({ purchaseId: `${eventId}-1`, eventId, state });
  const read = async (...purchases: Purchase[]) => {
    arriving.push(fetched(...purchases));
    const { length } = arriving;
    await ledger.readOn(() => arriving.length < length);
    return [...ledger.purchases.values()].map(({ purchaseId, state }) => [purchaseId, state]);
  };
  expect(await read(purchase('held'), purchase('held', 'gala'))).toEqual([['opera-x-1', 'held']]);
  expect(await read(purchase('confirmed'))).toEqual([['opera-x-1', 'confirmed']]);
  expect(seeks).toEqual([0]);
  await ledger.close();
});
