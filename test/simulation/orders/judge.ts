/** Holds what a run has left, in the topics and on the disks, to the models. Every sentence is a violation. */
import type { Outcome } from '../../../simulation/scenario.ts';
import type { PurchaseChange } from '../../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { isOrderId } from '../../../ticket-sales/orders/order.ts';
import type { PlaceOrderCommand } from '../../../ticket-sales/orders/order-command.ts';
import { SEND_HEADER } from '../buyers.ts';
import { kept, stock } from '../holds/kept.ts';
import { LifeModel } from '../holds/life-model.ts';
import { PARTITIONS } from '../sale.ts';
import { IN_TOPICS } from './app.ts';
import type { OrderBuyers } from './buyers.ts';
import { intakeIsRight } from './intake-model.ts';
import { type Logged, type Logs, readLogs } from './logs.ts';
import { notificationsAreRight } from './notification-model.ts';
import { moneyOf } from './order-money.ts';
import { type OrderFacts, OrderTrail } from './order-trail.ts';
import type { SalePlan } from './plan.ts';
import { reportsAreRight } from './report-model.ts';
import type { Sent } from './sender.ts';
import { ordersAreKept } from './stored-orders.ts';

export async function judge(
  outcome: Outcome,
  { plan, sender: { journal }, extent }: OrderBuyers,
  count: (what: string) => void,
): Promise<readonly string[]> {
  const logs = await readLogs(outcome, extent);
  const stores = await outcome.stores();
  const violations: string[] = [];
  const purchases = new Map<string, Purchase>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const model = purchasesOf(logs, plan, partition);
    for (const [id, purchase] of model.purchases) purchases.set(id, purchase);
    const place = `partition ${partition}`;
    const announced = logs.inventory[partition]!.map(({ record }) => record);
    violations.push(
      ...model.violations.map((what) => `${place}: ${what}`),
      ...stock(place, model, announced),
      ...kept(place, model, stores),
    );
  }
  const trails = trailsOf(logs, purchases);
  for (const { states, violations: told } of trails.values()) {
    for (const state of states) count(`order ${state}`);
    violations.push(...told);
  }
  const isOrders = ({ value }: Logged<{ readonly purchaseId: string }>) =>
    isOrderId(value.purchaseId);
  violations.push(
    ...moneyOf(trails, {
      payments: logs.payments
        .flat()
        .filter(isOrders)
        .map(({ value }) => value),
      requests: logs.paymentRequests
        .flat()
        .filter(isOrders)
        .map(({ value }) => value),
      refunds: logs.refundRequests
        .flat()
        .filter(isOrders)
        .map(({ value }) => value),
      purchases,
    }),
    ...strayHolds(trails, purchases),
    ...journalIsKept(logs, journal, purchases),
    ...deadLettersAreExplained(logs, journal),
    ...ordersAreKept(trails, stores),
    ...notificationsAreRight(logs, plan),
  );
  if (extent === 'orders') return violations;
  violations.push(
    ...intakeIsRight(plan, purchases, stores),
    ...reportsAreRight(logs.inventory, purchases, stores),
  );
  return violations;
}

function purchasesOf(logs: Logs, plan: SalePlan, partition: number): LifeModel {
  const ofPurchases = <V extends { readonly purchaseId: string }>(log: readonly Logged<V>[]) =>
    log.filter(({ value }) => !isOrderId(value.purchaseId));
  const payments = ofPurchases(logs.payments[partition]!).map(({ value, record }) => ({
    offset: record.offset,
    timestampMs: record.timestampMs,
    update: value,
  }));
  const model = new LifeModel(plan.zones, payments);
  for (const { value } of logs.statuses[partition]!) model.announced(value);
  model.money(ofPurchases(logs.refundRequests[partition]!).map(({ value }) => value));
  model.end();
  return model;
}

function trailsOf(
  logs: Logs,
  purchases: ReadonlyMap<string, Purchase>,
): ReadonlyMap<string, OrderTrail> {
  const trails = new Map<string, OrderTrail>();
  const trailOf = (orderId: string) => {
    const trail = trails.get(orderId) ?? new OrderTrail();
    trails.set(orderId, trail);
    return trail;
  };
  for (const { value } of logs.orderStatuses.flat()) trailOf(value.orderId).announced(value);
  const placed = new Map<string, PlaceOrderCommand>();
  const cancelled = new Set<string>();
  for (const { value } of logs.orders.flat()) {
    if (value.kind === 'cancelOrder') cancelled.add(value.orderId);
    else if (!placed.has(value.orderId)) placed.set(value.orderId, value);
  }
  const lines = lineFacts(logs);
  const failed = ordersWithFailedPayments(logs);
  for (const [orderId, command] of placed) {
    trailOf(orderId).end({
      ...lines,
      placed: command,
      isCancelled: cancelled.has(orderId),
      hasFailedPayment: failed.has(orderId),
      purchase: (id) => purchases.get(id),
    });
  }
  for (const [orderId, trail] of trails) {
    if (!placed.has(orderId)) trail.violations.push(`${orderId} was announced and never placed`);
  }
  return trails;
}

