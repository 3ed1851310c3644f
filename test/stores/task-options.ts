import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import type { TaskStateOptions } from '../../stores/task-state.ts';

export function optionsOf(more: Partial<TaskStateOptions>): TaskStateOptions {
  return {
    directory: undefined,
    taskId: '0_0',
    specs: [],
    clock: new ManualClock(1_700_000_000_000),
    bootId: 'boot-1',
    log: silentLog,
    ...more,
  };
}
