/** The topics of orders: their names, keys, schemas and serdes. */
import { unreachable } from '../../base/assert.ts';
import { avroSerde } from '../../schemas/avro-serde.ts';
import type { AvroSchema, SchemaRegistry } from '../../schemas/schema-registry.ts';
import type { Serde } from '../../schemas/serde.ts';
import type { PaymentUpdate } from '../domain/command.ts';
import type { Purchase } from '../domain/purchase.ts';
import { loadSchema } from '../records.ts';
import type { Order } from './order.ts';
import type { OrderCommand, OrderProgress } from './order-command.ts';

export const ORDER_TOPICS = { orders: 'ticketOrder', orderStatus: 'orderStatusUpdated' } as const;

export interface OrderSerdes {
  readonly command: Serde<OrderCommand>;
  readonly order: Serde<Order>;
  readonly progress: Serde<OrderProgress>;
}

export function orderSerdes(registry: SchemaRegistry): OrderSerdes {
  const serde = <T>(schema: AvroSchema) => avroSerde<T>({ schema, registry });
  return {
    command: commandSerde(serde(loadSchema('ticket-order'))),
    order: serde(loadSchema('order-status-updated')),
    progress: progressSerde(serde(progressSchema())),
  };
}

/** Branch names of the command union <-> the kinds that decisions know. */
const BRANCHES = {
  placeOrder: 'millrace.tickets.PlaceOrder',
  cancelOrder: 'millrace.tickets.CancelOrder',
} as const satisfies Record<OrderCommand['kind'], string>;

interface CommandRecord {
  /** One key: the branch's name. */
  readonly command: Readonly<Record<string, object>>;
}

function commandSerde(record: Serde<CommandRecord>): Serde<OrderCommand> {
  return {
    prepare: async (topic, part) => record.prepare?.(topic, part),
    resolve: async (schemaId) => record.resolve?.(schemaId),
    decode: (bytes, start, end) => {
      const { command } = record.decode(bytes, start, end);
      const kind = command[BRANCHES.placeOrder] === undefined ? 'cancelOrder' : 'placeOrder';
      return { kind, ...command[BRANCHES[kind]] } as OrderCommand;
    },
    encode: (command, target, at) =>
      record.encode({ command: { [BRANCHES[command.kind]]: command } }, target, at),
  };
}

interface ProgressRecord {
  readonly purchase: Purchase | null;
  readonly payment: Omit<PaymentUpdate, 'kind'> | null;
  readonly notify: boolean;
}

/** Made of the schemas of what it carries, so that it never lags behind them. */
function progressSchema(): AvroSchema {
  const field = (name: string, schema: string) => ({
    name,
    type: ['null', loadSchema(schema)],
    default: null,
  });
  return {
    type: 'record',
    name: 'OrderProgress',
    namespace: 'millrace.tickets',
    fields: [
      field('purchase', 'purchase-status-updated'),
      field('payment', 'payment-status-updated'),
      { name: 'notify', type: 'boolean', default: false },
    ],
  };
}

function progressSerde(record: Serde<ProgressRecord>): Serde<OrderProgress> {
  return {
    prepare: async (topic, part) => record.prepare?.(topic, part),
    resolve: async (schemaId) => record.resolve?.(schemaId),
    decode: (bytes, start, end) => {
      const { purchase, payment, notify } = record.decode(bytes, start, end);
      if (purchase !== null) return { kind: 'line', purchase, notify };
      if (payment !== null) return { kind: 'payment', payment: { kind: 'payment', ...payment } };
      return unreachable(payment as never);
    },
    encode: (progress, target, at) =>
      record.encode(
        progress.kind === 'line'
          ? { purchase: progress.purchase, payment: null, notify: progress.notify }
          : { purchase: null, payment: progress.payment, notify: false },
        target,
        at,
      ),
  };
}
