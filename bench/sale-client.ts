/**
 * The sale from the outside: what rush, kill program and benches share. Talks to Kafka, registry and
 * HTTP as any other client would, and keeps its own journal of what it asked for.
 */
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { createKafkaClient } from '../kafka/kafka-client.ts';
import { partitionForKey } from '../kafka/murmur2.ts';
import {
  type KafkaClient,
  type Producer,
  partitionKey,
  type TopicPartition,
} from '../kafka/ports.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';
import type { RecordCursor } from '../kafka/records/types.ts';
import { confluentRegistryClient } from '../schemas/confluent-registry-client.ts';
import { toBytes } from '../schemas/serde.ts';
import { bearer } from '../ticket-sales/app/demo.ts';
import type { PurchaseCommand } from '../ticket-sales/domain/command.ts';
import { purchaseIdFor } from '../ticket-sales/domain/purchase-id.ts';
import { zoneKey } from '../ticket-sales/domain/zone.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../ticket-sales/records.ts';

export interface SaleAddresses {
  /** host:port,host:port */
  readonly brokers: string;
  readonly registryUrl: string;
  readonly httpUrl: string;
}

export interface Sale {
  readonly eventId: string;
  readonly zones: readonly { readonly zoneId: string; readonly capacity: number }[];
}

export interface SaleClient {
  readonly kafka: KafkaClient;
  readonly producer: Producer;
  readonly serdes: TicketSerdes;
  readonly partitionCount: number;
  readonly addresses: SaleAddresses;
  /** Resolves when the record is durable. */
  send(command: PurchaseCommand): Promise<void>;
  close(): Promise<void>;
}

/** What can be asked of a sale, and read of it, on Kafka alone. */
export type SaleOnKafka = Pick<SaleClient, 'kafka' | 'producer' | 'serdes' | 'partitionCount'>;

