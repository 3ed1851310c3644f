/** Bugs in the saga of orders: in what it sends, when, and in what it takes for news. */
import type { KafkaClient, Producer } from '../../../kafka/ports.ts';
import { toBytes } from '../../../schemas/serde.ts';
import type { Process } from '../../../simulation/world/process.ts';
import type { TicketCommand } from '../../../ticket-sales/domain/command.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { LINES_SINK } from '../../../ticket-sales/intake/intake-topology.ts';
import type { Order } from '../../../ticket-sales/orders/order.ts';
import type { OrderCommand, OrderProgress } from '../../../ticket-sales/orders/order-command.ts';
import { ORDER_SINKS } from '../../../ticket-sales/orders/order-processor.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import type { ProcessorContext, StreamRecord } from '../../../topology/processor.ts';
import type { Mutant } from '../mutants.ts';
import { partitionOf, serdes } from '../orders/app.ts';
import { orders } from '../orders/scenario.ts';
import { whole, withContext, withProcessor } from './ticket-context.ts';

const NODE = 'orders';

type Forward = ProcessorContext['forward'];

/** `change` is called once per task. */
function forwarding(change: (forward: Forward) => Forward): Mutant['mutation'] {
  return () => ({
    topology: (topology) =>
      withContext(
        topology,
        (context) => ({
          forward: change((record, child) => context.forward(record, child)),
        }),
        NODE,
      ),
  });
}

/** To the zone itself, or by the intake. */
function isCancellation(record: StreamRecord<unknown, unknown>, child: string | undefined) {
  const isCommand = child === ORDER_SINKS.commands || child === LINES_SINK;
  return isCommand && (record.value as TicketCommand).kind === 'cancel';
}

/** Cancellations go out by themselves, whatever becomes of the transaction that has decided them. */
const compensatingOutside: Mutant['mutation'] = () => {
  const clients = new WeakMap<Process, KafkaClient>();
  const producers = new WeakMap<Process, Producer>();
  const producerOf = (process: Process) => {
    const known = producers.get(process);
    const made = { deliveryTimeoutMs: 2_000, lingerMs: 0, compression: 'none' } as const;
    const producer = known ?? clients.get(process)!.producer(made);
    producers.set(process, producer);
    return producer;
  };
  return {
    client: (client, process) => {
      clients.set(process, client);
      return client;
    },
    topology: (topology, process) =>
      withContext(
        topology,
        (context) => ({
          forward: (record, child) => {
            if (!isCancellation(record, child)) return context.forward(record, child);
            const command = record.value as TicketCommand;
            const key = zoneKey(command.eventId, command.zoneId);
            const value = toBytes(serdes.command, command);
            producerOf(process)
              .send(TOPICS.commands, partitionOf(key), { key: Buffer.from(key), value })
              .catch(() => {});
          },
        }),
        NODE,
      ),
  };
};

/** Of an order that is rejected the last line is not told so. */
const lineForgotten = forwarding((forward) => {
  let order: Order | undefined;
  return (record, child) => {
    if (child === ORDER_SINKS.status) order = record.value as Order;
    const isLast =
      isCancellation(record, child) &&
      order?.lines.at(-1)?.purchaseId === (record.value as { purchaseId: string }).purchaseId;
    if (isLast && order?.state === 'rejected') return;
    return forward(record, child);
  };
});

/** Only what was held by then is given back: whatever its zone has not answered yet is not told. */
const unheardForgotten = forwarding((forward) => {
  let order: Order | undefined;
  return (record, child) => {
    if (child === ORDER_SINKS.status) order = record.value as Order;
    const { purchaseId } = record.value as { readonly purchaseId?: string };
    const line = order?.lines.find((each) => each.purchaseId === purchaseId);
    if (isCancellation(record, child) && line?.state === 'requested') return;
    return forward(record, child);
  };
});

/** A payment that is told again is taken for another one. */
const paymentTakenTwice: Mutant['mutation'] = () => ({
  topology: (topology) =>
    withProcessor(topology, NODE, (processor) => {
      const told = new Set<string>();
      return {
        ...whole(processor),
        process: (record) => {
          const heard = record.value as OrderProgress | OrderCommand;
          if (heard.kind !== 'payment' || heard.payment.status !== 'succeeded') {
            return processor.process(record);
          }
          const { paymentId } = heard.payment;
          const name = told.has(paymentId) ? `${paymentId}#${told.size}` : paymentId;
          told.add(name);
          const payment = { ...heard.payment, paymentId: name };
          return processor.process({ ...record, value: { ...heard, payment } });
        },
      };
    }),
});

const hostClock: Mutant['mutation'] = () => ({
  topology: (topology, process) =>
    withContext(topology, () => ({ currentStreamTimeMs: () => process.clock.nowMs() }), NODE),
});

export const ORDER_MUTANTS: readonly Mutant[] = [
  {
    name: 'order-compensates-outside',
    what: "an order's cancellations are sent outside of its transaction",
    scenario: orders,
    mutation: compensatingOutside,
  },
  {
    name: 'order-line-forgotten',
    what: 'when a line was rejected, the cancellation of the last one is forgotten',
    scenario: orders,
    mutation: lineForgotten,
  },
  {
    name: 'order-unheard-forgotten',
    what: 'an order that is over does not cancel the lines that it has not heard of',
    scenario: orders,
    mutation: unheardForgotten,
  },
  {
    name: 'order-paid-twice',
    what: 'a payment of an order that is told again is taken for another one',
    scenario: orders,
    mutation: paymentTakenTwice,
  },
  {
    name: 'order-host-clock',
    what: "an order ends by the host's clock",
    scenario: orders,
    mutation: hostClock,
  },
];
