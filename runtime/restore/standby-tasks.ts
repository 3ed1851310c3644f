/**
 * The standby tasks of one stream thread: follow changelogs for ever, beside the loop, so that a
 * task that moves here has little left to restore, and reads may be answered from its stores.
 *
 * S1. A standby never produces, never expires entries, and follows committed records only.
 * S2. Its stores are closed before the task becomes active here: assign() resolves after that.
 * S3. A table read from a source topic is not followed: what is state and what is still input is
 *     known only to the active task.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { TaskInfo } from '../../interactive-queries/queryable-streams.ts';
import {
  type Admin,
  type FetchedPartition,
  type Fetcher,
  partitionKey,
} from '../../kafka/ports.ts';
import type { RecordCursor } from '../../kafka/records/types.ts';
import type { TaskState } from '../../stores/state-store.ts';
import { parseTaskId, type SubTopologyPlan, type TopicPlan } from '../assignment/topic-plan.ts';
import type { TaskStates } from '../tasks/task-starter.ts';
import { applyChangelog } from './apply-changelog.ts';
import { planRestore } from './restore-plan.ts';
import type { RestoreRange } from './restorer.ts';

export interface StandbyTasksContext {
  readonly thread: string;
  readonly plan: TopicPlan;
  readonly admin: Admin;
  readonly fetcher: Fetcher;
  readonly cursor: RecordCursor;
  readonly states: TaskStates;
  readonly deleteRetentionMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onChange: () => void;
  readonly onRunning: (taskId: string, directory: string | undefined) => void;
  readonly onLeaving: (taskId: string) => Promise<void>;
}

interface Followed {
  readonly range: RestoreRange;
  position: number;
  endOffset: number;
}

interface Standby {
  readonly taskId: string;
  readonly plan: SubTopologyPlan;
  readonly partition: number;
  readonly stopping: AbortController;
  /** By partition key of the changelog; empty until it is open. */
  readonly followed: Map<string, Followed>;
  state: TaskState | undefined;
  /** Settles when it has stopped for good; never rejects. */
  done: Promise<void>;
  /** Asks for wiping and starting over. */
  failed: PromiseWithResolvers<void>;
}

const POLL_MS = 500;
const RETRY = { initialMs: 200, maxMs: 30_000 };

export class StandbyTasks {
  readonly #context: StandbyTasksContext;
  readonly #standbys = new Map<string, Standby>();
  readonly #byPartition = new Map<string, Standby>();
  #reading: Promise<void> | undefined;
  #busy: Promise<void> = Promise.resolve();

  constructor(context: StandbyTasksContext) {
    this.#context = context;
  }

