/** What a task cannot settle alone: the stream thread restarts from the last commit. */
import { isMillraceError } from '../../base/errors.ts';

/**
 * A record failed after it had effects, and is dead-lettered after the rollback; or something was
 * missing that is there now, and the record comes again.
 */
export class RollbackNeeded extends Error {
  readonly taskId: string;
  constructor(taskId: string, cause: unknown) {
    super(`task ${taskId} starts over from its last commit`, { cause });
    this.name = 'RollbackNeeded';
    this.taskId = taskId;
  }
}

/** The task's disk failed: its stores are closed, wiped and restored (disk full: tried again later). */
export class TaskStoreFailed extends Error {
  readonly taskId: string;
  readonly isDiskFull: boolean;
  constructor(taskId: string, cause: unknown) {
    super(`the stores of task ${taskId} failed`, { cause });
    this.name = 'TaskStoreFailed';
    this.taskId = taskId;
    this.isDiskFull = isMillraceError(cause, 'STORE_DISK_FULL');
  }
}
