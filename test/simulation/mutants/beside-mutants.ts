/** Bugs in what stands beside the sale: the intake, the reports, the buyers' index, the festival's door. */
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { REPORT_STORES } from '../../../ticket-sales/reports/report-stores.ts';
import type { Processor, StreamRecord } from '../../../topology/processor.ts';
import { festival } from '../festival/scenario.ts';
import type { Mutant } from '../mutants.ts';
import { orders } from '../orders/scenario.ts';
import { whole, withContext, withProcessor } from './ticket-context.ts';

type Heard = StreamRecord<unknown, unknown>;

/** What the node is given in place of each record; undefined = nothing. */
function giving(node: string, change: (record: Heard) => Heard | undefined): Mutant['mutation'] {
  const changed = (processor: Processor): Processor => ({
    ...whole(processor),
    process: (record) => {
      const given = change(record);
      return given === undefined ? undefined : processor.process(given);
    },
  });
  return () => ({ topology: (topology) => withProcessor(topology, node, changed) });
}

/** Each stock counts as if nothing had been known of its zone. */
const countedAgain: Mutant['mutation'] = () => ({
  topology: (topology) =>
    withContext(
      topology,
      (context) => ({
        getStateStore: ((name: string) => {
          const store = context.getStateStore<string, unknown>(name);
          if (name !== REPORT_STORES.zones) return store;
          return { ...store, get: () => undefined, put: store.put.bind(store) };
        }) as never,
      }),
      'report-stock',
    ),
});

/** A payment that names neither amount nor id is another one each time that it is told. */
const paidAgain = giving('tickets', (record) => {
  const update = record.value as PaymentUpdate;
  if (update.kind !== 'payment') return record;
  const paymentId = `${update.paymentId}#${update.occurredAtMs}`;
  return { ...record, value: { ...update, paymentId } };
});

export const BESIDE_MUTANTS: readonly Mutant[] = [
  {
    name: 'intake-keeps-counting',
    what: 'what a buyer gives back still counts to the limit of the event',
    scenario: orders,
    mutation: giving('intake-outcome-counter', (record) => {
      const { state } = record.value as Purchase;
      return state === 'released' || state === 'cancelled' ? undefined : record;
    }),
  },
  {
    name: 'report-counts-again',
    what: "a zone's stock is added to the sums of its event each time that it is told",
    scenario: orders,
    mutation: countedAgain,
  },
  {
    name: 'index-without-ends',
    what: "the buyers' index does not hear of holds that ended",
    scenario: orders,
    mutation: giving('index-buyers', (record) =>
      (record.value as Purchase).state === 'expired' ? undefined : record,
    ),
  },
  {
    name: 'festival-paid-again',
    what: 'a payment of the festival that is told again is taken for another one',
    scenario: festival,
    mutation: paidAgain,
  },
];
