/**
 * The sale with holds, seats, payments and refunds as a scenario. Time decides here, so the broker's
 * clock, which stamps the log, keeps step; those of the instances jump.
 */
import { forEachBatch } from '../../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { KafkaStreams } from '../../../runtime/kafka-streams.ts';
import { fromBytes } from '../../../schemas/serde.ts';
import type { Outcome, Scenario, StoreContent, Watch } from '../../../simulation/scenario.ts';
import type { ReadRecord } from '../../../simulation/topic-reader.ts';
import { EPOCH_MS } from '../../../simulation/world/process.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { holdKey, STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { ticketTopics } from '../../../ticket-sales/topics.ts';
import { auditSale, sentencesOf } from '../audited-sale.ts';
import { APPLICATION_ID, PARTITIONS, saleTopology, serdes } from '../sale.ts';
import { Customers } from './customers.ts';
import { LifeModel, type LoggedPayment } from './life-model.ts';
import { plain } from './plain.ts';

const topology = saleTopology();

export const holds: Scenario = {
  applicationId: APPLICATION_ID,
  topology: () => topology,
  topics: ticketTopics(PARTITIONS, 1),
  isLogTimeSteady: true,
  begin: (run) => {
    const customers = new Customers(run);
    return {
      feed: () => customers.feed(),
      check: async (outcome) => {
        const own = await judge(outcome, customers, run.count);
        if (own.length > 0) return own;
        const report = await auditSale(outcome, customers.journal, { isSettled: true });
        for (const [rule, { kind }] of report.rules) run.count(`${rule} ${kind}`);
        return sentencesOf(report);
      },
    };
  },
  watch: watchExpiry,
};

async function judge(
  outcome: Outcome,
  customers: Customers,
  count: (what: string) => void,
): Promise<readonly string[]> {
  const statuses = await outcome.records(TOPICS.purchaseStatus);
  const payments = await outcome.records(TOPICS.payments);
  const refunds = await outcome.records(TOPICS.refundRequests);
  const inventory = await outcome.records(TOPICS.inventory);
  const stores = await outcome.stores();
  const violations: string[] = [];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const model = new LifeModel(customers.zones, payments[partition]!.map(paymentOf));
    for (const { value } of statuses[partition]!) {
      const purchase = fromBytes(serdes.purchase, value!);
      count(`purchase ${purchase.state}`);
      model.announced(purchase);
    }
    model.money(refunds[partition]!.map(({ value }) => fromBytes(serdes.refundRequest, value!)));
    model.end();
    const place = `partition ${partition}`;
    violations.push(
      ...model.violations.map((what) => `${place}: ${what}`),
      ...stock(place, model, inventory[partition]!),
      ...kept(place, model, stores),
    );
  }
  return violations;
}

function paymentOf({ offset, timestampMs, value }: ReadRecord): LoggedPayment {
  return { offset, timestampMs, update: fromBytes(serdes.payment, value!) };
}

/** The last stock that was announced is what the outcomes sum up to. */
function stock(place: string, { sums }: LifeModel, records: readonly ReadRecord[]): string[] {
  const last = new Map(
    records.map(({ key, value }) => [key, fromBytes(serdes.inventory, value!)] as const),
  );
  return [...sums].flatMap(([key, { held, sold, revenueMinor }]) => {
    const told = last.get(key);
    const isSame = told?.held === held && told.sold === sold && told.revenueMinor === revenueMinor;
    return isSame ? [] : [`${place}: ${key} is announced as ${JSON.stringify(told)}`];
  });
}

/** What is on the disks of the last owners. */
function kept(place: string, model: LifeModel, stores: readonly StoreContent[]): string[] {
  const violations: string[] = [];
  const contentOf = (name: string) =>
    stores.find(({ store, partition }) => store === name && place === `partition ${partition}`)
      ?.entries as ReadonlyMap<string, unknown>;
  const purchases = contentOf(STORES.purchases);
  for (const [id, purchase] of model.purchases) {
    if (JSON.stringify(plain(purchases.get(id))) === JSON.stringify(plain(purchase))) continue;
    violations.push(`${place}: the store has ${id} as ${JSON.stringify(purchases.get(id))}`);
  }
  if (purchases.size !== model.purchases.size) {
    violations.push(`${place}: the store has ${purchases.size} purchases`);
  }
  const live = [...model.purchases.values()].filter(({ state }) => state === 'held');
  const wanted = live.map(({ checkout, purchaseId }) => holdKey(checkout!.heldUntilMs, purchaseId));
  const found = [...contentOf(STORES.holds).keys()];
  if (found.join() !== wanted.sort().join()) violations.push(`${place}: holds are ${found}`);
  return violations;
}

/** At the moment at which the end of a hold is announced: it must have come. */
function watchExpiry(streams: KafkaStreams, { clock, violated, count }: Watch): void {
  const cursor = createRecordCursor();
  streams.onCommitted(
    [TOPICS.purchaseStatus],
    () => true,
    ({ outputs }) => {
      const logTimeMs = EPOCH_MS + clock.monotonicMs();
      for (const { batch } of outputs) {
        forEachBatch(batch, (header) => {
          cursor.open({ buffer: batch, header });
          while (cursor.next()) {
            const { purchaseId, state, checkout } = serdes.purchase.decode(
              cursor.buffer,
              cursor.valueStart,
              cursor.valueEnd,
            );
            if (state !== 'expired' || checkout === null) continue;
            count('expiry watched');
            const earlyMs = Math.round(checkout.heldUntilMs - logTimeMs);
            if (earlyMs > 0) violated(`the hold of ${purchaseId} ends ${earlyMs} ms early`);
          }
        });
      }
    },
  );
}
