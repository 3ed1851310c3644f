/** Which topics a sale has, by its application id: pure, from the list of all topics. */
export const TASK_TOPICS = {
  commands: 'ticketPurchase',
  status: 'purchaseStatusUpdated',
  stock: 'inventoryUpdated',
  deadLetters: 'ticketPurchase.dlq',
} as const;

const EVENTS = 'eventDefined';

/** Where money is asked for, and told of. A sale from before there were payments has none of them. */
export const MONEY_TOPICS = {
  payments: 'paymentStatusUpdate',
  deadPayments: 'paymentStatusUpdate.dlq',
  paymentRequests: 'paymentRequested',
  refundRequests: 'refundRequested',
} as const;
const MONEY: readonly string[] = Object.values(MONEY_TOPICS);

/** Where orders of several zones are taken. A sale without them has none of these. */
export const ORDER_TOPICS = {
  orders: 'ticketOrder',
  status: 'orderStatusUpdated',
  deadLetters: 'ticketOrder.dlq',
} as const;
const ORDERS: readonly string[] = Object.values(ORDER_TOPICS);

export interface SaleTopics {
  /** All that are audited. */
  readonly partitions: ReadonlyMap<string, number>;
  /** What the application consumes. */
  readonly inputs: readonly string[];
  /** Required ones that do not exist. */
  readonly missing: readonly string[];
  /** Read for their transactions and their lag only. */
  readonly others: readonly { readonly topic: string; readonly partition: number }[];
}

/** The changelogs of the sale's two stores. */
export function changelogsOf(applicationId: string): { zones: string; purchases: string } {
  return {
    zones: `${applicationId}-zones-changelog`,
    purchases: `${applicationId}-purchases-changelog`,
  };
}

export function ordersChangelogOf(applicationId: string): string {
  return `${applicationId}-orders-changelog`;
}

/** Payments of the festival that wait for their purchases; where no event is the festival, there is none. */
export function earlyPaymentsOf(applicationId: string): string {
  return `${applicationId}-festival-early-payments-changelog`;
}

export function saleTopics(all: ReadonlyMap<string, number>, applicationId: string): SaleTopics {
  const required = [...Object.values(TASK_TOPICS), ...Object.values(changelogsOf(applicationId))];
  const isInternal = (topic: string) =>
    topic.startsWith(`${applicationId}-`) && /-(changelog|repartition)$/.test(topic);
  const isOurs = (topic: string) =>
    required.includes(topic) ||
    isInternal(topic) ||
    topic === EVENTS ||
    MONEY.includes(topic) ||
    ORDERS.includes(topic) ||
    topic === `${EVENTS}.dlq`;
  const partitions = new Map([...all].filter(([topic]) => isOurs(topic)));
  const ordersChangelog = ordersChangelogOf(applicationId);
  const takesOrders = partitions.has(ORDER_TOPICS.orders);
  const isOfOrders = (topic: string) => ORDERS.includes(topic) || topic === ordersChangelog;
  const isJudged = (topic: string) =>
    required.includes(topic) ||
    MONEY.includes(topic) ||
    topic === earlyPaymentsOf(applicationId) ||
    (takesOrders && isOfOrders(topic));
  const rest = [...partitions].filter(([topic]) => !isJudged(topic));
  return {
    partitions,
    inputs: [...partitions.keys()].filter(
      (topic) =>
        topic === TASK_TOPICS.commands ||
        topic === MONEY_TOPICS.payments ||
        topic === ORDER_TOPICS.orders ||
        topic === EVENTS ||
        topic.endsWith('-repartition'),
    ),
    missing: required.filter((topic) => !partitions.has(topic)),
    others: rest.flatMap(([topic, count]) =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition })),
    ),
  };
}
