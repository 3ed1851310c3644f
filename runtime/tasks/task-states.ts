/** Opens the stores of tasks below a state directory that the process has locked. */
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { isMillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { BytesStoreEngine } from '../../stores/bytes-store.ts';
import { levelDbEngine } from '../../stores/leveldb-store.ts';
import { openTaskState } from '../../stores/task-state.ts';
import type { TaskStates } from './task-starter.ts';

export interface TaskStatesOptions {
  /** `<state dir>/<application id>` */
  readonly directory: string;
  readonly bootId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly engine?: BytesStoreEngine | undefined;
}

export function openTaskStates({
  directory,
  engine = levelDbEngine(),
  ...rest
}: TaskStatesOptions): TaskStates {
  const directoryOf = (taskId: string) => join(directory, taskId);
  return {
    open: async ({ taskId, plan }) => {
      const specs = plan.subTopology.stores;
      if (specs.length === 0) return undefined;
      const isStored = specs.some(({ persistence }) => persistence === 'leveldb');
      const options = {
        ...rest,
        taskId,
        specs,
        engine,
        directory: isStored ? directoryOf(taskId) : undefined,
      };
      try {
        return await openTaskState(options);
      } catch (error) {
        if (!isMillraceError(error, 'STORE_CORRUPT')) throw error;
        rest.log.warn(
          { taskId, err: error },
          'the state of a task is damaged; it is restored from its changelogs',
        );
        await engine.destroy(directoryOf(taskId));
        return openTaskState(options);
      }
    },
    destroy: (taskId) => engine.destroy(directoryOf(taskId)),
  };
}
