import { describe, expect, test } from 'vitest';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { deleteGroupsApi } from '../../kafka/protocol/messages/delete-groups.ts';
import { describeGroupsApi } from '../../kafka/protocol/messages/describe-groups.ts';
import { joinGroupApi } from '../../kafka/protocol/messages/join-group.ts';
import { leaveGroupApi } from '../../kafka/protocol/messages/leave-group.ts';
import { listGroupsApi } from '../../kafka/protocol/messages/list-groups.ts';
import { BrokerHarness } from './kit/broker-harness.ts';
import { GroupClient } from './kit/group-client.ts';

const groupId = 'g';

async function describeGroup(harness: BrokerHarness) {
  const { groups } = await harness.send(describeGroupsApi, 6, { groups: [groupId] });
  return groups[0];
}

/** Two members in a stable group, led by the first. */
async function stablePair(harness: BrokerHarness, options: { readonly instances?: boolean } = {}) {
  const of = (name: string) =>
    new GroupClient(harness, { groupId, ...(options.instances ? { instanceId: name } : {}) });
  const [leader, follower] = [of('one'), of('two')];
  await leader.joinAlone();
  const joining = follower.join();
  await harness.settle();
  expect(await leader.heartbeat()).toBe(Errors.REBALANCE_IN_PROGRESS);
  const rejoined = await leader.joinOnce();
  await joining;
  const assignments = { [leader.memberId]: 'left', [follower.memberId]: 'right' };
  const [forLeader, forFollower] = await Promise.all([leader.sync(assignments), follower.sync()]);
  return { leader, follower, rejoined, forLeader, forFollower };
}

describe('joining', () => {
  test('a new member is first given its id, and then the first generation, alone and at once', async () => {
    const harness = await BrokerHarness.start();
    const member = new GroupClient(harness, { groupId });
    const first = await member.joinOnce();
    expect(first.errorCode).toBe(Errors.MEMBER_ID_REQUIRED);
    expect(first.memberId).toMatch(/^test-/);
    const second = await member.joinOnce();
    expect(second).toMatchObject({
      errorCode: 0,
      generationId: 1,
      leader: member.memberId,
      protocolType: 'consumer',
      protocolName: 'range',
    });
    expect(second.members.map((each) => each.memberId)).toEqual([member.memberId]);
  });

  test('an old client, which knows no member id requirement, is let in at once', async () => {
    const harness = await BrokerHarness.start();
    const member = new GroupClient(harness, { groupId, joinVersion: 3 });
    expect((await member.joinOnce()).errorCode).toBe(0);
  });

  test('a second member makes the first one rejoin, and each gets what the leader assigned', async () => {
    const harness = await BrokerHarness.start();
    const { rejoined, forLeader, forFollower } = await stablePair(harness);
    expect(rejoined.generationId).toBe(2);
    expect(rejoined.members).toHaveLength(2);
    expect(forLeader.assignment.toString()).toBe('left');
    expect(forFollower.assignment.toString()).toBe('right');
    expect((await describeGroup(harness))?.groupState).toBe('Stable');
  });

  test('the protocol chosen is one that all members know', async () => {
    const harness = await BrokerHarness.start();
    const one = new GroupClient(harness, { groupId, protocols: ['new', 'old'] });
    const two = new GroupClient(harness, { groupId, protocols: ['old'] });
    await one.joinAlone();
    const joining = two.join();
    await harness.settle();
    expect((await one.joinOnce()).protocolName).toBe('old');
    expect((await joining).protocolName).toBe('old');
  });

  test('a member with no protocol in common is refused', async () => {
    const harness = await BrokerHarness.start();
    await new GroupClient(harness, { groupId }).joinAlone();
    const stranger = new GroupClient(harness, { groupId, protocols: ['other'] });
    expect((await stranger.join()).errorCode).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
    const connector = new GroupClient(harness, { groupId, protocolType: 'connect' });
    expect((await connector.join()).errorCode).toBe(Errors.INCONSISTENT_GROUP_PROTOCOL);
  });

  test('a full group takes nobody else', async () => {
    const harness = await BrokerHarness.start({ 'group.max.size': '1' });
    await new GroupClient(harness, { groupId }).joinAlone();
    const late = new GroupClient(harness, { groupId });
    expect((await late.join()).errorCode).toBe(Errors.GROUP_MAX_SIZE_REACHED);
  });

  test('a session timeout out of bounds and a nameless group are refused', async () => {
    const harness = await BrokerHarness.start();
    const hasty = new GroupClient(harness, { groupId, sessionTimeoutMs: 5 });
    expect((await hasty.joinOnce()).errorCode).toBe(Errors.INVALID_SESSION_TIMEOUT);
    const nameless = new GroupClient(harness, { groupId: '' });
    expect((await nameless.joinOnce()).errorCode).toBe(Errors.INVALID_GROUP_ID);
  });

  test('the initial delay gathers members into one first generation', async () => {
    const harness = await BrokerHarness.start({ 'group.initial.rebalance.delay.ms': '3000' });
    const one = new GroupClient(harness, { groupId });
    const two = new GroupClient(harness, { groupId });
    const joins = [one.join(), two.join()];
    await harness.settle();
    await harness.advance(6_000);
    const answers = await Promise.all(joins);
    expect(answers.map((answer) => answer.generationId)).toEqual([1, 1]);
    expect(Math.max(...answers.map((answer) => answer.members.length))).toBe(2);
  });

  test('an id that was given out but never used does not hold up the group for ever', async () => {
    const harness = await BrokerHarness.start();
    const member = new GroupClient(harness, { groupId });
    await member.joinAlone();
    await new GroupClient(harness, { groupId }).joinOnce();
    const rejoining = member.joinOnce('changed');
    await harness.settle();
    await harness.advance(10_000);
    expect((await rejoining).errorCode).toBe(0);
  });
});

