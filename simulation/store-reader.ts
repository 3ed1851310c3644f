/** Reads what the last owners of the tasks have left on their disks. */
import type { Clock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { openTaskState } from '../stores/task-state.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import type { EngineNode } from './nodes/engine-node.ts';
import type { StoreContent } from './scenario.ts';
import type { Process } from './world/process.ts';

/** Which task's state lies where. */
export interface OwnedTask {
  readonly taskId: string;
  readonly node: EngineNode;
}

/** The instances have stopped. Throws when a task with stores has no directory. */
export async function readStores(
  topology: BuiltTopology,
  owned: readonly OwnedTask[],
  reader: Process,
): Promise<readonly StoreContent[]> {
  const contents: StoreContent[] = [];
  for (const { taskId, node } of owned) {
    const [subTopologyId, partition] = taskId.split('_').map(Number) as [number, number];
    const specs = topology.subTopologies.find(({ id }) => id === subTopologyId)!.stores;
    if (specs.length === 0) continue;
    const state = await openState(node, taskId, specs, reader);
    for (const { name } of specs) {
      const entries = new Map<unknown, unknown>();
      for await (const [key, value] of state.store<unknown, unknown>(name).range()) {
        entries.set(key, value);
      }
      contents.push({ store: name, taskId, partition, instance: node.name, entries });
    }
    await state.close({ clean: true });
  }
  return contents;
}

function openState(
  node: EngineNode,
  taskId: string,
  specs: Parameters<typeof openTaskState>[0]['specs'],
  reader: Process,
): ReturnType<typeof openTaskState> {
  const engine = node.machine.engineFor(reader);
  const directory = node.machine.directoryOf(taskId);
  if (directory === undefined) throw new Error(`${node.name} has no directory of ${taskId}`);
  const clock: Clock = reader.clock;
  const bootId = engine.machine!.bootId();
  return openTaskState({ directory, taskId, specs, clock, bootId, log: silentLog, engine });
}
