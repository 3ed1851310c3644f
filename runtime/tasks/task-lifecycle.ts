/**
 * The life of a task, as a union with the data each state has (pure).
 *
 *   created -> restoring -> running -> closed
 *      ^___________|___________|    thread restart, rollback, wiped store: start anew
 *
 *   waiting     cannot start now (disk full …); tried again at retryAtMs
 *   suspended   lost to the group; readable until the next assignment decides
 */
import { assert } from '../../base/assert.ts';

export type TaskLifecycle =
  | { readonly kind: 'created' }
  | { readonly kind: 'waiting'; readonly cause: Error; readonly retryAtMs: number }
  | { readonly kind: 'restoring'; readonly remainingRecords: number; readonly totalRecords: number }
  | { readonly kind: 'running' }
  | { readonly kind: 'suspended' }
  | { readonly kind: 'closed'; readonly clean: boolean };

const NEXT: Readonly<Record<TaskLifecycle['kind'], readonly TaskLifecycle['kind'][]>> = {
  created: ['created', 'restoring', 'waiting', 'suspended', 'closed'],
  waiting: ['created', 'closed'],
  restoring: ['created', 'restoring', 'running', 'closed'],
  running: ['created', 'closed'],
  suspended: ['created', 'closed'],
  closed: ['closed'],
};

/** The next state; crashes on a step that only a bug can take. */
export function transition(from: TaskLifecycle, to: TaskLifecycle): TaskLifecycle {
  assert(NEXT[from.kind].includes(to.kind), `a task went from ${from.kind} to ${to.kind}`);
  return to;
}
