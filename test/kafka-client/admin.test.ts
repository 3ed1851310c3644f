import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import { createAdmin } from '../../kafka/admin.ts';
import type { Admin } from '../../kafka/ports.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { createTopicsApi } from '../../kafka/protocol/messages/create-topics.ts';
import { deleteTopicsApi } from '../../kafka/protocol/messages/delete-topics.ts';
import { listOffsetsApi } from '../../kafka/protocol/messages/list-offsets.ts';
import { metadataApi } from '../../kafka/protocol/messages/metadata.ts';
import { offsetCommitApi } from '../../kafka/protocol/messages/offset-commit.ts';
import { offsetFetchApi } from '../../kafka/protocol/messages/offset-fetch.ts';
import { turn, whileTimePasses } from '../kit/passing-time.ts';
import { disconnected, ScriptedCluster } from '../kit/scripted-cluster.ts';

const TOPIC_ID = 'c'.repeat(32);
const GROUP = { groupId: 'g', generation: 4, memberId: 'm', groupInstanceId: null };

let clock: ManualClock;
let cluster: ScriptedCluster;
let admin: Admin;

beforeEach(() => {
  clock = new ManualClock(1_700_000_000_000);
  cluster = new ScriptedCluster();
  const deps = { clock, random: seededRandom(3), log: silentLog };
  admin = createAdmin(cluster, deps, { timeoutMs: 5_000 });
});

const spec = (name: string) => ({ name, partitions: 1, replicationFactor: -1, configs: {} });
const at = (partition: number) => ({ topic: 't', partition });

/** An OffsetFetch answer in the shape of every version. */
function offsetsAnswer(errorCode: number, committedOffset: number) {
  const partitions = [
    { partitionIndex: 0, committedOffset, committedLeaderEpoch: 2, metadata: null, errorCode },
  ];
  const topics = [{ name: 't', topicId: TOPIC_ID, partitions }];
  return { topics, errorCode: 0, groups: [{ groupId: 'g', topics, errorCode: 0 }] };
}

describe('creating topics', () => {
  test('reports what was there, and waits until the new ones have leaders', async () => {
    cluster.on(createTopicsApi, ({ topics }) => ({
      topics: topics.map(({ name }) => ({
        name,
        errorCode: name === 'old' ? Errors.TOPIC_ALREADY_EXISTS : 0,
        errorMessage: null,
        topicId: TOPIC_ID,
      })),
    }));
    cluster.onRefresh = () => {
      if (cluster.refreshed.length === 3) cluster.lead('new', 0, 1);
    };
    const created = admin.createTopics([spec('old'), spec('new')]);
    expect(await whileTimePasses(clock, created)).toEqual({ created: ['new'], existing: ['old'] });
    expect(cluster.refreshed).toHaveLength(3);
  });

  test('asks again when the controller has moved or the answer was lost', async () => {
    let tries = 0;
    cluster.on(createTopicsApi, ({ topics }) => {
      if (++tries === 1) throw disconnected();
      const errorCode = tries === 2 ? Errors.NOT_CONTROLLER : Errors.TOPIC_ALREADY_EXISTS;
      return { topics: topics.map(({ name }) => ({ name, errorCode, errorMessage: null })) };
    });
    const created = admin.createTopics([spec('t')]);
    expect(await whileTimePasses(clock, created)).toEqual({ created: [], existing: ['t'] });
    expect(tries).toBe(3);
  });

  test('fails at once, in words, on what asking again does not heal', async () => {
    cluster.on(createTopicsApi, () => ({
      topics: [{ name: 't', errorCode: Errors.INVALID_REPLICATION_FACTOR, errorMessage: 'only 1' }],
    }));
    const created = admin.createTopics([spec('t')]);
    await expect(created).rejects.toMatchObject({ code: 'KAFKA_FATAL' });
    await expect(created).rejects.toThrow(
      /creating topic t: INVALID_REPLICATION_FACTOR \(only 1\)/,
    );
  });

  test('gives up when its time is over', async () => {
    cluster.on(createTopicsApi, () => {
      throw disconnected();
    });
    const created = whileTimePasses(clock, admin.createTopics([spec('t')]));
    await expect(created).rejects.toMatchObject({ code: 'KAFKA_RETRIABLE' });
    expect(clock.monotonicMs()).toBeLessThan(10_000);
  });
});

