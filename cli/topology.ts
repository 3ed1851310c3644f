/** `millrace topology`: needs no broker and no registry. */
import { ticketSerdes } from '../ticket-sales/records.ts';
import { DEFAULT_REPORTS } from '../ticket-sales/reports/define-reports.ts';
import { ticketTopology } from '../ticket-sales/ticket-topology.ts';

export const TOPOLOGY_FORMATS = ['text', 'json', 'mermaid', 'dot'] as const;

export function describeTopology(format: (typeof TOPOLOGY_FORMATS)[number]): string {
  const nobody = () => Promise.reject(new Error('a description needs no registry'));
  const description = ticketTopology(ticketSerdes({ register: nobody, schemaById: nobody }), {
    commandPartitions: 1,
    reports: { ...DEFAULT_REPORTS, isIndexedByBuyer: true },
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