/** Connects to a sale that runs. Rejects when nobody answers within `patienceMs`. */
export async function connectToSale(
  addresses: SaleAddresses,
  patienceMs: number,
): Promise<SaleClient> {
  const brokers = addresses.brokers.split(',').map((text) => {
    const cut = text.lastIndexOf(':');
    return { host: text.slice(0, cut), port: Number(text.slice(cut + 1)) };
  });
  const connection = { kind: 'tcp', brokers, clientId: 'sale-client' } as const;
  const kafka = createKafkaClient({
    connection,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  await kafka.waitUntilReachable(AbortSignal.timeout(patienceMs), () => {});
  const serdes = ticketSerdes(confluentRegistryClient({ url: addresses.registryUrl }));
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  await serdes.purchase.prepare?.(TOPICS.purchaseStatus, 'value');
  await serdes.inventory.prepare?.(TOPICS.inventory, 'value');
  const partitionCount = await kafka.partitionCount(TOPICS.commands);
  if (partitionCount === undefined)
    throw new Error(`the topic ${TOPICS.commands} does not exist: is the sale running?`);
  const producer = kafka.producer({ deliveryTimeoutMs: 600_000, lingerMs: 0, compression: 'none' });
  return {
    kafka,
    producer,
    serdes,
    partitionCount,
    addresses,
    send: async (command) => {
      const key = Buffer.from(zoneKey(command.eventId, command.zoneId));
      const partition = partitionForKey(key, 0, key.length, partitionCount);
      await producer.send(TOPICS.commands, partition, {
        key,
        value: toBytes(serdes.command, command),
      });
    },
    close: async () => {
      await producer.close();
      await kafka.close();
    },
  };
}

/** Defines the event and its zones over HTTP, patiently: the sale may still be starting. The token is an operator's. */
export async function openSale(
  httpUrl: string,
  sale: Sale,
  patienceMs = 60_000,
  token?: string,
): Promise<void> {
  const path = `/v1/events/${sale.eventId}`;
  await put(`${httpUrl}${path}`, { name: `Rush ${sale.eventId}` }, patienceMs, token);
  for (const { zoneId, capacity } of sale.zones) {
    await put(`${httpUrl}${path}/zones/${zoneId}`, { capacity }, patienceMs, token);
  }
}

async function put(
  url: string,
  body: object,
  patienceMs: number,
  token: string | undefined,
): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    const answer = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...bearer(token) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    }).catch((error: unknown) => error as Error);
    if (answer instanceof Response && answer.ok) return void (await answer.arrayBuffer());
    const what =
      answer instanceof Response ? `${answer.status} ${await answer.text()}` : answer.message;
    const definite = answer instanceof Response && answer.status < 500;
    if (definite || Date.now() > deadlineMs) throw new Error(`PUT ${url}: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The n-th purchase of a sale: zones in turn, one ticket each unless told otherwise. */
export function purchaseNumber(sale: Sale, index: number, quantity = 1): PurchaseCommand {
  const { zoneId } = sale.zones[index % sale.zones.length]!;
  const identity = { buyerId: `buyer-${index}`, eventId: sale.eventId, zoneId };
  const purchaseId = purchaseIdFor({ ...identity, idempotencyKey: `rush-${index}` });
  return {
    kind: 'purchase',
    purchaseId,
    ...identity,
    quantity,
    requestedAtMs: Date.now(),
    options: null,
  };
}

export interface TopicReader {
  readonly positions: ReadonlyMap<string, number>;
  /** Hands every visible record over until `until()` holds; false when nothing came for `idleMs`. */
  read(
    visit: (record: RecordCursor, partition: number) => void,
    until: () => boolean,
    idleMs: number,
  ): Promise<boolean>;
  close(): Promise<void>;
}

/** Reads a whole topic with read_committed, from the given positions (default: its start). */
export async function readTopic(
  kafka: KafkaClient,
  topic: string,
  from?: ReadonlyMap<string, number>,
): Promise<TopicReader> {
  const partitions = await partitionsOf(kafka, topic);
  const fetcher = kafka.fetcher({
    isolation: 'read_committed',
    bufferedBytesMax: 16 * 1024 * 1024,
    partitionBytesMax: 1024 * 1024,
    maxWaitMs: 100,
    channel: `reader-${topic}-${Math.random()}`,
  });
  const positions = new Map<string, number>();
  for (const { partition } of partitions) {
    const start = from?.get(partitionKey(topic, partition)) ?? 0;
    positions.set(partitionKey(topic, partition), start);
    fetcher.seek(topic, partition, start);
  }
  const cursor = createRecordCursor();
  return {
    positions,
    read: async (visit, until, idleMs) => {
      let lastMs = performance.now();
      while (!until()) {
        const fetched = await fetcher.poll(100);
        for (const { partition, batches, nextOffset, error } of fetched) {
          if (error !== undefined) throw error;
          const position = positions.get(partitionKey(topic, partition)) ?? 0;
          for (const batch of batches) {
            cursor.open(batch);
            while (cursor.next()) if (cursor.offset >= position) visit(cursor, partition);
          }
          if (nextOffset > position) lastMs = performance.now();
          positions.set(partitionKey(topic, partition), Math.max(position, nextOffset));
        }
        if (performance.now() - lastMs > idleMs) return until();
      }
      return true;
    },
    close: () => fetcher.close(),
  };
}

export async function partitionsOf(kafka: KafkaClient, topic: string): Promise<TopicPartition[]> {
  const count = await kafka.partitionCount(topic);
  if (count === undefined) throw new Error(`the topic ${topic} does not exist`);
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
}

/** Offsets of the ends, by `<topic>-<partition>`. */
export async function endOffsets(
  kafka: KafkaClient,
  topic: string,
  isolation: 'read_committed' | 'read_uncommitted',
): Promise<Map<string, number>> {
  const ends = await kafka.admin.listOffsets(await partitionsOf(kafka, topic), 'latest', isolation);
  return new Map([...ends].map(([key, { offset }]) => [key, offset]));
}
