/** What a stream thread loads: makes the topology anew, since functions cannot be posted to a worker. */
import { confluentRegistryClient } from '../schemas/confluent-registry-client.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import { ticketSerdes } from './records.ts';
import { ticketTopology } from './ticket-topology.ts';

export interface TicketModuleArgument {
  readonly registryUrl: string;
  readonly registryBasicAuth: string | null;
  readonly commandPartitions: number;
}

export function createTicketTopology(argument: TicketModuleArgument): BuiltTopology {
  const { registryUrl, registryBasicAuth, commandPartitions } = argument;
  const auth = registryBasicAuth === null ? {} : { basicAuth: registryBasicAuth };
  const serdes = ticketSerdes(confluentRegistryClient({ url: registryUrl, ...auth }));
  return ticketTopology(serdes, { commandPartitions }).build();
}
