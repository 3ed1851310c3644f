/** What a task refuses to start on: topics that are not the ones it has committed with. */
import { expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { Admin, CommittedOffset } from '../../kafka/ports.ts';
import type { Restorer } from '../../runtime/restore/restorer.ts';
import { streamsConfig } from '../../runtime/streams-config.ts';
import { prepareTask, type TaskStarterContext } from '../../runtime/tasks/task-starter.ts';
import { fetched, fetchedBatch, NOW_MS, runningTask } from './runtime-fixtures.ts';

const idle = () => ({ process: () => undefined });

interface Rig extends TaskStarterContext {
  readonly restores: string[];
  /** What one topic is by now, in place of what it was when the instance planned with it. */
  replaced: string | undefined;
}

/** Kafka with one committed offset, and logs from 0 to 7. */
function contextWith(committed: CommittedOffset): Rig {
  const restores: string[] = [];
  const admin = {
    describeTopics: async (names: readonly string[]) =>
      new Map(
        names.map((name) => [
          name,
          { name, topicId: `${name}-${rig.replaced === name ? 'new-id' : 'id'}`, partitions: 1 },
        ]),
      ),
    committedOffsets: async () => new Map([['input-0', committed]]),
    listOffsets: async (partitions: readonly { topic: string }[], spec: unknown) =>
      new Map(
        partitions.map(({ topic }) => [
          `${topic}-0`,
          { offset: spec === 'earliest' ? 0 : 7, leaderEpoch: 0, timestampMs: -1 },
        ]),
      ),
  };
  const restorer = {
    restore: async ({ taskId }: { taskId: string }) => void restores.push(taskId),
  };
  const rig: Rig = {
    replaced: undefined,
    admin: admin as unknown as Admin,
    restorer: restorer as unknown as Restorer,
    states: { open: async () => undefined, destroy: async () => {} },
    config: streamsConfig({ applicationId: 'app' }),
    clock: new ManualClock(NOW_MS),
    random: seededRandom(1),
    log: silentLog,
    onProgress: () => {},
    onLeaving: async () => {},
    restores,
  };
  return rig;
}

/** As the task itself commits it after one record. */
async function committedBy(rig: Awaited<ReturnType<typeof runningTask>>): Promise<CommittedOffset> {
  rig.task.add(fetched('input', [fetchedBatch(0, [{ key: 'a' }])]));
  await rig.task.process({ recordsMax: 1, deadlineMs: Infinity });
  const { offset, leaderEpoch, metadata } = rig.task.offsets().get('input-0')!;
  return { offset, leaderEpoch, metadata };
}

const signal = new AbortController().signal;

test('a task starts where it committed, with the topics it committed with', async () => {
  const rig = await runningTask(idle);
  const committed = await committedBy(rig);
  const context = contextWith(committed);
  const offsets = await prepareTask(context, rig.task, signal);
  expect(offsets.get('input-0')).toEqual(committed);
  expect(context.restores).toEqual(['0_0']);
});

test.each(['input', 'app-counts-changelog'])(
  '%s, created anew since, is refused before any store is touched',
  async (topic) => {
    const rig = await runningTask(idle);
    const committed = await committedBy(rig);
    const metadata = committed.metadata.replace(`${topic}-id`, 'the-id-of-before');
    expect(metadata).not.toBe(committed.metadata);
    const context = contextWith({ ...committed, metadata });
    await expect(prepareTask(context, rig.task, signal)).rejects.toMatchObject({
      code: 'LOG_LOST',
      message: expect.stringContaining(topic),
    });
    expect(context.restores).toEqual([]);
  },
);

test.each(['input', 'app-counts-changelog'])(
  '%s, created anew since the instance was started, is refused before any store is touched',
  async (topic) => {
    const rig = await runningTask(idle);
    const context = contextWith(await committedBy(rig));
    context.replaced = topic;
    await expect(prepareTask(context, rig.task, signal)).rejects.toMatchObject({
      code: 'LOG_LOST',
      message: expect.stringContaining(topic),
    });
    expect(context.restores).toEqual([]);
  },
);

test('a changelog that is replaced while it is restored is refused: the state is of both', async () => {
  const rig = await runningTask(idle);
  const context = contextWith(await committedBy(rig));
  const restorer = {
    restore: async () => {
      context.replaced = 'app-counts-changelog';
    },
  };
  const replacedMeanwhile = { ...context, restorer: restorer as unknown as Restorer };
  await expect(prepareTask(replacedMeanwhile, rig.task, signal)).rejects.toMatchObject({
    code: 'LOG_LOST',
  });
});

test('offsets that an operator has set say nothing of topics and are taken as they are', async () => {
  const rig = await runningTask(idle);
  const context = contextWith({ offset: 5, leaderEpoch: -1, metadata: '' });
  const offsets = await prepareTask(context, rig.task, signal);
  expect(offsets.get('input-0')).toMatchObject({ offset: 5 });
});
