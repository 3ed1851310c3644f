/**
 * What a stream thread tells the rest of its process: plain data, so that it can come from a worker
 * thread as messages. One message per commit, never one per record.
 */
import type { CommittedOutput, TaskInfo } from '../interactive-queries/queryable-streams.ts';
import type { HostTasks } from './assignment/assignment-codec.ts';
import type { RestoreProgress } from './restore/restorer.ts';

export type ThreadState =
  | 'CREATED'
  | 'STARTING'
  | 'REBALANCING'
  | 'RUNNING'
  | 'PENDING_SHUTDOWN'
  | 'DEAD';

export interface ThreadCommit {
  /** Grows by one per commit of the thread; ThreadMemory.appliedSequence follows it. */
  readonly sequence: number;
  readonly taskIds: readonly string[];
  readonly partitions: readonly number[];
  readonly outputs: readonly CommittedOutput[];
  readonly committedAtMs: number;
}

export interface ThreadEvents {
  stateChanged(state: ThreadState): void;
  tasksChanged(tasks: readonly TaskInfo[]): void;
  hostsChanged(hosts: readonly HostTasks[]): void;
  committed(commit: ThreadCommit): void;
  /** Its stores may be read; directory undefined = they live in memory. */
  taskRunning(taskId: string, directory: string | undefined, role: TaskInfo['role']): void;
  /** Resolves when nobody reads its stores any more: they are closed next. */
  taskLeaving(taskId: string): Promise<void>;
  restoreProgress(progress: RestoreProgress): void;
}
