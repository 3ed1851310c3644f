/** Which process runs which task, as the group's leader last told it (pure). */
import type {
  HostInfo,
  InstanceInfo,
  PartitionLocation,
} from '../../interactive-queries/queryable-streams.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import type { HostTasks } from '../assignment/assignment-codec.ts';
import { parseTaskId, taskId } from '../assignment/topic-plan.ts';

const NO_ENDPOINT: HostInfo = { host: '', port: 0 };

export function locate(
  hosts: readonly HostTasks[],
  processId: string,
  task: { readonly subTopologyId: number; readonly partition: number },
): PartitionLocation {
  const id = taskId(task.subTopologyId, task.partition);
  const active = hosts.find((host) => host.active.includes(id));
  const standbys = hosts.filter((host) => host.standby.includes(id));
  return {
    partition: task.partition,
    active: active?.endpoint ?? undefined,
    standbys: standbys.flatMap(({ endpoint }) => endpoint ?? []),
    isLocal: active?.processId === processId,
  };
}

export function instances(
  hosts: readonly HostTasks[],
  processId: string,
  topology: BuiltTopology,
): readonly InstanceInfo[] {
  return hosts.map((host) => ({
    host: host.endpoint ?? NO_ENDPOINT,
    processId: host.processId,
    isLocal: host.processId === processId,
    active: partitionsByStore(host.active, topology),
    standby: partitionsByStore(host.standby, topology),
  }));
}

function partitionsByStore(
  taskIds: readonly string[],
  topology: BuiltTopology,
): ReadonlyMap<string, readonly number[]> {
  const partitions = new Map<string, number[]>();
  for (const { subTopologyId, partition } of taskIds.map(parseTaskId)) {
    const subTopology = topology.subTopologies.find(({ id }) => id === subTopologyId);
    for (const { name } of subTopology?.stores ?? []) {
      const list = partitions.get(name) ?? [];
      list.push(partition);
      partitions.set(name, list);
    }
  }
  return partitions;
}
