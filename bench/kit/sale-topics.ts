/** The sale's topics and schemas, whether the app has been on that broker or not. */
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { createKafkaClient } from '../../kafka/kafka-client.ts';
import type { KafkaClient } from '../../kafka/ports.ts';
import { SchemaRegistryService } from '../../schemas/registry/schema-registry-service.ts';
import { createSchemasTopic, kafkaSchemaLog } from '../../ticket-sales/app/kafka-schema-log.ts';
import { TOPICS, ticketSerdes } from '../../ticket-sales/records.ts';
import { ensureTopics, ticketTopics } from '../../ticket-sales/topics.ts';
import type { SaleOnKafka } from '../sale-client.ts';

export const REACHABLE_WITHIN_MS = 30_000;

/** A client that needs no HTTP: the schemas are read from their topic. */
export interface SaleTopics extends SaleOnKafka {
  /** The id under which the topic's values are written. */
  schemaId(topic: string): number;
}

/** A client of its own for the bench; close it. */
export async function kafkaClient(brokers: string): Promise<KafkaClient> {
  const addresses = brokers.split(',').map((text) => {
    const cut = text.lastIndexOf(':');
    return { host: text.slice(0, cut), port: Number(text.slice(cut + 1)) };
  });
  const kafka = createKafkaClient({
    connection: { kind: 'tcp', brokers: addresses, clientId: 'bench' },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  await kafka.waitUntilReachable(AbortSignal.timeout(REACHABLE_WITHIN_MS), () => {});
  return kafka;
}

/** Creates what is missing, registers the schemas in `_schemas` as the app's own registry would. */
export async function withSaleTopics<T>(
  brokers: string,
  partitions: number,
  use: (topics: SaleTopics) => Promise<T>,
): Promise<T> {
  const kafka = await kafkaClient(brokers);
  const producer = kafka.producer({ deliveryTimeoutMs: 120_000, lingerMs: 0, compression: 'none' });
  await ensureTopics(kafka.admin, ticketTopics(partitions, -1));
  await createSchemasTopic(kafka, -1);
  const registry = new SchemaRegistryService(kafkaSchemaLog(kafka, producer, silentLog));
  try {
    await registry.start();
    const serdes = ticketSerdes(registry);
    await serdes.command.prepare?.(TOPICS.commands, 'value');
    await serdes.purchase.prepare?.(TOPICS.purchaseStatus, 'value');
    await serdes.inventory.prepare?.(TOPICS.inventory, 'value');
    const schemaId = (topic: string) => registry.state.versions(`${topic}-value`).at(-1)!.id;
    return await use({ kafka, producer, serdes, partitionCount: partitions, schemaId });
  } finally {
    await registry.close();
    await producer.close();
    await kafka.close();
  }
}