  /** Follows exactly these tasks. Resolves when the stores of all others are closed. */
  async assign(taskIds: readonly string[]): Promise<void> {
    const wanted = new Set(taskIds);
    const gone = [...this.#standbys.values()].filter(({ taskId }) => !wanted.has(taskId));
    for (const standby of gone) {
      this.#standbys.delete(standby.taskId);
      standby.stopping.abort();
    }
    await Promise.all(gone.map(({ done }) => done));
    for (const taskId of wanted) if (!this.#standbys.has(taskId)) this.#start(taskId);
    if (this.#standbys.size > 0) this.#reading ??= this.#read();
    this.#context.onChange();
  }

  infos(): readonly TaskInfo[] {
    return [...this.#standbys.values()].map(({ taskId, followed, state }) => ({
      taskId,
      role: 'standby',
      status: state === undefined ? 'created' : 'running',
      thread: this.#context.thread,
      inputLag: 0,
      remainingRestoreRecords: [...followed.values()].reduce(
        (sum, { endOffset, position }) => sum + Math.max(0, endOffset - position),
        0,
      ),
      restoreTotalRecords: 0,
      lastCommitAtMs: 0,
    }));
  }

  taskIds(): readonly string[] {
    return [...this.#standbys.keys()];
  }

  async close(): Promise<void> {
    await this.assign([]);
    this.#context.fetcher.wakeup();
    await this.#reading;
    await this.#context.fetcher.close();
  }

  #start(taskId: string): void {
    const { subTopologyId, partition } = parseTaskId(taskId);
    const { subTopologies } = this.#context.plan;
    const plan = subTopologies.find(({ subTopology }) => subTopology.id === subTopologyId);
    if (plan === undefined) return;
    const standby: Standby = {
      taskId,
      plan,
      partition,
      stopping: new AbortController(),
      followed: new Map(),
      state: undefined,
      done: Promise.resolve(),
      failed: Promise.withResolvers(),
    };
    this.#standbys.set(taskId, standby);
    standby.done = this.#run(standby);
  }

  /** Opens, follows until told to stop or until the stores fail, and again. */
  async #run(standby: Standby): Promise<void> {
    const { clock, random, log, states } = this.#context;
    const { taskId, stopping } = standby;
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      try {
        standby.state = await states.open(standby);
        if (standby.state === undefined) return;
        if (await this.#follow(standby, standby.state)) {
          await this.#let(standby, async (state) => state.close({ clean: true }));
          return;
        }
        await this.#let(standby, async (state) => state.wipe());
      } catch (error) {
        log.warn({ taskId, err: error }, 'a standby task starts over');
        await this.#let(standby, async (state) => state.close({ clean: false })).catch(() => {});
      }
      await clock.sleep(backoffMs(attempt, RETRY, random), stopping.signal);
    }
  }

  /** True when it was told to stop; false when the stores have to be wiped. */
  async #follow(standby: Standby, state: TaskState): Promise<boolean> {
    const { fetcher, onRunning, onChange } = this.#context;
    const ranges = await this.#ranges(standby, state);
    if (ranges === undefined) return false;
    standby.failed = Promise.withResolvers();
    for (const range of ranges) {
      const { topic, partition, fromOffset, leaderEpoch, endOffset } = range;
      const key = partitionKey(topic, partition);
      standby.followed.set(key, { range, position: fromOffset, endOffset });
      this.#byPartition.set(key, standby);
      fetcher.seek(topic, partition, fromOffset, leaderEpoch < 0 ? undefined : leaderEpoch);
    }
    onRunning(standby.taskId, state.directory);
    onChange();
    const { signal } = standby.stopping;
    const stopped = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => stopped.resolve(), { once: true });
    if (signal.aborted) stopped.resolve();
    const outcome = await Promise.race([
      stopped.promise.then(() => true),
      standby.failed.promise.then(() => false),
    ]);
    return outcome;
  }

  async #ranges(standby: Standby, state: TaskState): Promise<readonly RestoreRange[] | undefined> {
    const { admin, clock, deleteRetentionMs, log } = this.#context;
    const { partition, taskId } = standby;
    const changelogs = standby.plan.changelogs.filter(({ isSourceTopic }) => !isSourceTopic);
    const partitions = changelogs.map(({ topic }) => ({ topic, partition }));
    const ends = await admin.listOffsets(partitions, 'latest', 'read_uncommitted');
    const starts = await admin.listOffsets(partitions, 'earliest', 'read_uncommitted');
    const ranges: RestoreRange[] = [];
    for (const changelog of changelogs) {
      const key = partitionKey(changelog.topic, partition);
      const bounds = { logStartOffset: starts.get(key)!.offset, endOffset: ends.get(key)!.offset };
      const position = state.positions().changelogs.get(changelog.spec.name);
      const time = { nowMs: clock.nowMs(), deleteRetentionMs };
      const decision = planRestore(changelog, partition, position, bounds, time);
      if (decision.kind === 'wipe') {
        log.warn({ taskId, reason: decision.reason }, 'wiping the state of a standby task');
        return undefined;
      }
      ranges.push(decision.range);
    }
    return ranges;
  }

  /** Lets go of the partitions, the readers and, by `end`, of the stores. */
  async #let(standby: Standby, end: (state: TaskState) => Promise<void>): Promise<void> {
    for (const [key, { range }] of standby.followed) {
      this.#byPartition.delete(key);
      this.#context.fetcher.remove(range.topic, range.partition);
    }
    standby.followed.clear();
    // What is being applied right now may be this task's.
    await this.#busy;
    await this.#context.onLeaving(standby.taskId);
    const { state } = standby;
    standby.state = undefined;
    if (state !== undefined) await end(state);
  }

  async #read(): Promise<void> {
    while (this.#standbys.size > 0) {
      for (const fetched of await this.#context.fetcher.poll(POLL_MS)) {
        const standby = this.#byPartition.get(partitionKey(fetched.topic, fetched.partition));
        if (standby === undefined) continue;
        this.#busy = this.#apply(standby, fetched);
        await this.#busy;
      }
    }
    this.#reading = undefined;
  }

  async #apply(standby: Standby, fetched: FetchedPartition): Promise<void> {
    const { cursor, clock, onChange, log } = this.#context;
    const followed = standby.followed.get(partitionKey(fetched.topic, fetched.partition))!;
    const { storeName, topicId } = followed.range;
    try {
      if (fetched.error !== undefined) throw fetched.error;
      const target = { state: standby.state!, storeName, topicId, position: followed.position };
      const limits = { endOffset: Infinity, nowMs: clock.nowMs() };
      followed.position = await applyChangelog({ ...target, ...limits }, fetched, cursor);
      followed.endOffset = fetched.highWatermark;
      onChange();
    } catch (error) {
      log.warn(
        { taskId: standby.taskId, err: error },
        'a standby task cannot follow its changelog',
      );
      standby.failed.resolve();
    }
  }
}
