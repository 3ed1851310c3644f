/** Who waits for an order's zones, and when they are woken. */
import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../../base/manual-clock.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import { toBytes } from '../../../schemas/serde.ts';
import type { Order } from '../../../ticket-sales/orders/order.ts';
import { ORDER_TOPICS, orderSerdes } from '../../../ticket-sales/orders/order-records.ts';
import { OrderWaiters } from '../../../ticket-sales/orders/order-waiters.ts';
import { heldOrder, ORDER_ID, placedOrder } from './samples.ts';

const serdes = orderSerdes({ register: async () => 7, schemaById: async () => 'string' });
const clock = new ManualClock();
const nobodyLeaves = new AbortController().signal;
let waiters: OrderWaiters;

beforeEach(async () => {
  await serdes.order.prepare?.(ORDER_TOPICS.orderStatus, 'value');
  waiters = new OrderWaiters({ orderSerde: serdes.order, clock, waitersMax: 2 });
});

function commit(...orders: readonly Order[]): void {
  const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
  for (const order of orders) {
    builder.append(0, Buffer.from(order.orderId), toBytes(serdes.order, order));
  }
  const topic = ORDER_TOPICS.orderStatus;
  const { bytes: batch } = builder.finish(topic, 0, 'none');
  const outputs = [{ topic, partition: 0, batch }];
  waiters.onCommitted({ taskPartitions: [0], outputs, committedAtMs: 0 });
}

/** Whether it is resolved by now. */
async function isDone(waiting: Promise<void>): Promise<boolean> {
  const pending = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([waiting.then(() => true), pending]);
}

test('everybody is woken when the zones have answered, not when the order is placed', async () => {
  const waiting = [1, 2].map(() => waiters.wait(ORDER_ID, 1_000, nobodyLeaves));
  commit(placedOrder());
  expect(await Promise.all(waiting.map(isDone))).toEqual([false, false]);
  commit({ ...heldOrder(), orderId: 'order-of-somebody-else' }, heldOrder());
  expect(await Promise.all(waiting.map(isDone))).toEqual([true, true]);
  expect(waiters.isAnybodyWaiting).toBe(false);
});

test('nobody waits longer than he said, or after he left', async () => {
  const leaving = new AbortController();
  const patient = waiters.wait(ORDER_ID, 1_000, nobodyLeaves);
  const left = waiters.wait(ORDER_ID, 1_000, leaving.signal);
  leaving.abort();
  expect([await isDone(left), await isDone(patient)]).toEqual([true, false]);
  clock.advance(1_000);
  expect(await isDone(patient)).toBe(true);
  expect(waiters.isAnybodyWaiting).toBe(false);
});

test('only so many may wait', async () => {
  const waiting = [1, 2].map(() => waiters.wait(ORDER_ID, 1_000, nobodyLeaves));
  expect(await isDone(waiters.wait(ORDER_ID, 1_000, nobodyLeaves))).toBe(true);
  commit(heldOrder());
  await Promise.all(waiting);
});

test('what cannot be read here wakes, too: the store is looked at then', async () => {
  const waiting = waiters.wait(ORDER_ID, 1_000, nobodyLeaves);
  const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
  builder.append(0, Buffer.from(ORDER_ID), Buffer.from('not an order'));
  const { bytes: batch } = builder.finish(ORDER_TOPICS.orderStatus, 0, 'none');
  const outputs = [{ topic: ORDER_TOPICS.orderStatus, partition: 0, batch }];
  waiters.onCommitted({ taskPartitions: [0], outputs, committedAtMs: 0 });
  expect(await isDone(waiting)).toBe(true);
});
