/** Entry of a worker: builds the topology for itself and runs one stream thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert, unreachable } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import { keepCompiledModules } from '../base/compile-cache.ts';
import type { Facts, Log } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { createKafkaClient } from '../kafka/kafka-client.ts';
import { planTopics } from './assignment/topic-plan.ts';
import { StreamThread } from './stream-thread.ts';
import { openTaskStates, storeBudget } from './tasks/task-states.ts';
import type { ThreadEvents } from './thread-events.ts';
import { ThreadMemory } from './thread-memory.ts';
import { loadTopology } from './topology-module.ts';
import {
  type FromWorker,
  postedError,
  type ToWorker,
  type WorkerStart,
} from './worker-messages.ts';

assert(parentPort !== null, 'this file is the entry of a worker');
const port = parentPort;
const start = workerData as WorkerStart;
const listenedTopics = new Set(start.listenedTopics);
/** Tasks whose readers the main thread is closing. */
const leaving = new Map<string, () => void>();

function post(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

const events: ThreadEvents = {
  stateChanged: (state) => post({ kind: 'state', state }),
  tasksChanged: (tasks) => post({ kind: 'tasks', tasks }),
  hostsChanged: (hosts) => post({ kind: 'hosts', hosts }),
  committed: (commit) => post({ kind: 'committed', commit }),
  taskRunning: (taskId, directory, role) => post({ kind: 'running', taskId, directory, role }),
  taskLeaving: (taskId) =>
    new Promise((resolve) => {
      leaving.set(taskId, resolve);
      post({ kind: 'leaving', taskId });
    }),
  restoreProgress: (progress) => post({ kind: 'restore', progress }),
};

function postingLog(bound: Facts): Log {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (facts: Facts, message: string) => {
    post({ kind: 'log', level, facts: postable({ ...bound, ...facts }), message });
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (facts) => postingLog({ ...bound, ...facts }),
  };
}

function postable(facts: Facts): Facts {
  const entries = Object.entries(facts);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, value instanceof Error ? postedError(value) : value]),
  );
}

async function run(): Promise<void> {
  const clock = systemClock;
  const random = systemRandom;
  const log = postingLog({});
  const { name, index, processId, bootId, directory, config, topics, connection } = start;
  const topology = await loadTopology(start.topology);
  const plan = planTopics(config.applicationId, topology, topics);
  const budget = storeBudget(config.storeBytesMax, plan);
  const { checkpointIntervalMs } = config;
  const client = createKafkaClient({ connection, clock, random, log });
  const thread = new StreamThread({
    name,
    index,
    processId,
    config,
    topology,
    topics,
    client,
    states: openTaskStates({ directory, bootId, clock, log, checkpointIntervalMs, budget }),
    events,
    memory: new ThreadMemory(start.memory),
    listenedTopics,
    onDisk: start.onDisk,
    clock,
    random,
    log,
  });
  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'stop':
        thread.stop();
        break;
      case 'pause':
        thread.pause();
        break;
      case 'resume':
        thread.resume();
        break;
      case 'listen':
        listenedTopics.clear();
        for (const topic of message.topics) listenedTopics.add(topic);
        break;
      case 'left':
        leaving.get(message.taskId)?.();
        leaving.delete(message.taskId);
        break;
      default:
        unreachable(message);
    }
  });
  keepCompiledModules();
  await thread.run();
}

try {
  await run();
  post({ kind: 'ended', error: undefined });
} catch (error) {
  post({ kind: 'ended', error: postedError(error) });
} finally {
  port.close();
}
