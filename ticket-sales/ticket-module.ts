/** What a stream thread loads: makes the topology anew, since functions cannot be posted to a worker. */
import { confluentRegistryClient } from '../schemas/confluent-registry-client.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import { festivalSerdes } from './festival/festival-records.ts';
import type { FestivalOptions } from './festival/festival-topology.ts';
import { intakeSerdes } from './intake/intake-records.ts';
import { orderSerdes } from './orders/order-records.ts';
import { ticketSerdes } from './records.ts';
import type { ReportOptions } from './reports/define-reports.ts';
import { ticketTopology } from './ticket-topology.ts';

export interface TicketModuleArgument {
  readonly registryUrl: string;
  readonly registryBasicAuth: string | null;
  readonly commandPartitions: number;
  /** How many the topic of orders has; null = none are taken. */
  readonly orderPartitions: number | null;
  /** How many the topic of the intake has; null = there is none. */
  readonly intakePartitions: number | null;
  readonly reports: ReportOptions;
  /** null = no event is the festival. */
  readonly festival: FestivalOptions | null;
}

export function createTicketTopology(argument: TicketModuleArgument): BuiltTopology {
  const {
    registryUrl,
    registryBasicAuth,
    commandPartitions,
    reports,
    festival: options,
  } = argument;
  const auth = registryBasicAuth === null ? {} : { basicAuth: registryBasicAuth };
  const registry = confluentRegistryClient({ url: registryUrl, ...auth });
  const serdes = ticketSerdes(registry);
  const festival =
    options === null ? undefined : { options, serdes: festivalSerdes(registry, serdes) };
  const orders = inPartitions(argument.orderPartitions, () => orderSerdes(registry));
  const intake = inPartitions(argument.intakePartitions, () => intakeSerdes(registry));
  return ticketTopology(serdes, { commandPartitions, reports, orders, intake, festival }).build();
}

function inPartitions<S>(partitions: number | null, serdes: () => S) {
  return partitions === null ? undefined : { serdes: serdes(), partitions };
}