/** One that was captured first, and given back, has not failed. */
function ordersWithFailedPayments({ payments }: Logs): ReadonlySet<string> {
  const captured = new Set<string>();
  const failed = new Set<string>();
  for (const { value } of payments.flat()) {
    if (value.status === 'succeeded') captured.add(value.paymentId);
    else if (value.status === 'failed' && !captured.has(value.paymentId)) {
      failed.add(value.purchaseId);
    }
  }
  return failed;
}

function lineFacts(logs: Logs): Pick<OrderFacts, 'was' | 'sentFor' | 'isGivenBack'> {
  const was = new Set<string>();
  for (const { value } of logs.statuses.flat()) was.add(`${value.purchaseId} ${value.state}`);
  const sent = new Map<string, number>();
  const givenBack = new Set<string>();
  for (const { value, send } of logs.commands.flat()) {
    if (!('purchaseId' in value)) continue;
    const name = `${value.purchaseId} ${value.kind}`;
    if (send === undefined) sent.set(name, (sent.get(name) ?? 0) + 1);
    else if (value.kind === 'cancel') givenBack.add(value.purchaseId);
  }
  return {
    was: (purchaseId, state) => was.has(`${purchaseId} ${state}`),
    sentFor: (purchaseId, kind: PurchaseChange['kind']) => sent.get(`${purchaseId} ${kind}`) ?? 0,
    isGivenBack: (purchaseId) => givenBack.has(purchaseId),
  };
}

/** Whatever is a line belongs to an order that knows it. */
function strayHolds(
  trails: ReadonlyMap<string, OrderTrail>,
  purchases: ReadonlyMap<string, Purchase>,
): string[] {
  return [...purchases.values()].flatMap(({ purchaseId, checkout }) => {
    const orderId = checkout?.orderId ?? null;
    if (orderId === null) return [];
    const lines = trails.get(orderId)?.last?.lines ?? [];
    const isKnown = lines.some((line) => line.purchaseId === purchaseId);
    return isKnown ? [] : [`${purchaseId} is no line of ${orderId}, which it names`];
  });
}

/** Acknowledged sends are there once, refused ones are not, unknown ones at most once; and all are answered. */
function journalIsKept(
  logs: Logs,
  journal: readonly Sent[],
  purchases: ReadonlyMap<string, Purchase>,
): string[] {
  const { commands, orders, intake, payments } = logs;
  const times = new Map<number, number>();
  const all: readonly (readonly Logged<unknown>[])[] = [
    ...commands,
    ...orders,
    ...intake,
    ...payments,
  ];
  for (const { send } of all.flat()) {
    if (send !== undefined) times.set(send, (times.get(send) ?? 0) + 1);
  }
  const read: readonly string[] = Object.values(IN_TOPICS);
  const lost = journal.flatMap(({ topic, outcome }, number) => {
    if (!read.includes(topic)) return [];
    const count = times.get(number) ?? 0;
    if (outcome === 'acknowledged' ? count === 1 : count <= 1) return [];
    return [`send ${number} to ${topic} (${outcome}) is in the log ${count} times`];
  });
  const unanswered = [...commands.flat(), ...intake.flat()].flatMap(({ value }) =>
    value.kind === 'purchase' && !purchases.has(value.purchaseId)
      ? [`the purchase ${value.purchaseId} was never answered`]
      : [],
  );
  return [...lost, ...unanswered];
}

/** A buyer may give back what his zone has not heard of yet; nothing else that anybody does is refused. */
function deadLettersAreExplained({ deadLetters }: Logs, journal: readonly Sent[]): string[] {
  return [...deadLetters].flatMap(([topic, letters]) =>
    letters.flatMap(({ headers }) => {
      const textOf = (name: string) => headers.find(({ key }) => key === name)?.value?.toString();
      const message = journal[Number(textOf(SEND_HEADER))]?.message as
        | { kind?: string }
        | undefined;
      if (message?.kind === 'cancel') return [];
      return [`a dead letter of ${topic}: ${textOf('__streams.errors.message')}`];
    }),
  );
}
