/**
 * docs/asyncapi.json as data: the topics that other programs read and write, with their keys and
 * schemas (AsyncAPI 3.0). Made from the topics as the app creates them and the schemas it writes with.
 * Pure but for the schema files.
 */
import { readFileSync } from 'node:fs';
import type { TopicSpec } from '../kafka/ports.ts';
import { packageVersion } from '../ticket-sales/app/package-version.ts';
import { INTAKE_TOPIC, intakeTopics } from '../ticket-sales/intake/intake-topology.ts';
import { ORDER_TOPICS } from '../ticket-sales/orders/order-records.ts';
import { orderTopics } from '../ticket-sales/orders/order-topology.ts';
import { TOPICS } from '../ticket-sales/records.ts';
import { ticketTopics } from '../ticket-sales/topics.ts';

interface Channel {
  readonly about: string;
  /** What keys are. */
  readonly key: string;
  /** File in schemas/ticket-sales, without `.avsc`. */
  readonly schema: string;
  /** Who writes: others, for the app to receive; the app; or both. */
  readonly writer: 'others' | 'app' | 'both';
}

const ZONE_KEY = '<eventId>/<zoneId>';
const all = { ...TOPICS, ...ORDER_TOPICS, intake: INTAKE_TOPIC };

/** Every topic is in it: a new one without a word here does not compile. */
const CHANNELS: Record<keyof typeof all, Channel> = {
  commands: {
    about: 'Commands: purchases, cancellations, and what operators ask of a zone. The log decides.',
    key: ZONE_KEY,
    schema: 'ticket-command',
    writer: 'both',
  },
  payments: {
    about: 'What the payment side says of a payment or a refund.',
    key: ZONE_KEY,
    schema: 'payment-status-updated',
    writer: 'others',
  },
  events: {
    about: 'The events that tickets are sold for: a table.',
    key: '<eventId>',
    schema: 'event-defined',
    writer: 'both',
  },
  venues: {
    about: 'The venues that events take place at: a table.',
    key: '<venueId>',
    schema: 'venue-defined',
    writer: 'both',
  },
  customers: {
    about: 'Who is registered to buy: a table.',
    key: '<customerId>',
    schema: 'customer-defined',
    writer: 'both',
  },
  unknownVenues: {
    about: 'Venues that events name and nobody has defined: a table.',
    key: '<venueId>',
    schema: 'venue-mentions',
    writer: 'app',
  },
  purchaseStatus: {
    about:
      'Every change of a purchase, each in the partition of its zone. The last one is how it stands.',
    key: '<purchaseId>',
    schema: 'purchase-status-updated',
    writer: 'app',
  },
  inventory: {
    about: 'What is left in a zone: at most once per zone and commit.',
    key: ZONE_KEY,
    schema: 'inventory-updated',
    writer: 'app',
  },
  paymentRequests: {
    about: 'Holds that wait to be paid: work for the payment side.',
    key: ZONE_KEY,
    schema: 'payment-requested',
    writer: 'app',
  },
  refundRequests: {
    about: 'Money to be given back: work for the payment side.',
    key: ZONE_KEY,
    schema: 'refund-requested',
    writer: 'app',
  },
  notificationRequests: {
    about: 'What buyers should hear of.',
    key: ZONE_KEY,
    schema: 'notification-requested',
    writer: 'app',
  },
  intake: {
    about:
      'Purchases of events that know their buyers or limit them: looked at by buyer, then sent on as commands.',
    key: '<buyerId>/<eventId>',
    schema: 'ticket-command',
    writer: 'both',
  },
  orders: {
    about: 'Orders of several lines, all or nothing.',
    key: '<orderId>',
    schema: 'ticket-order',
    writer: 'both',
  },
  orderStatus: {
    about: 'Every change of an order.',
    key: '<orderId>',
    schema: 'order-status-updated',
    writer: 'app',
  },
};

const KAFKA_BINDING = { bindingVersion: '0.5.0' } as const;
const AVRO = 'application/vnd.apache.avro;version=1.9.0';

export function asyncApiDocument(): object {
  const specs = new Map(
    [...ticketTopics(8, -1), ...orderTopics(8, -1), ...intakeTopics(8, -1)].map((spec) => [
      spec.name,
      spec,
    ]),
  );
  const topics = Object.entries(all).map(([name, topic]) => ({
    topic,
    spec: specs.get(topic),
    ...CHANNELS[name as keyof typeof all],
  }));
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Millrace ticket sales: topics',
      version: packageVersion(),
      description:
        'Values are Avro in Confluent wire format (a zero byte, the schema id in 4 bytes, the record); keys are UTF-8. Read with isolation read_committed. What cannot be used goes to `<topic>.dlq`.',
    },
    defaultContentType: 'application/vnd.apache.avro',
    channels: Object.fromEntries(topics.map((each) => [each.topic, channel(each)])),
    operations: Object.fromEntries(topics.flatMap(operations)),
    components: { messages: Object.fromEntries(topics.map((each) => [each.topic, message(each)])) },
  };
}

type Topic = Channel & { readonly topic: string; readonly spec: TopicSpec | undefined };

function channel({ topic, about, spec }: Topic): object {
  const { 'cleanup.policy': policy, ...configs } = spec?.configs ?? {};
  const topicConfiguration = {
    ...(policy === undefined ? {} : { 'cleanup.policy': [policy] }),
    ...configs,
  };
  return {
    address: topic,
    description: about,
    messages: { [topic]: { $ref: `#/components/messages/${topic}` } },
    bindings: { kafka: { topic, topicConfiguration, ...KAFKA_BINDING } },
  };
}

function message({ topic, key, schema }: Topic): object {
  const file = new URL(`../schemas/ticket-sales/${schema}.avsc`, import.meta.url);
  return {
    name: topic,
    payload: { schemaFormat: AVRO, schema: JSON.parse(readFileSync(file, 'utf8')) as object },
    bindings: {
      kafka: {
        key: { type: 'string', description: key },
        schemaIdLocation: 'payload',
        schemaIdPayloadEncoding: 'confluent',
        ...KAFKA_BINDING,
      },
    },
  };
}

/** As the app sees it: it receives what others write, and sends what it writes. */
function operations({ topic, writer }: Topic): [string, object][] {
  const operation = (action: 'send' | 'receive'): [string, object] => [
    `${action}-${topic}`,
    {
      action,
      channel: { $ref: `#/channels/${topic}` },
      messages: [{ $ref: `#/channels/${topic}/messages/${topic}` }],
    },
  ];
  return [
    ...(writer === 'app' ? [] : [operation('receive')]),
    ...(writer === 'others' ? [] : [operation('send')]),
  ];
}
