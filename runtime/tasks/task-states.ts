/** Opens the stores of tasks below a state directory that the process has locked. */
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { isMillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { BytesStoreEngine } from '../../stores/bytes-store.ts';
import { divideBudget, type LevelDbBudget, levelDbEngine } from '../../stores/leveldb-store.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import { openTaskState } from '../../stores/task-state.ts';
import type { TopicPlan } from '../assignment/topic-plan.ts';
import type { TaskStates } from './task-starter.ts';

export interface TaskStatesOptions {
  /** `<state dir>/<application id>` */
  readonly directory: string;
  readonly bootId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly checkpointIntervalMs: number;
  /** Of each task's LevelDB. */
  readonly budget?: LevelDbBudget;
  readonly engine?: BytesStoreEngine | undefined;
}

/** More than this a task's hot keys do not need: they have a cache of their own in front. */
const TASK_BYTES_MAX = 16 * 1024 * 1024;

/**
 * What each task's LevelDB may take of the process' budget. It counts on all tasks of the topology: when
 * other instances go, theirs come here.
 */
export function storeBudget(
  storeBytesMax: number,
  { subTopologies }: Pick<TopicPlan, 'subTopologies'>,
): LevelDbBudget {
  const databases = subTopologies
    .filter(({ subTopology }) => subTopology.stores.some(isStored))
    .reduce((sum, { taskCount }) => sum + taskCount, 0);
  return divideBudget(Math.min(storeBytesMax, databases * TASK_BYTES_MAX), databases);
}

function isStored({ persistence }: StoreSpec): boolean {
  return persistence === 'leveldb';
}

export function openTaskStates({
  directory,
  budget,
  engine = levelDbEngine(budget),
  ...rest
}: TaskStatesOptions): TaskStates {
  const directoryOf = (taskId: string) => join(directory, taskId);
  return {
    open: async ({ taskId, plan }) => {
      const specs = plan.subTopology.stores;
      if (specs.length === 0) return undefined;
      const options = {
        ...rest,
        taskId,
        specs,
        engine,
        directory: specs.some(isStored) ? directoryOf(taskId) : undefined,
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
