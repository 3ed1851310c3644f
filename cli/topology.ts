/** `millrace topology`: all that can be switched on. Needs no broker and no registry. */
import { intakeSerdes } from '../ticket-sales/intake/intake-records.ts';
import { orderSerdes } from '../ticket-sales/orders/order-records.ts';
import { ticketSerdes } from '../ticket-sales/records.ts';
import { DEFAULT_REPORTS } from '../ticket-sales/reports/define-reports.ts';
import { ticketTopology } from '../ticket-sales/ticket-topology.ts';

export const TOPOLOGY_FORMATS = ['text', 'json', 'mermaid', 'dot'] as const;

export function describeTopology(format: (typeof TOPOLOGY_FORMATS)[number]): string {
  const nobody = () => Promise.reject(new Error('a description needs no registry'));
  const registry = { register: nobody, schemaById: nobody };
  const partitions = 1;
  const description = ticketTopology(ticketSerdes(registry), {
    commandPartitions: partitions,
    reports: { ...DEFAULT_REPORTS, isIndexedByBuyer: true },
    orders: { serdes: orderSerdes(registry), partitions },
    intake: { serdes: intakeSerdes(registry), partitions },
  }).describe();
  switch (format) {
    case 'text':
      return description.toString();
    case 'json':
      return JSON.stringify(description, undefined, 2);
    case 'mermaid':
      return description.toMermaid();
    case 'dot':
      return description.toDot();
  }
}