test('deleting topics that are not there is no error', async () => {
  cluster.on(deleteTopicsApi, ({ topics }) => ({
    responses: topics.map(({ name }) => ({
      name,
      topicId: TOPIC_ID,
      errorCode: name === 'gone' ? Errors.UNKNOWN_TOPIC_OR_PARTITION : 0,
    })),
  }));
  await admin.deleteTopics(['here', 'gone']);
  expect(cluster.sentApis()).toEqual(['DeleteTopics']);
});

test('describing topics leaves out those that do not exist', async () => {
  cluster.on(metadataApi, ({ topics }) => ({
    brokers: [],
    topics: (topics ?? []).map(({ name }) => ({
      errorCode: name === 'nowhere' ? Errors.UNKNOWN_TOPIC_OR_PARTITION : 0,
      name,
      topicId: TOPIC_ID,
      isInternal: false,
      partitions: [0, 1, 2].map((partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1,
        replicaNodes: [],
        isrNodes: [],
      })),
    })),
  }));
  const described = await admin.describeTopics(['t', 'nowhere']);
  expect([...described.values()]).toEqual([{ name: 't', topicId: TOPIC_ID, partitions: 3 }]);
});

describe('listing offsets', () => {
  test('asks each leader for its own, and the new leader for what has moved', async () => {
    cluster.lead('t', 0, 1);
    cluster.lead('t', 1, 2);
    const asked: string[] = [];
    cluster.on(listOffsetsApi, ({ topics, isolationLevel }, { nodeId }) => {
      const partitions = topics.flatMap((topic) => topic.partitions);
      asked.push(`${nodeId}: ${partitions.map((one) => one.partitionIndex)} at ${isolationLevel}`);
      const answers = partitions.map(({ partitionIndex }) => {
        const hasMoved = partitionIndex === 1 && nodeId === 2;
        const errorCode = hasMoved ? Errors.NOT_LEADER_OR_FOLLOWER : 0;
        return { partitionIndex, errorCode, offset: 100 + partitionIndex, leaderEpoch: 6 };
      });
      return { topics: [{ name: 't', partitions: answers }] };
    });
    cluster.onRefresh = () => cluster.lead('t', 1, 3);
    const listed = await whileTimePasses(
      clock,
      admin.listOffsets([at(0), at(1)], 'latest', 'read_committed'),
    );
    expect(asked.sort()).toEqual(['1: 0 at 1', '2: 1 at 1', '3: 1 at 1']);
    expect(listed).toEqual(
      new Map([
        ['t-0', { offset: 100, leaderEpoch: 6, timestampMs: -1 }],
        ['t-1', { offset: 101, leaderEpoch: 6, timestampMs: -1 }],
      ]),
    );
  });

  test('says which partition nobody leads', async () => {
    const listed = whileTimePasses(
      clock,
      admin.listOffsets([at(0)], 'earliest', 'read_uncommitted'),
    );
    await expect(listed).rejects.toThrow(/offset of t-0: no leader answers/);
  });
});

