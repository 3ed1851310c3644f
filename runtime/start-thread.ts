/** Starts a stream thread in the caller's loop. In a worker: stream-worker.ts. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { KafkaConnection } from '../kafka/connection.ts';
import type { KafkaClient } from '../kafka/ports.ts';
import type { BytesStoreEngine } from '../stores/bytes-store.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import { planTopics, type Topics } from './assignment/topic-plan.ts';
import { StreamThread } from './stream-thread.ts';
import type { StreamsConfig } from './streams-config.ts';
import { openTaskStates, storeBudget } from './tasks/task-states.ts';
import type { ThreadEvents } from './thread-events.ts';
import type { ThreadHandle } from './thread-handle.ts';
import { ThreadMemory } from './thread-memory.ts';
import { isTopologyModule, type TopologyModule } from './topology-module.ts';
import { startWorker } from './worker-handle.ts';

export interface ThreadStart {
  readonly index: number;
  readonly config: StreamsConfig;
  readonly topology: BuiltTopology | TopologyModule;
  readonly topics: Topics;
  readonly processId: string;
  readonly bootId: string;
  /** Of the application's state. */
  readonly directory: string;
  readonly connection: () => KafkaConnection;
  readonly createClient: () => KafkaClient;
  readonly storeEngine: BytesStoreEngine | undefined;
  readonly listenedTopics: readonly string[];
  /** As ThreadContext.onDisk. */
  readonly onDisk: ReadonlyMap<string, number>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: (memory: ThreadMemory) => ThreadEvents;
}

/** Throws CONFIG_INVALID when workers are asked for and cannot have what they need. */
export function startThread(start: ThreadStart): ThreadHandle {
  return isTopologyModule(start.topology)
    ? startWorker(start, start.topology)
    : startInLoop(start, start.topology);
}

function startInLoop(start: ThreadStart, topology: BuiltTopology): ThreadHandle {
  const memory = new ThreadMemory();
  const listenedTopics = new Set(start.listenedTopics);
  memory.setWanted(listenedTopics.size > 0);
  const { clock, random, log, directory, bootId, processId, index, config, topics, storeEngine } =
    start;
  const name = `${config.applicationId}-${index}`;
  const { checkpointIntervalMs } = config;
  const client = start.createClient();
  const budget = storeBudget(
    config.storeBytesMax,
    planTopics(config.applicationId, topology, topics),
  );
  const thread = new StreamThread({
    name,
    index,
    processId,
    config,
    topology,
    topics,
    client,
    states: openTaskStates({
      directory,
      bootId,
      clock,
      log,
      checkpointIntervalMs,
      budget,
      engine: storeEngine,
    }),
    events: start.events(memory),
    memory,
    listenedTopics,
    onDisk: start.onDisk,
    clock,
    random,
    log,
  });
  // The caller gets the handle before the first event.
  const done = Promise.resolve().then(() => thread.run());
  return {
    name,
    memory,
    threadId: 0,
    done,
    stop: () => thread.stop(),
    kill: () => client.close(),
    pause: () => thread.pause(),
    resume: () => thread.resume(),
    listen: (names) => {
      listenedTopics.clear();
      for (const topic of names) listenedTopics.add(topic);
      memory.setWanted(names.length > 0);
    },
  };
}
