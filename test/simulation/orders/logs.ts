/** Everything that a run has left in its topics, decoded. */
import { fromBytes, type Serde } from '../../../schemas/serde.ts';
import type { Outcome } from '../../../simulation/scenario.ts';
import type { ReadRecord } from '../../../simulation/topic-reader.ts';
import type { PaymentUpdate, TicketCommand } from '../../../ticket-sales/domain/command.ts';
import type { NotificationRequest } from '../../../ticket-sales/domain/notification.ts';
import type { PaymentRequest, RefundRequest } from '../../../ticket-sales/domain/payment.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import type { Order } from '../../../ticket-sales/orders/order.ts';
import type { OrderCommand } from '../../../ticket-sales/orders/order-command.ts';
import { ORDER_TOPICS } from '../../../ticket-sales/orders/order-records.ts';
import { type InventoryUpdated, TOPICS } from '../../../ticket-sales/records.ts';
import { SEND_HEADER } from '../buyers.ts';
import { type Extent, IN_TOPICS, serdes } from './app.ts';

export interface Logged<V> {
  readonly value: V;
  readonly record: ReadRecord;
  /** Number of the send; undefined = the app has written it. */
  readonly send: number | undefined;
}

/** By partition, in order. */
type Log<V> = readonly (readonly Logged<V>[])[];

export interface Logs {
  readonly commands: Log<TicketCommand>;
  readonly orders: Log<OrderCommand>;
  readonly intake: Log<TicketCommand>;
  readonly payments: Log<PaymentUpdate>;
  readonly statuses: Log<Purchase>;
  readonly orderStatuses: Log<Order>;
  readonly paymentRequests: Log<PaymentRequest>;
  readonly refundRequests: Log<RefundRequest>;
  readonly inventory: Log<InventoryUpdated>;
  readonly notifications: Log<NotificationRequest>;
  /** By the topic that they were for. */
  readonly deadLetters: ReadonlyMap<string, readonly ReadRecord[]>;
}

export async function readLogs(outcome: Outcome, extent: Extent): Promise<Logs> {
  const read = async <V>(topic: string, serde: Serde<V>): Promise<Log<V>> => {
    const partitions = await outcome.records(topic);
    return partitions.map((records) =>
      records.map((record) => ({
        record,
        value: fromBytes(serde, record.value!),
        send: sendOf(record),
      })),
    );
  };
  const deadLetters = new Map<string, readonly ReadRecord[]>();
  const hasIntake = extent === 'everything';
  for (const topic of Object.values(IN_TOPICS)) {
    if (topic === IN_TOPICS.intake && !hasIntake) continue;
    deadLetters.set(topic, (await outcome.records(`${topic}.dlq`)).flat());
  }
  return {
    commands: await read(IN_TOPICS.commands, serdes.command),
    orders: await read(IN_TOPICS.orders, serdes.orderCommand),
    intake: hasIntake ? await read(IN_TOPICS.intake, serdes.command) : [],
    payments: await read(IN_TOPICS.payments, serdes.payment),
    statuses: await read(TOPICS.purchaseStatus, serdes.purchase),
    orderStatuses: await read(ORDER_TOPICS.orderStatus, serdes.order),
    paymentRequests: await read(TOPICS.paymentRequests, serdes.paymentRequest),
    refundRequests: await read(TOPICS.refundRequests, serdes.refundRequest),
    inventory: await read(TOPICS.inventory, serdes.inventory),
    notifications: await read(TOPICS.notificationRequests, serdes.notificationRequest),
    deadLetters,
  };
}

function sendOf({ headers }: ReadRecord): number | undefined {
  const header = headers.find(({ key }) => key === SEND_HEADER);
  return header === undefined ? undefined : Number(header.value);
}