describe('committed offsets', () => {
  test.each([7, 8, 9])('are read with OffsetFetch v%i', async (version) => {
    cluster.versionsAtMost.set('OffsetFetch', version);
    cluster.on(offsetFetchApi, () => offsetsAnswer(0, 42));
    const offsets = await admin.committedOffsets('g', [at(0)], { requireStable: true });
    expect(offsets.get('t-0')).toMatchObject({ offset: 42, metadata: '' });
    expect(cluster.sent[0]).toMatchObject({ version });
  });

  test('are waited for while a transaction holds them, as long as the caller likes', async () => {
    let isOpen = true;
    cluster.on(offsetFetchApi, ({ requireStable }) =>
      offsetsAnswer(isOpen && requireStable ? Errors.UNSTABLE_OFFSET_COMMIT : 0, 7),
    );
    let waits = 0;
    const { signal } = new AbortController();
    const onWaiting = () => {
      waits++;
      if (clock.monotonicMs() > 20_000) isOpen = false;
    };
    const offsets = admin.committedOffsets('g', [at(0)], {
      requireStable: true,
      signal,
      onWaiting,
    });
    expect((await whileTimePasses(clock, offsets)).get('t-0')?.offset).toBe(7);
    expect(waits).toBeGreaterThan(100);
    expect(cluster.forgotten).toEqual([]);
  });

  test('are given up when the caller gives up', async () => {
    cluster.on(offsetFetchApi, () => offsetsAnswer(Errors.UNSTABLE_OFFSET_COMMIT, -1));
    const stop = new AbortController();
    const options = { requireStable: true, signal: stop.signal };
    const offsets = admin.committedOffsets('g', [at(0)], options);
    const refused = expect(offsets).rejects.toMatchObject({ code: 'KAFKA_RETRIABLE' });
    await turn();
    stop.abort();
    await refused;
  });

  test('are asked of the new coordinator when it has moved', async () => {
    let tries = 0;
    cluster.on(offsetFetchApi, () => offsetsAnswer(++tries === 1 ? Errors.NOT_COORDINATOR : 0, 9));
    const offsets = admin.committedOffsets('g', [at(0)], { requireStable: false });
    expect((await whileTimePasses(clock, offsets)).get('t-0')?.offset).toBe(9);
    expect(cluster.forgotten).toEqual(['group:g']);
  });
});

describe('committing offsets', () => {
  const offsets = new Map([['t-0', { ...at(0), offset: 5, leaderEpoch: 1, metadata: 'm' }]]);
  const answer = (errorCode: number) => ({
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode }] }],
  });

  test('goes with member and generation', async () => {
    const requests: unknown[] = [];
    cluster.on(offsetCommitApi, (request) => {
      requests.push(request);
      return answer(0);
    });
    await admin.commitOffsets(GROUP, offsets);
    expect(requests).toMatchObject([
      { groupId: 'g', generationIdOrMemberEpoch: 4, memberId: 'm', groupInstanceId: null },
    ]);
  });

  test.each([
    ['UNKNOWN_MEMBER_ID', Errors.UNKNOWN_MEMBER_ID, 'KAFKA_FENCED'],
    ['FENCED_INSTANCE_ID', Errors.FENCED_INSTANCE_ID, 'KAFKA_FENCED'],
    ['ILLEGAL_GENERATION', Errors.ILLEGAL_GENERATION, 'KAFKA_RETRIABLE'],
    ['REBALANCE_IN_PROGRESS', Errors.REBALANCE_IN_PROGRESS, 'KAFKA_RETRIABLE'],
    ['OFFSET_METADATA_TOO_LARGE', Errors.OFFSET_METADATA_TOO_LARGE, 'KAFKA_FATAL'],
  ])('%s goes to the caller at once', async (_, errorCode, code) => {
    cluster.on(offsetCommitApi, () => answer(errorCode));
    await expect(admin.commitOffsets(GROUP, offsets)).rejects.toMatchObject({ code });
    expect(cluster.sentApis()).toEqual(['OffsetCommit']);
  });

  test('is sent again to the coordinator of then', async () => {
    let tries = 0;
    cluster.on(offsetCommitApi, () => {
      if (++tries === 1) throw disconnected();
      return answer(tries === 2 ? Errors.COORDINATOR_LOAD_IN_PROGRESS : 0);
    });
    await whileTimePasses(clock, admin.commitOffsets(GROUP, offsets));
    expect(tries).toBe(3);
    expect(cluster.forgotten).toEqual(['group:g', 'group:g']);
  });
});
