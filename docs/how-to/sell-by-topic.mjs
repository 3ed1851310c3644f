// Buys tickets by writing a command to the topic, and waits for its outcome in another. An ordinary
// Kafka client: any language with Avro and a schema registry's wire format does the same.
//
//   node docs/how-to/sell-by-topic.mjs EVENT ZONE BUYER QUANTITY
import { randomUUID } from 'node:crypto';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const [eventId, zoneId, buyerId, quantity] = process.argv.slice(2);
const { KAFKA_BROKERS = '127.0.0.1:9092', SCHEMA_REGISTRY_URL = 'http://127.0.0.1:8081' } =
  process.env;
const kafka = new Kafka({ brokers: KAFKA_BROKERS.split(','), logLevel: logLevel.ERROR });
const registry = new SchemaRegistry({ host: SCHEMA_REGISTRY_URL });

// Any UUID. The same id again is the same purchase: keep it, and send again whenever in doubt.
const purchaseId = randomUUID();
const purchase = {
  purchaseId,
  eventId,
  zoneId,
  buyerId,
  quantity: Number(quantity),
  requestedAtMs: Date.now(),
  options: null,
};

// The outcome is looked for before it is asked for, so that it is not missed.
const consumer = kafka.consumer({ groupId: `buyer-${purchaseId}` });
await consumer.connect();
await consumer.subscribe({ topic: 'purchaseStatusUpdated', fromBeginning: true });
const outcome = new Promise((resolve, reject) => {
  consumer
    .run({
      eachMessage: async ({ message }) => {
        if (String(message.key) === purchaseId) resolve(await registry.decode(message.value));
      },
    })
    .catch(reject);
});

// The key is the zone, and the partition that of Java's clients: murmur2 of the key.
const producer = kafka.producer({
  createPartitioner: Partitioners.DefaultPartitioner,
  idempotent: true,
});
await producer.connect();
const schemaId = await registry.getLatestSchemaId('ticketPurchase-value');
const value = await registry.encode(schemaId, { command: { 'millrace.tickets.Purchase': purchase } });
await producer.send({
  topic: 'ticketPurchase',
  acks: -1,
  messages: [{ key: `${eventId}/${zoneId}`, value }],
});
await producer.disconnect();

console.log(JSON.stringify(await outcome));
await consumer.disconnect();
