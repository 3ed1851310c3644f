/**
 * The sale with holds, seats, payments and refunds as a scenario. Time decides here, so the broker's
 * clock, which stamps the log, keeps step; those of the instances jump.
 */
import { fromBytes } from '../../../schemas/serde.ts';
import type { Outcome, Scenario } from '../../../simulation/scenario.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { ticketTopics } from '../../../ticket-sales/topics.ts';
import { auditSale, sentencesOf } from '../audited-sale.ts';
import { APPLICATION_ID, PARTITIONS, saleTopology, serdes } from '../sale.ts';
import { Customers } from './customers.ts';
import { kept, stock } from './kept.ts';
import { LifeModel, paymentOf } from './life-model.ts';
import { watchExpiry } from './watch-expiry.ts';

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
