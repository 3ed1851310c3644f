import { describe, expect, test } from 'vitest';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { deleteTopicsApi } from '../../kafka/protocol/messages/delete-topics.ts';
import { listGroupsApi } from '../../kafka/protocol/messages/list-groups.ts';
import { metadataApi } from '../../kafka/protocol/messages/metadata.ts';
import { offsetCommitApi } from '../../kafka/protocol/messages/offset-commit.ts';
import { offsetDeleteApi } from '../../kafka/protocol/messages/offset-delete.ts';
import { offsetFetchApi } from '../../kafka/protocol/messages/offset-fetch.ts';
import { BrokerHarness } from './kit/broker-harness.ts';
import { GroupClient } from './kit/group-client.ts';
import { committedOffset, TransactionClient } from './kit/transaction-client.ts';

interface Commit {
  readonly offset: number;
  readonly topic?: string;
  readonly partition?: number;
  readonly metadata?: string;
  readonly member?: GroupClient;
}

async function started(config: Readonly<Record<string, string>> = {}) {
  const harness = await BrokerHarness.start(config);
  await harness.createTopic('in', 2);
  return harness;
}

async function commit(harness: BrokerHarness, { topic = 'in', partition = 0, ...rest }: Commit) {
  const identity = rest.member?.identity;
  const answer = await harness.send(offsetCommitApi, 9, {
    groupId: 'g',
    generationIdOrMemberEpoch: identity?.generationId ?? -1,
    memberId: identity?.memberId ?? '',
    groupInstanceId: identity?.groupInstanceId ?? null,
    topics: [
      {
        name: topic,
        partitions: [
          {
            partitionIndex: partition,
            committedOffset: rest.offset,
            committedMetadata: rest.metadata ?? '',
          },
        ],
      },
    ],
  });
  return answer.topics[0]?.partitions[0]?.errorCode;
}

describe('committed offsets', () => {
  test('of a consumer without a group are kept with their metadata, over kills and power losses', async () => {
    const harness = await started();
    expect(await commit(harness, { offset: 5, metadata: 'note' })).toBe(0);
    for (const crash of ['kill', 'losePower', 'restart'] as const) {
      await harness[crash]();
      const answer = await harness.send(offsetFetchApi, 9, {
        groups: [{ groupId: 'g', topics: null }],
        requireStable: true,
      });
      expect(answer.groups[0]?.topics).toMatchObject([
        {
          name: 'in',
          partitions: [{ partitionIndex: 0, committedOffset: 5, metadata: 'note', errorCode: 0 }],
        },
      ]);
    }
  });

  test('the last commit counts, whichever of two overlapping ones is durable first', async () => {
    const harness = await started();
    const both = [commit(harness, { offset: 1 }), commit(harness, { offset: 2 })];
    await Promise.all(both);
    expect(await committedOffset(harness, 'g', 'in')).toBe(2);
    await harness.kill();
    expect(await committedOffset(harness, 'g', 'in')).toBe(2);
  });

  test('are not shown before they are durable', async () => {
    const harness = await started();
    harness.holdSyncsAfter(0);
    const committing = commit(harness, { offset: 5 });
    await harness.settle();
    expect(await committedOffset(harness, 'g', 'in')).toBe(-1);
    harness.releaseSyncs();
    await committing;
    expect(await committedOffset(harness, 'g', 'in')).toBe(5);
  });

  test('are taken from members of the present generation only', async () => {
    const harness = await started();
    const member = new GroupClient(harness, { groupId: 'g' });
    await member.joinAlone();
    expect(await commit(harness, { offset: 1, member })).toBe(0);
    expect(await commit(harness, { offset: 2 })).toBe(Errors.UNKNOWN_MEMBER_ID);
    member.generationId -= 1;
    expect(await commit(harness, { offset: 3, member })).toBe(Errors.ILLEGAL_GENERATION);
    member.memberId = 'ghost';
    expect(await commit(harness, { offset: 4, member })).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(await committedOffset(harness, 'g', 'in')).toBe(1);
  });

  test('are refused while the assignment is still being made', async () => {
    const harness = await started();
    const member = new GroupClient(harness, { groupId: 'g' });
    await member.join();
    expect(await commit(harness, { offset: 1, member })).toBe(Errors.REBALANCE_IN_PROGRESS);
  });

  test('for what does not exist, or with too much metadata, are refused one by one', async () => {
    const harness = await started();
    const unknown = Errors.UNKNOWN_TOPIC_OR_PARTITION;
    expect(await commit(harness, { offset: 1, partition: 7 })).toBe(unknown);
    expect(await commit(harness, { offset: 1, topic: 'nowhere' })).toBe(unknown);
    const metadata = 'x'.repeat(5_000);
    expect(await commit(harness, { offset: 1, metadata })).toBe(Errors.OFFSET_METADATA_TOO_LARGE);
  });

  test('can be committed and fetched by topic id', async () => {
    const harness = await started();
    const { topics } = await harness.send(metadataApi, 12, { topics: null });
    const topicId = topics.find((topic) => topic.name === 'in')?.topicId ?? '';
    const stranger = 'f'.repeat(32);
    const partitions = [{ partitionIndex: 0, committedOffset: 4, committedMetadata: null }];
    const committed = await harness.send(offsetCommitApi, 10, {
      groupId: 'g',
      memberId: '',
      topics: [
        { topicId, partitions },
        { topicId: stranger, partitions },
      ],
    });
    const codes = committed.topics.map((topic) => topic.partitions[0]?.errorCode);
    expect(codes).toEqual([0, Errors.UNKNOWN_TOPIC_ID]);
    const fetched = await harness.send(offsetFetchApi, 10, {
      groups: [
        {
          groupId: 'g',
          topics: [
            { topicId, partitionIndexes: [0, 1] },
            { topicId: stranger, partitionIndexes: [0] },
          ],
        },
      ],
    });
    expect(fetched.groups[0]?.topics).toMatchObject([
      { topicId, partitions: [{ committedOffset: 4 }, { committedOffset: -1 }] },
      { topicId: stranger, partitions: [{ errorCode: Errors.UNKNOWN_TOPIC_ID }] },
    ]);
  });
});

