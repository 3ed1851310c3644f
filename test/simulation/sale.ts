/** The app that is simulated: its real topology and serdes, over a registry in memory that all share. */
import type { AvroSchema, SchemaRegistry } from '../../schemas/schema-registry.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../ticket-sales/records.ts';
import { sellTickets } from '../../ticket-sales/sale/sell-tickets.ts';
import { ticketTopology } from '../../ticket-sales/ticket-topology.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import { Topology } from '../../topology/topology.ts';

export const APPLICATION_ID = 'sale';
export const PARTITIONS = 2;
export const DEAD_LETTERS = `${TOPICS.commands}.dlq`;
export const ZONES_CHANGELOG = `${APPLICATION_ID}-zones-changelog`;
export const PURCHASES_CHANGELOG = `${APPLICATION_ID}-purchases-changelog`;

function memoryRegistry(): SchemaRegistry {
  const ids = new Map<string, number>();
  /** Every process of every run registers the same objects again. */
  const known = new Map<AvroSchema, number>();
  const schemas: AvroSchema[] = [];
  const idOf = (schema: AvroSchema): number => {
    const text = JSON.stringify(schema);
    if (!ids.has(text)) ids.set(text, schemas.push(schema));
    return ids.get(text)!;
  };
  return {
    register: async (_subject, schema) => {
      const id = known.get(schema) ?? idOf(schema);
      known.set(schema, id);
      return id;
    },
    schemaById: async (id) => schemas[id - 1]!,
  };
}

export const registry = memoryRegistry();

/** Parsed and registered once: no run may differ from another one because it came first. */
export const serdes: TicketSerdes = ticketSerdes(registry);
for (const serde of Object.values(serdes)) await serde.prepare?.('any', 'value');

export function saleTopology(): BuiltTopology {
  return ticketTopology(serdes, { commandPartitions: PARTITIONS }).build();
}

/** What a purchase goes through: no tables, no reports. */
export function coreTopology(): BuiltTopology {
  return sellTickets(new Topology(), serdes, { commandPartitions: PARTITIONS }).build();
}
