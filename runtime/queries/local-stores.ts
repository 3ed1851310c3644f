/**
 * The stores of tasks that run in this process, opened a second time for reading by the main
 * thread: committed state only. A reader is opened when its task runs and closed, before the task
 * gives its stores away.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { LocalStore, TaskInfo } from '../../interactive-queries/queryable-streams.ts';
import type { BytesStoreEngine } from '../../stores/bytes-store.ts';
import type { StoreSpec, TaskPositions, TaskReader } from '../../stores/state-store.ts';
import { openTaskReader } from '../../stores/task-reader.ts';
import type { ThreadMemory } from '../thread-memory.ts';

/** A commit that was announced is on disk after a millisecond; this is for a disk that hangs. */
const APPLIED_TIMEOUT_MS = 2_000;

interface OpenTask {
  readonly memory: ThreadMemory;
  readonly role: TaskInfo['role'];
  readonly reader: Promise<TaskReader | undefined>;
  /** The reader, once it is open. */
  opened: TaskReader | undefined;
  /** Last commit of its thread that changed this task and was announced. */
  announcedSequence: number;
  /** Of an active task: input positions as of that commit of its thread; later ones may be on disk. */
  known: { readonly sequence: number; readonly inputs: Position } | undefined;
}

type Position = TaskPositions['inputs'];
type Available = Extract<LocalStore, { kind: 'available' }>;

export class LocalStores {
  readonly #engine: BytesStoreEngine | undefined;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tasks = new Map<string, OpenTask>();

  constructor(parts: {
    readonly engine: BytesStoreEngine | undefined;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#engine = parts.engine;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  taskRunning(
    taskId: string,
    running: {
      readonly directory: string;
      readonly specs: readonly StoreSpec[];
      readonly memory: ThreadMemory;
      readonly role: TaskInfo['role'];
    },
  ): void {
    // A thread that starts its tasks anew keeps their stores open, and so does the reader.
    if (this.#tasks.has(taskId)) return;
    const { directory, specs, memory, role } = running;
    const options = {
      directory,
      specs,
      ...(this.#engine === undefined ? {} : { engine: this.#engine }),
    };
    const reader = openTaskReader(options).catch((error) => {
      this.#log.warn({ taskId, err: error }, 'cannot read the stores of a running task');
      return undefined;
    });
    const task: OpenTask = {
      memory,
      role,
      reader,
      opened: undefined,
      announcedSequence: 0,
      known: undefined,
    };
    this.#tasks.set(taskId, task);
    void reader.then((opened) => {
      task.opened = opened;
    });
  }

  /** Resolves when the reader is closed. */
  async taskLeaving(taskId: string): Promise<void> {
    const task = this.#tasks.get(taskId);
    this.#tasks.delete(taskId);
    const reader = await task?.reader;
    // Nobody reads through it any more: that is all that whoever waits here must know.
    await reader?.close().catch((error) => {
      this.#log.warn({ taskId, err: error }, 'a reader of stores did not close as it should');
    });
  }

  /** A thread has ended, orderly or not: nothing of it may be read any more. */
  async threadEnded(memory: ThreadMemory): Promise<void> {
    for (const [taskId, task] of this.#tasks) {
      if (task.memory === memory) await this.taskLeaving(taskId);
    }
  }

  announced(taskIds: readonly string[], sequence: number): void {
    for (const taskId of taskIds) {
      const task = this.#tasks.get(taskId);
      if (task !== undefined) task.announcedSequence = sequence;
    }
  }

  /**
   * Committed state, not older than what has been announced. At once unless the reader is still being
   * opened, or the batch of an announced commit is still being written.
   */
  open(
    taskId: string,
    storeName: string,
    lag: (role: TaskInfo['role']) => number,
  ): Available | undefined | Promise<Available | undefined> {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    const { opened, memory, announcedSequence } = task;
    return opened === undefined || memory.appliedSequence < announcedSequence
      ? this.#openLater(taskId, task, storeName, lag)
      : available(task, opened, storeName, lag);
  }

  async #openLater(
    taskId: string,
    task: OpenTask,
    storeName: string,
    lag: (role: TaskInfo['role']) => number,
  ): Promise<Available | undefined> {
    const reader = await task.reader;
    if (reader === undefined) return undefined;
    if (!(await task.memory.applied(task.announcedSequence, APPLIED_TIMEOUT_MS, this.#clock)))
      return undefined;
    // The task may have left while we waited: its reader is closed then.
    if (this.#tasks.get(taskId) !== task) return undefined;
    return available(task, reader, storeName, lag);
  }

  async close(): Promise<void> {
    for (const taskId of [...this.#tasks.keys()]) await this.taskLeaving(taskId);
  }
}

function available(
  task: OpenTask,
  reader: TaskReader,
  storeName: string,
  lag: (role: TaskInfo['role']) => number,
): Available {
  const { role } = task;
  const store = reader.store<unknown, unknown>(storeName);
  const { inputs: position, revision } = positionOf(task, reader);
  return { kind: 'available', role, store, position, revision, lag: lag(role) };
}

/** Read once per commit: a busy reader asks thousands of times in between. */
function positionOf(
  task: OpenTask,
  reader: TaskReader,
): { readonly inputs: Position; readonly revision: object | undefined } {
  // A standby applies without commits of its own.
  if (task.role === 'standby') return { inputs: reader.positions().inputs, revision: undefined };
  const sequence = task.memory.appliedSequence;
  if (task.known?.sequence !== sequence) {
    task.known = { sequence, inputs: reader.positions().inputs };
  }
  return { inputs: task.known.inputs, revision: task.known };
}