describe('offsets in a transaction', () => {
  test('a later plain commit is not undone by the transaction that began before it', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await producer.commitOffset('g', 'in', 3);
    await commit(harness, { offset: 9 });
    await producer.end(true);
    await harness.settle();
    expect(await committedOffset(harness, 'g', 'in')).toBe(9);
    await harness.kill();
    expect(await committedOffset(harness, 'g', 'in')).toBe(9);
  });

  test('another partition stays readable while one is in doubt', async () => {
    const harness = await started();
    await commit(harness, { offset: 1, partition: 1 });
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await producer.commitOffset('g', 'in', 3);
    const answer = await harness.send(offsetFetchApi, 7, {
      groupId: 'g',
      topics: [{ name: 'in', partitionIndexes: [0, 1] }],
      requireStable: true,
    });
    expect(answer.topics[0]?.partitions).toMatchObject([
      { errorCode: Errors.UNSTABLE_OFFSET_COMMIT, committedOffset: -1 },
      { errorCode: 0, committedOffset: 1 },
    ]);
  });
});

describe('deleting offsets', () => {
  const remove = (harness: BrokerHarness, partitionIndex: number) =>
    harness.send(offsetDeleteApi, 0, {
      groupId: 'g',
      topics: [{ name: 'in', partitions: [{ partitionIndex }] }],
    });

  test('forgets them for good', async () => {
    const harness = await started();
    await commit(harness, { offset: 5 });
    const answer = await remove(harness, 0);
    expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(0);
    expect(await committedOffset(harness, 'g', 'in')).toBe(-1);
    await harness.kill();
    expect(await committedOffset(harness, 'g', 'in')).toBe(-1);
  });

  test('is refused where a member still subscribes, and where there is no such group', async () => {
    const harness = await started();
    expect((await remove(harness, 0)).errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
    const member = new GroupClient(harness, { groupId: 'g' });
    // A consumer's subscription: version 0, one topic, no user data.
    const subscription = Buffer.from('0000000000010002696e00000000', 'hex');
    await member.join(subscription.toString('latin1'));
    await member.sync({ [member.memberId]: '' });
    const answer = await remove(harness, 0);
    expect(answer.topics[0]?.partitions[0]?.errorCode).toBe(Errors.GROUP_SUBSCRIBED_TO_TOPIC);
  });

  test('comes with the deletion of the topic', async () => {
    const harness = await started();
    await commit(harness, { offset: 5 });
    await harness.send(deleteTopicsApi, 5, { topicNames: ['in'], timeoutMs: 1000 });
    await harness.createTopic('in');
    expect(await committedOffset(harness, 'g', 'in')).toBe(-1);
  });
});

describe('retention', () => {
  const config = {
    'offsets.retention.minutes': '10',
    'log.retention.check.interval.ms': '60000',
  };
  const groups = async (harness: BrokerHarness) => {
    const answer = await harness.send(listGroupsApi, 5, { statesFilter: [], typesFilter: [] });
    return answer.groups.map((group) => group.groupId);
  };

  test('a group that nobody uses loses its offsets, and then itself', async () => {
    const harness = await started(config);
    await commit(harness, { offset: 5 });
    await harness.advance(9 * 60_000);
    expect(await committedOffset(harness, 'g', 'in')).toBe(5);
    await harness.advance(3 * 60_000);
    expect(await committedOffset(harness, 'g', 'in')).toBe(-1);
    expect(await groups(harness)).toEqual([]);
    await harness.kill();
    expect(await groups(harness)).toEqual([]);
  });

  test('a group in use keeps them, and keeps them for the whole time after its last member left', async () => {
    const harness = await started(config);
    const member = new GroupClient(harness, {
      groupId: 'g',
      sessionTimeoutMs: 30_000,
      protocolType: 'streams',
    });
    await member.joinAlone();
    await commit(harness, { offset: 5, member });
    for (let beat = 0; beat < 60; beat++) {
      await harness.advance(20_000);
      expect(await member.heartbeat()).toBe(0);
    }
    await member.leave();
    await harness.advance(9 * 60_000);
    expect(await committedOffset(harness, 'g', 'in')).toBe(5);
    await harness.advance(3 * 60_000);
    expect(await committedOffset(harness, 'g', 'in')).toBe(-1);
  });
});
