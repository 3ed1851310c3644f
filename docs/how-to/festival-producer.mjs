// Writes the records of the festival's own programs, as they write them: their schemas, no key.
//
//   node docs/how-to/festival-producer.mjs purchase USER TYPE QUANTITY    prints the purchase's id
//   node docs/how-to/festival-producer.mjs payment PURCHASE SUCCEEDED|FAILED
import { randomUUID } from 'node:crypto';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const namespace = 'com.festival.tickets';
const uuid = { type: 'string', logicalType: 'uuid' };
const time = { type: 'long', logicalType: 'timestamp-millis' };

const PurchaseRequested = {
  type: 'record',
  name: 'PurchaseRequested',
  namespace,
  fields: [
    { name: 'purchaseId', type: uuid },
    { name: 'userId', type: uuid },
    { name: 'ticketType', type: { type: 'enum', name: 'TicketType', symbols: ['normal', 'vip'] } },
    { name: 'quantity', type: 'int' },
    { name: 'timestamp', type: time },
  ],
};

const PaymentStatusUpdate = {
  type: 'record',
  name: 'PaymentStatusUpdate',
  namespace,
  fields: [
    { name: 'purchaseId', type: uuid },
    { name: 'timestamp', type: time },
    { name: 'status', type: 'string' },
  ],
};

const { KAFKA_BROKERS = '127.0.0.1:9092', SCHEMA_REGISTRY_URL = 'http://127.0.0.1:8081' } =
  process.env;
const registry = new SchemaRegistry({ host: SCHEMA_REGISTRY_URL });
const [what, ...words] = process.argv.slice(2);
const timestamp = Date.now();

if (what === 'purchase') {
  const [userId, ticketType, quantity] = words;
  const purchaseId = randomUUID();
  const record = { purchaseId, userId, ticketType, quantity: Number(quantity), timestamp };
  await write('ticketPurchase', PurchaseRequested, record);
  console.log(purchaseId);
} else {
  const [purchaseId, status] = words;
  await write('paymentStatusUpdate', PaymentStatusUpdate, { purchaseId, timestamp, status });
}

/** One subject for each record of a topic: TopicRecordNameStrategy. */
async function write(topic, schema, record) {
  const subject = `${topic}-${namespace}.${schema.name}`;
  const { id } = await registry.register(
    { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
    { subject },
  );
  const kafka = new Kafka({ brokers: KAFKA_BROKERS.split(','), logLevel: logLevel.ERROR });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, acks: -1, messages: [{ value: await registry.encode(id, record) }] });
  await producer.disconnect();
}
