/** What a task tells the outside about itself. */
import { unreachable } from '../../base/assert.ts';
import type { TaskInfo } from '../../interactive-queries/queryable-streams.ts';
import type { StreamTask } from './stream-task.ts';

export function taskInfo(
  task: StreamTask,
  facts: { readonly thread: string; readonly isPaused: boolean },
): TaskInfo {
  const { lifecycle } = task;
  const isRestoring = lifecycle.kind === 'restoring';
  return {
    taskId: task.taskId,
    role: 'active',
    status: statusOf(task, facts.isPaused),
    thread: facts.thread,
    inputLag: task.queues.reduce((sum, queue) => sum + queue.lag, 0),
    remainingRestoreRecords: isRestoring ? lifecycle.remainingRecords : 0,
    restoreTotalRecords: isRestoring ? lifecycle.totalRecords : 0,
    lastCommitAtMs: task.lastCommitAtMs,
    droppedRecords: task.droppedRecords,
  };
}

function statusOf({ lifecycle }: StreamTask, isPaused: boolean): TaskInfo['status'] {
  switch (lifecycle.kind) {
    case 'created':
      return 'created';
    case 'restoring':
      return 'restoring';
    case 'running':
      return isPaused ? 'paused' : 'running';
    case 'waiting':
    case 'suspended':
    case 'closed':
      return 'suspended';
    default:
      return unreachable(lifecycle);
  }
}
