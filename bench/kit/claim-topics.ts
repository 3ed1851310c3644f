/** A Kafka where the sale may have been: its topics there are deleted only when that is allowed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SCHEMAS_TOPIC } from '../../ticket-sales/app/kafka-schema-log.ts';
import { intakeTopics } from '../../ticket-sales/intake/intake-topology.ts';
import { orderTopics } from '../../ticket-sales/orders/order-topology.ts';
import { ticketTopics } from '../../ticket-sales/topics.ts';
import { kafkaClient } from './sale-topics.ts';

/** Internal topics of engine and rivals begin with the application id. */
const APPLICATION_PREFIX = 'ticket-sales-';
const GONE_WITHIN_MS = 30_000;

/** Resolves when the sale has no topics on that Kafka. Rejects when it has some and may not delete them. */
export async function claimTopics(brokers: string, mayDelete: boolean): Promise<void> {
  const kafka = await kafkaClient(brokers);
  try {
    const ofSale = [...ticketTopics(1, -1), ...orderTopics(1, -1), ...intakeTopics(1, -1)];
    const names = new Set([...ofSale.map(({ name }) => name), SCHEMAS_TOPIC]);
    const ours = async () =>
      (await kafka.admin.listTopics()).filter(
        (name) => names.has(name) || name.startsWith(APPLICATION_PREFIX),
      );
    let left = await ours();
    if (left.length === 0) return;
    if (!mayDelete) {
      throw new Error(
        `${brokers} has the topics ${left.join(', ')} already: --delete-topics lets the bench delete them`,
      );
    }
    await kafka.admin.deleteTopics(left);
    const deadlineMs = performance.now() + GONE_WITHIN_MS;
    while (left.length > 0) {
      if (performance.now() > deadlineMs) throw new Error(`${left.join(', ')} cannot be deleted`);
      await sleep(100);
      left = await ours();
    }
  } finally {
    await kafka.close();
  }
}
