/** The main thread's side of a stream thread in a worker. */
import { Worker } from 'node:worker_threads';
import { unreachable } from '../base/assert.ts';
import { MillraceError } from '../base/errors.ts';
import { arePostable } from './failures/exception-handlers.ts';
import type { ThreadStart } from './start-thread.ts';
import type { ThreadCommit, ThreadEvents } from './thread-events.ts';
import type { ThreadHandle } from './thread-handle.ts';
import { ThreadMemory } from './thread-memory.ts';
import type { TopologyModule } from './topology-module.ts';
import { errorFrom, type FromWorker, type ToWorker, type WorkerStart } from './worker-messages.ts';

const ENTRY = new URL('./stream-thread-worker.ts', import.meta.url);
/** What a slice leaves behind dies young: twice as much costs memory and saves nothing. */
const YOUNG_GENERATION_MB = 24;

/** Throws CONFIG_INVALID when exception handlers are functions: they cannot be posted. */
export function startWorker(start: ThreadStart, topology: TopologyModule): ThreadHandle {
  const { index, config, topics, processId, bootId, directory, listenedTopics } = start;
  if (!arePostable(config.exceptionHandlers)) {
    throw new MillraceError(
      'CONFIG_INVALID',
      'exception handlers given as functions need numStreamThreads 0',
      {
        hint: 'Use "continue" or "fail".',
      },
    );
  }
  const memory = new ThreadMemory();
  memory.setWanted(listenedTopics.length > 0);
  const connection = start.connection();
  const workerData: WorkerStart = {
    name: `${config.applicationId}-${index}`,
    index,
    config,
    topology: { ...topology, module: String(topology.module) },
    topics,
    processId,
    bootId,
    directory,
    connection,
    listenedTopics,
    onDisk: start.onDisk,
    memory: memory.buffer,
  };
  const transferList = connection.kind === 'message-port' ? [connection.port] : [];
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB };
  const { name } = workerData;
  const worker = new Worker(ENTRY, { workerData, transferList, name, resourceLimits });
  // Gone from the worker object once it has exited.
  const { threadId } = worker;
  const post = (message: ToWorker) => worker.postMessage(message);
  const events = start.events(memory);
  const done = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      if (message.kind !== 'ended') carry(message, events, start, post);
      else if (message.error === undefined) resolve();
      else reject(errorFrom(message.error));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      reject(
        new MillraceError(
          'INTERNAL',
          `the worker of stream thread ${index} exited with code ${code}`,
        ),
      );
    });
  });
  return {
    name: workerData.name,
    memory,
    threadId,
    done,
    stop: () => post({ kind: 'stop' }),
    kill: async () => {
      await worker.terminate();
    },
    pause: () => post({ kind: 'pause' }),
    resume: () => post({ kind: 'resume' }),
    listen: (names) => {
      memory.setWanted(names.length > 0);
      post({ kind: 'listen', topics: names });
    },
  };
}

function carry(
  message: Exclude<FromWorker, { kind: 'ended' }>,
  events: ThreadEvents,
  { log }: ThreadStart,
  post: (message: ToWorker) => void,
): void {
  switch (message.kind) {
    case 'state':
      events.stateChanged(message.state);
      break;
    case 'tasks':
      events.tasksChanged(message.tasks);
      break;
    case 'hosts':
      events.hostsChanged(message.hosts);
      break;
    case 'committed':
      events.committed(withBuffers(message.commit));
      break;
    case 'running':
      events.taskRunning(message.taskId, message.directory, message.role);
      break;
    case 'leaving': {
      const { taskId } = message;
      void events.taskLeaving(taskId).then(() => post({ kind: 'left', taskId }));
      break;
    }
    case 'restore':
      events.restoreProgress(message.progress);
      break;
    case 'log':
      log[message.level](message.facts, message.message);
      break;
    default:
      unreachable(message);
  }
}

/** Posting turns a Buffer into a plain Uint8Array over the same memory. */
function withBuffers(commit: ThreadCommit): ThreadCommit {
  const outputs = commit.outputs.map(({ topic, partition, batch }) => ({
    topic,
    partition,
    batch: Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength),
  }));
  return { ...commit, outputs };
}
