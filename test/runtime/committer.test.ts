import { expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import type {
  Admin,
  GroupMetadata,
  ProducedRange,
  Producer,
  Transaction,
  TransactionOutcome,
} from '../../kafka/ports.ts';
import {
  atLeastOnceTarget,
  type CommitTarget,
  exactlyOnceTarget,
} from '../../runtime/commit/commit-target.ts';
import { CommitFailed, Committer } from '../../runtime/commit/committer.ts';
import type { RecordCollector } from '../../runtime/commit/record-collector.ts';
import type { StreamTask } from '../../runtime/tasks/stream-task.ts';
import { TaskStoreFailed } from '../../runtime/tasks/task-failures.ts';

const MEMBER: GroupMetadata = {
  groupId: 'app',
  generation: 1,
  memberId: 'm',
  groupInstanceId: null,
};
const COMMITTED: TransactionOutcome = { kind: 'committed', produced: new Map() };

interface FakeTask {
  readonly task: StreamTask;
  /** What the committer did with it, in order. */
  readonly steps: string[];
  applied: PromiseWithResolvers<void>;
}

/** A task that only writes down what is asked of it. */
function fakeTask(taskId: string, log: string[]): FakeTask {
  const fake: FakeTask = {
    steps: log,
    applied: Promise.withResolvers(),
    task: undefined as unknown as StreamTask,
  };
  const offsets = new Map([
    [`in-${taskId}`, { topic: 'in', partition: 0, offset: 5, leaderEpoch: 1, metadata: '' }],
  ]);
  const task = {
    taskId,
    partition: 0,
    flush: async () => void log.push(`flush ${taskId}`),
    freeze: () => {
      log.push(`freeze ${taskId}`);
      return offsets;
    },
    apply: () => {
      log.push(`apply ${taskId}`);
      return fake.applied.promise;
    },
  };
  return Object.assign(fake, { task: task as unknown as StreamTask });
}

function rig(): {
  readonly committer: Committer;
  readonly log: string[];
  readonly transactions: Transaction[];
  answer(outcome: TransactionOutcome): Promise<void>;
} {
  const log: string[] = [];
  const transactions: Transaction[] = [];
  let answered = Promise.withResolvers<TransactionOutcome>();
  const target: CommitTarget = {
    init: async () => {},
    commit: (transaction) => {
      log.push('send');
      transactions.push(transaction);
      return answered.promise;
    },
    close: async () => {},
  };
  const collector = {
    seal: async () => {
      log.push('seal');
      return [];
    },
  } as unknown as RecordCollector;
  const committer = new Committer({
    target,
    collector,
    clock: new ManualClock(),
    group: () => async () => MEMBER,
    onCommitted: ({ sequence }) => void log.push(`announce ${sequence}`),
    onApplied: (sequence) => void log.push(`applied ${sequence}`),
    wakeup: () => {},
  });
  const answer = async (outcome: TransactionOutcome) => {
    const current = answered;
    answered = Promise.withResolvers();
    current.resolve(outcome);
    await committer.ended();
  };
  return { committer, log, transactions, answer };
}

test('a commit flushes every task before it freezes any, and announces before it writes to disk', async () => {
  const { committer, log, transactions, answer } = rig();
  const [a, b] = [fakeTask('0_0', log), fakeTask('0_1', log)];
  await committer.begin([a.task, b.task]);
  expect(committer.isBusy).toBe(true);
  expect([...transactions[0]!.offsets.keys()]).toEqual(['in-0_0', 'in-0_1']);
  await answer(COMMITTED);
  a.applied.resolve();
  b.applied.resolve();
  await committer.applied();
  expect(log).toEqual([
    'flush 0_0',
    'flush 0_1',
    'freeze 0_0',
    'freeze 0_1',
    'seal',
    'send',
    'announce 1',
    'apply 0_0',
    'apply 0_1',
    'applied 1',
  ]);
});

test('the next transaction may be sent while store batches are written, but its own wait for them', async () => {
  const { committer, log, answer } = rig();
  const first = fakeTask('0_0', log);
  await committer.begin([first.task]);
  await answer(COMMITTED);
  expect(committer.isBusy).toBe(false);
  const second = fakeTask('0_1', log);
  await committer.begin([second.task]);
  const ended = answer(COMMITTED);
  await new Promise((resolve) => setImmediate(resolve));
  expect(log).toContain('announce 2');
  expect(log).not.toContain('apply 0_1');
  first.applied.resolve();
  second.applied.resolve();
  await ended;
  await committer.applied();
  expect(log.slice(-4)).toEqual(['announce 2', 'applied 1', 'apply 0_1', 'applied 2']);
});

test.each(['aborted', 'unknown', 'fenced', 'fatal'] as const)(
  'after an outcome of %s nothing is announced, written or sent again until the failure is dealt with',
  async (kind) => {
    const { committer, log, answer } = rig();
    const { task } = fakeTask('0_0', log);
    await committer.begin([task]);
    await answer({ kind, cause: new Error('as told') });
    expect(committer.failure).toBeInstanceOf(CommitFailed);
    expect(committer.failure).toMatchObject({ kind });
    expect(log.at(-1)).toBe('send');
    await expect(committer.begin([task])).rejects.toThrow('one transaction at a time');
    committer.reset();
    expect(committer.isBusy).toBe(false);
  },
);

test('a store batch that fails stops the next commit', async () => {
  const { committer, log, answer } = rig();
  const fake = fakeTask('0_0', log);
  await committer.begin([fake.task]);
  await answer(COMMITTED);
  fake.applied.reject(new TaskStoreFailed('0_0', new MillraceError('STORE_IO', 'disk')));
  await committer.applied();
  expect(committer.failure).toBeInstanceOf(TaskStoreFailed);
  expect(committer.isBusy).toBe(true);
  expect(log).not.toContain('applied 1');
});

test('two producers take turns, and both are initialised', async () => {
  const log: string[] = [];
  const producer = (transactionalId: string) => ({
    transactionalId,
    init: async () => void log.push(`init ${transactionalId}`),
    commit: async () => {
      log.push(transactionalId);
      return COMMITTED;
    },
    close: () => {},
  });
  const target = exactlyOnceTarget([producer('a'), producer('b')]);
  await target.init(new AbortController().signal);
  const transaction: Transaction = { batches: [], offsets: new Map(), group: async () => MEMBER };
  for (let turn = 0; turn < 3; turn++) await target.commit(transaction);
  expect(log).toEqual(['init a', 'init b', 'a', 'b', 'a']);
});

function atLeastOnce(
  commitOffsets: () => Promise<void>,
  sendBatches: () => Promise<ReadonlyMap<string, ProducedRange>> = async () => new Map(),
): CommitTarget {
  const context = { clock: new ManualClock(), random: seededRandom(1), deliveryTimeoutMs: 100 };
  const producer = { sendBatches } as unknown as Producer;
  return atLeastOnceTarget(producer, { commitOffsets } as unknown as Admin, context);
}

const SMALL: Transaction = {
  batches: [{ topic: 't', partition: 0, bytes: Buffer.alloc(0), recordCount: 1 }],
  offsets: new Map(),
  group: async () => MEMBER,
};

test('at least once, offsets are committed only after all output is acknowledged', async () => {
  const log: string[] = [];
  const target = atLeastOnce(
    async () => void log.push('offsets'),
    async () => {
      log.push('acknowledged');
      return new Map();
    },
  );
  expect((await target.commit(SMALL)).kind).toBe('committed');
  expect(log).toEqual(['acknowledged', 'offsets']);
});

test('at least once, output that is perhaps in the log makes the outcome unknown and commits no offset', async () => {
  const target = atLeastOnce(
    async () => expect.unreachable('offsets must not be committed'),
    async () => Promise.reject(new MillraceError('KAFKA_AMBIGUOUS', 'no answer')),
  );
  expect((await target.commit(SMALL)).kind).toBe('unknown');
});

test('at least once, who is no longer a member is fenced', async () => {
  const lost = atLeastOnce(async () => {});
  expect((await lost.commit({ ...SMALL, group: async () => undefined })).kind).toBe('fenced');
  const fenced = atLeastOnce(async () =>
    Promise.reject(new MillraceError('KAFKA_FENCED', 'generation')),
  );
  expect((await fenced.commit(SMALL)).kind).toBe('fenced');
});
