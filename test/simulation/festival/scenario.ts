/**
 * A festival as a scenario: its producers' records come in at the door and are decided as ours are. What
 * is announced is held to what was asked for, money and stock to the model of purchases.
 */
import { fromBytes } from '../../../schemas/serde.ts';
import type { Outcome, Scenario, StoreContent } from '../../../simulation/scenario.ts';
import type { ReadRecord } from '../../../simulation/topic-reader.ts';
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import {
  EARLY_PAYMENTS,
  type EarlyPayment,
} from '../../../ticket-sales/festival/early-payments.ts';
import type { FestivalPayment } from '../../../ticket-sales/festival/festival-records.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { kept, stock } from '../holds/kept.ts';
import { LifeModel, type LoggedPayment } from '../holds/life-model.ts';
import { watchExpiry } from '../holds/watch-expiry.ts';
import { APPLICATION_ID, PARTITIONS, serdes } from '../sale.ts';
import { FESTIVAL, festivalTopology, festival as theirSerdes, topics } from './app.ts';
import { Guests } from './guests.ts';

const topology = festivalTopology();
/** Why a payment of theirs may end as a dead letter, and must not else. */
const NO_PURCHASE = 'the festival has no such purchase';
const NOTHING_TO_PAY = 'the purchase was not to be paid';

export const festival: Scenario = {
  applicationId: APPLICATION_ID,
  topology: () => topology,
  topics,
  isLogTimeSteady: true,
  begin: (run) => {
    const guests = new Guests(run);
    return {
      feed: () => guests.feed(),
      check: (outcome) => judge(outcome, guests, run.count),
    };
  },
  watch: watchExpiry,
};

async function judge(
  outcome: Outcome,
  guests: Guests,
  count: (what: string) => void,
): Promise<readonly string[]> {
  if (guests.failures.length > 0) return guests.failures;
  const statuses = await outcome.records(TOPICS.purchaseStatus);
  const payments = await outcome.records(TOPICS.payments);
  const refunds = await outcome.records(TOPICS.refundRequests);
  const inventory = await outcome.records(TOPICS.inventory);
  const letters = (await outcome.records(`${TOPICS.payments}.dlq`)).flat();
  const refused = (await outcome.records(`${TOPICS.commands}.dlq`)).flat();
  const stores = await outcome.stores();
  const violations = refused.map((letter) => `a dead letter: ${reasonOf(letter)}`);
  const purchases = new Map<string, Purchase>();
  const uncounted = new Set([...refusedBy(letters, violations, count), ...waitingIn(stores)]);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const announced = statuses[partition]!.map(({ value }) => fromBytes(serdes.purchase, value!));
    const last = new Map(announced.map((purchase) => [purchase.purchaseId, purchase]));
    const model = new LifeModel(
      guests.zones,
      payments[partition]!.flatMap((record) => paymentIn(record, last, uncounted)),
    );
    for (const purchase of announced) {
      count(`purchase ${purchase.state}`);
      model.announced(purchase);
      purchases.set(purchase.purchaseId, purchase);
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
  return [
    ...violations,
    ...answersAre(guests, purchases),
    ...theirInventoryIs(inventory.flat(), (await outcome.records(FESTIVAL.inventoryTopic)).flat()),
  ];
}

/** Whose payments nobody could count in time, or whose purchase owed nothing. */
function refusedBy(
  letters: readonly ReadRecord[],
  violations: string[],
  count: (what: string) => void,
): readonly string[] {
  return letters.map((letter) => {
    const reason = reasonOf(letter);
    count(`dead letter: ${reason}`);
    if (reason !== NO_PURCHASE && reason !== NOTHING_TO_PAY) {
      violations.push(`a dead letter: ${reason}`);
    }
    return fromBytes(theirSerdes.payment, letter.value!).purchaseId.toLowerCase();
  });
}

/** Whose payments have not met them yet. */
function waitingIn(stores: readonly StoreContent[]): readonly string[] {
  return stores
    .filter(({ store }) => store === EARLY_PAYMENTS)
    .flatMap(({ entries }) => [...entries.values()] as EarlyPayment[])
    .map(({ payment }) => payment.purchaseId.toLowerCase());
}

/** As the sale must take it, where it is heard of by the purchase's own zone. */
function paymentIn(
  { offset, timestampMs, value }: ReadRecord,
  purchases: ReadonlyMap<string, Purchase>,
  uncounted: ReadonlySet<string>,
): readonly LoggedPayment[] {
  const theirs = fromBytes(theirSerdes.payment, value!) as FestivalPayment;
  const purchaseId = theirs.purchaseId.toLowerCase();
  const purchase = purchases.get(purchaseId);
  if (purchase === undefined || purchase.price === null) return [];
  const { eventId, zoneId, price, checkout } = purchase;
  if (uncounted.has(purchaseId) && (checkout?.paidMinor ?? 0) === 0) return [];
  const update: PaymentUpdate = {
    kind: 'payment',
    purchaseId,
    eventId,
    zoneId,
    paymentId: `festival:${purchaseId}`,
    status: theirs.status.toLowerCase() as PaymentUpdate['status'],
    ...price,
    refundId: null,
    detail: null,
    occurredAtMs: theirs.timestamp,
  };
  return [{ offset, timestampMs, update }];
}

/** Each guest has one answer, to what he asked for. */
function answersAre({ asked }: Guests, purchases: ReadonlyMap<string, Purchase>): string[] {
  const unasked = [...purchases.keys()].filter((id) => !asked.has(id));
  const wrong = [...asked].filter(([id, { userId, ticketType, quantity }]) => {
    const purchase = purchases.get(id);
    return (
      purchase?.buyerId !== userId.toLowerCase() ||
      purchase.zoneId !== ticketType ||
      purchase.quantity !== quantity
    );
  });
  return [
    ...unasked.map((id) => `${id} was answered and never asked for`),
    ...wrong.map(([id]) => `${id} is answered as ${JSON.stringify(purchases.get(id))}`),
  ];
}

/** What the festival's consumers are told is what was left, each time. */
function theirInventoryIs(
  ours: readonly ReadRecord[],
  told: readonly ReadRecord[],
): readonly string[] {
  const wanted = ours.map(({ value }) => {
    const { zoneId, available, updatedAtMs } = fromBytes(serdes.inventory, value!);
    return `${zoneId}: ${available} at ${updatedAtMs}`;
  });
  const found = told.map(({ value }) => {
    const { ticketType, availableCount, timestamp } = fromBytes(theirSerdes.inventory, value!);
    return `${ticketType}: ${availableCount} at ${timestamp}`;
  });
  const [has, should] = [found.sort().join(', '), wanted.sort().join(', ')];
  return has === should ? [] : [`${FESTIVAL.inventoryTopic} has ${has} instead of ${should}`];
}

function reasonOf({ headers }: ReadRecord): string {
  const { value = null } = headers.find(({ key }) => key === '__streams.errors.message') ?? {};
  return String(value);
}