describe('keeping up', () => {
  test('heartbeats keep a member, silence loses it, and its partitions go to the others', async () => {
    const harness = await BrokerHarness.start();
    const { leader, follower } = await stablePair(harness);
    for (let beat = 0; beat < 5; beat++) {
      await harness.advance(4_000);
      expect(await leader.heartbeat()).toBe(beat < 2 ? 0 : Errors.REBALANCE_IN_PROGRESS);
    }
    expect(await follower.heartbeat()).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect((await leader.joinOnce()).members).toHaveLength(1);
  });

  test('a heartbeat of an old generation, or of a stranger, is told so', async () => {
    const harness = await BrokerHarness.start();
    const member = new GroupClient(harness, { groupId });
    await member.joinAlone();
    member.generationId = 7;
    expect(await member.heartbeat()).toBe(Errors.ILLEGAL_GENERATION);
    member.memberId = 'nobody';
    expect(await member.heartbeat()).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  test('a member that does not rejoin in time is left behind', async () => {
    const harness = await BrokerHarness.start();
    const { leader, follower } = await stablePair(harness);
    const rejoining = leader.joinOnce('changed');
    for (let beat = 0; beat < 7; beat++) {
      await harness.advance(9_000);
      await follower.heartbeat();
    }
    expect((await rejoining).members).toHaveLength(1);
    expect(await follower.heartbeat()).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  test('a leader that never assigns is dropped, and the rest rebalances', async () => {
    const harness = await BrokerHarness.start();
    const { leader, follower } = await stablePair(harness);
    const rejoining = leader.joinOnce('changed');
    const following = follower.joinOnce();
    await rejoining;
    await following;
    const waiting = follower.sync();
    for (let beat = 0; beat < 7; beat++) {
      await harness.advance(9_000);
      await leader.heartbeat();
    }
    expect((await waiting).errorCode).toBe(Errors.REBALANCE_IN_PROGRESS);
    expect((await follower.joinOnce()).leader).toBe(follower.memberId);
  });

  test('leaving makes the others rebalance at once', async () => {
    const harness = await BrokerHarness.start();
    const { leader, follower } = await stablePair(harness);
    expect(await follower.leave()).toBe(0);
    expect(await leader.heartbeat()).toBe(Errors.REBALANCE_IN_PROGRESS);
    expect((await leader.joinOnce()).members).toHaveLength(1);
    expect(await follower.leave()).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  test('the last one leaving leaves an empty group, whose generation goes on', async () => {
    const harness = await BrokerHarness.start();
    const member = new GroupClient(harness, { groupId });
    await member.joinAlone();
    await member.leave();
    expect((await describeGroup(harness))?.groupState).toBe('Empty');
    const next = new GroupClient(harness, { groupId });
    expect((await next.join()).generationId).toBe(3);
  });
});

describe('static members', () => {
  test('one that comes back takes its place without a rebalance, and its former self is fenced', async () => {
    const harness = await BrokerHarness.start();
    const { leader, follower } = await stablePair(harness, { instances: true });
    const successor = new GroupClient(harness, { groupId, instanceId: 'two' });
    const answer = await successor.joinOnce();
    expect(answer).toMatchObject({ errorCode: 0, generationId: leader.generationId });
    expect((await successor.sync()).assignment.toString()).toBe('right');
    expect(await follower.heartbeat()).toBe(Errors.FENCED_INSTANCE_ID);
    expect(await leader.heartbeat()).toBe(0);
  });

  test('a leader that comes back is told to keep the assignment', async () => {
    const harness = await BrokerHarness.start();
    const { leader } = await stablePair(harness, { instances: true });
    const successor = new GroupClient(harness, { groupId, instanceId: 'one' });
    const answer = await successor.joinOnce();
    expect(answer).toMatchObject({ skipAssignment: true, leader: successor.memberId });
    expect(answer.members).toHaveLength(2);
    expect((await successor.sync()).assignment.toString()).toBe('left');
    expect(await leader.heartbeat()).toBe(Errors.FENCED_INSTANCE_ID);
  });

  test('an older client that comes back as leader is not told that it leads', async () => {
    const harness = await BrokerHarness.start();
    await stablePair(harness, { instances: true });
    const successor = new GroupClient(harness, { groupId, instanceId: 'one', joinVersion: 8 });
    const answer = await successor.joinOnce();
    expect(answer.leader).not.toBe(successor.memberId);
    expect(answer.members).toEqual([]);
  });

  test('an administrator removes one by its instance id alone', async () => {
    const harness = await BrokerHarness.start();
    await stablePair(harness, { instances: true });
    const { members } = await harness.send(leaveGroupApi, 5, {
      groupId,
      members: [
        { memberId: '', groupInstanceId: 'two' },
        { memberId: '', groupInstanceId: 'nobody' },
      ],
    });
    expect(members.map((each) => each.errorCode)).toEqual([0, Errors.UNKNOWN_MEMBER_ID]);
  });
});

describe('after a restart', () => {
  test('members, generation and assignments are there, and a silent member expires', async () => {
    const harness = await BrokerHarness.start();
    const { leader, follower } = await stablePair(harness);
    await harness.kill();
    expect(await leader.heartbeat()).toBe(0);
    expect((await follower.sync()).assignment.toString()).toBe('right');
    await harness.advance(9_000);
    expect(await leader.heartbeat()).toBe(0);
    await harness.advance(2_000);
    expect(await follower.heartbeat()).toBe(Errors.UNKNOWN_MEMBER_ID);
  });

  test('an assignment that a member has been told survives a power loss', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const harness = await BrokerHarness.start({}, seed);
      const member = new GroupClient(harness, { groupId });
      await member.joinAlone();
      await harness.losePower();
      expect(await member.heartbeat()).toBe(0);
    }
  });
});

describe('looking at groups', () => {
  test('groups are listed by state and type, described, and deleted once they are empty', async () => {
    const harness = await BrokerHarness.start();
    const member = new GroupClient(harness, { groupId });
    await member.joinAlone();
    const listed = async (statesFilter: string[], typesFilter: string[] = []) => {
      const { groups } = await harness.send(listGroupsApi, 5, { statesFilter, typesFilter });
      return groups.map((group) => group.groupId);
    };
    expect(await listed([])).toEqual([groupId]);
    expect(await listed(['empty'])).toEqual([]);
    expect(await listed(['Stable'], ['classic'])).toEqual([groupId]);
    expect(await listed([], ['consumer'])).toEqual([]);
    const described = await describeGroup(harness);
    expect(described?.members[0]).toMatchObject({ clientId: 'test', clientHost: '/10.0.0.7' });
    expect(described?.members[0]?.memberAssignment.toString()).toBe('everything');
    const remove = async () => {
      const { results } = await harness.send(deleteGroupsApi, 2, { groupsNames: [groupId] });
      return results[0]?.errorCode;
    };
    expect(await remove()).toBe(Errors.NON_EMPTY_GROUP);
    await member.leave();
    expect(await remove()).toBe(0);
    expect(await remove()).toBe(Errors.GROUP_ID_NOT_FOUND);
    expect((await describeGroup(harness))?.errorCode).toBe(Errors.GROUP_ID_NOT_FOUND);
    await harness.kill();
    expect(await listed([])).toEqual([]);
  });

  test('a join under a member id that nobody knows does not make a group', async () => {
    const harness = await BrokerHarness.start();
    const answer = await harness.send(joinGroupApi, 9, {
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: 'ghost',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
    });
    expect(answer.errorCode).toBe(Errors.UNKNOWN_MEMBER_ID);
    expect(
      (await harness.send(listGroupsApi, 5, { statesFilter: [], typesFilter: [] })).groups,
    ).toEqual([]);
  });
});
