import { describe, expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import {
  decodeSubscription,
  encodeSubscription,
} from '../../kafka/protocol/messages/consumer-protocol.ts';
import { joinGroupApi } from '../../kafka/protocol/messages/join-group.ts';
import { syncGroupApi } from '../../kafka/protocol/messages/sync-group.ts';
import { pass, settle } from '../kit/drive.ts';
import { disconnected } from '../kit/scripted-cluster.ts';
import { FakeGroupCoordinator } from './fake-group-coordinator.ts';
import {
  HEARTBEAT_INTERVAL_MS,
  roundRobin,
  SESSION_TIMEOUT_MS,
  testMember,
} from './test-member.ts';

function setUp() {
  const clock = new ManualClock();
  const coordinator = new FakeGroupCoordinator();
  const join = (change = {}) => {
    const cluster = coordinator.cluster();
    const member = testMember(cluster, clock, change);
    return { ...member, cluster };
  };
  return { clock, coordinator, join };
}

type SetUp = ReturnType<typeof setUp>;
type Joined = ReturnType<SetUp['join']>;

/** Two members that have settled: a owns 0 and 2, b owns 1 and 3. */
async function twoMembers({ clock, join }: SetUp): Promise<[Joined, Joined]> {
  const a = join();
  void a.member.start();
  await settle();
  const b = join();
  void b.member.start();
  await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
  a.events.length = 0;
  b.events.length = 0;
  return [a, b];
}

function held(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  return Promise.withResolvers<void>();
}

function isPending(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => false), settle().then(() => true)]);
}

describe('joining', () => {
  test('the first JoinGroup gets an id, the second a place; start ends with the assignment', async () => {
    const { coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    expect(a.cluster.sentApis()).toEqual(['JoinGroup', 'JoinGroup', 'SyncGroup']);
    expect(a.events).toEqual(['assigned in-0 in-1 in-2 in-3']);
    expect(a.member.metadata()).toEqual({
      groupId: 'app',
      generation: 1,
      memberId: 'member-1',
      groupInstanceId: null,
    });
    expect(a.member.isRebalancing).toBe(false);
    expect(coordinator.state).toBe('stable');
  });

  test('user data goes to the leader, and the leader’s comes back', async () => {
    const { join } = setUp();
    const a = join();
    const seen: string[] = [];
    a.protocol.userData = () => Buffer.from('lags');
    a.protocol.assign = async (members) => {
      seen.push(...members.map(({ userData, topics }) => `${topics} ${userData}`));
      return roundRobin(members);
    };
    a.protocol.onAssigned = async (_, assignment) => {
      seen.push(String(assignment.userData));
    };
    await a.member.start();
    expect(seen).toEqual(['in lags', 'for member-1']);
  });

  test('JoinGroup and heartbeats have connections of their own, JoinGroup with time for a rebalance', async () => {
    const { clock, join } = setUp();
    const a = join();
    await a.member.start();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    const channelOf = (api: string) =>
      new Set(a.cluster.sent.filter((each) => each.api === api).map(({ channel }) => channel));
    expect(channelOf('JoinGroup')).toEqual(channelOf('SyncGroup'));
    expect(channelOf('JoinGroup')).not.toEqual(channelOf('Heartbeat'));
    expect(a.cluster.sent[0]!.timeoutMs).toBeGreaterThan(60_000);
  });

  test.each([
    'COORDINATOR_LOAD_IN_PROGRESS',
    'COORDINATOR_NOT_AVAILABLE',
    'NOT_COORDINATOR',
  ] as const)('%s: the coordinator is looked for again', async (name) => {
    for (const api of ['JoinGroup', 'SyncGroup']) {
      const { clock, coordinator, join } = setUp();
      coordinator.script.set(api, [Errors[name]]);
      const a = join();
      const started = a.member.start();
      await pass(clock, 1_000);
      await started;
      expect(a.cluster.forgotten).toEqual(['group:app']);
    }
  });

  test('a lost connection, or an assignor that cannot tell yet, is tried again', async () => {
    const { clock, join } = setUp();
    const a = join();
    let failures = 2;
    a.protocol.assign = async (members) => {
      if (failures-- > 0) throw disconnected();
      return roundRobin(members);
    };
    const started = a.member.start();
    await pass(clock, 2_000);
    await started;
    expect(a.owned.size).toBe(4);
  });

  test.each([
    ['GROUP_AUTHORIZATION_FAILED', 'KAFKA_FATAL'],
    ['INCONSISTENT_GROUP_PROTOCOL', 'KAFKA_FATAL'],
    ['INVALID_SESSION_TIMEOUT', 'KAFKA_FATAL'],
    ['FENCED_INSTANCE_ID', 'KAFKA_FENCED'],
  ] as const)('%s: the member stops and says so', async (name, code) => {
    const { clock, coordinator, join } = setUp();
    coordinator.script.set('JoinGroup', [Errors[name]]);
    const a = join();
    await expect(a.member.start()).rejects.toMatchObject({ code });
    expect(a.events).toEqual([`fatal ${code}`]);
    const sent = a.cluster.sent.length;
    await pass(clock, 20_000);
    expect(a.cluster.sent.length).toBe(sent);
  });
});

describe('cooperative rebalancing', () => {
  test('a partition changes hands only after its owner has given it up', async () => {
    const { clock, join } = setUp();
    const a = join();
    await a.member.start();
    const giveUp = held();
    a.hold.revoked = giveUp.promise;
    const b = join();
    void b.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(a.events.at(-1)).toBe('revoked in-1 in-3');
    expect(b.events).toEqual(['assigned ']);
    expect([...b.owned]).toEqual([]);
    giveUp.resolve();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    expect([...a.owned]).toEqual(['in-0', 'in-2']);
    expect([...b.owned]).toEqual(['in-1', 'in-3']);
    expect(a.events).not.toContain('lost');
  });

  test('the leader starts the round that hands out what it withheld, for the claimant may not', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    a.protocol.assign = async (members) =>
      new Map(members.map(({ memberId }) => [memberId, { partitions: [], userData: null }]));
    await a.member.start();
    a.protocol.assign = async () =>
      new Map([['member-1', { partitions: [{ topic: 'in', partition: 0 }], userData: null }]]);

    // Another member claims the partition once, and does nothing of its own accord.
    const stranger = coordinator.cluster();
    const target = { nodeId: 1, channel: 'stranger' };
    const joinClaiming = async (memberId: string, partitions: readonly number[]) => {
      const ownedPartitions = [{ topic: 'in', partitions }];
      const metadata = encodeSubscription({ topics: ['in'], ownedPartitions }, 2);
      const request = {
        groupId: 'app',
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        memberId,
        protocolType: 'consumer',
        protocols: [{ name: 'test', metadata }],
      };
      return stranger.request(target, joinGroupApi, request);
    };
    const { memberId } = await joinClaiming('', []);
    const first = joinClaiming(memberId, [0]);
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    const { generationId } = await first;
    const sync = { groupId: 'app', generationId, memberId, assignments: [] };
    await stranger.request(target, syncGroupApi, sync);
    await settle();
    expect([...a.owned]).toEqual([]);
    expect(coordinator.state).toBe('preparing');
    void joinClaiming(memberId, []);
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    expect([...a.owned]).toEqual(['in-0']);
  });

  test('what a member owns, and since which generation, is in its subscription', async () => {
    const { coordinator, ...rest } = setUp();
    await twoMembers({ coordinator, ...rest });
    const last = coordinator.joins.slice(-2).map(({ protocols }) => {
      const { ownedPartitions, generationId } = decodeSubscription(protocols[0]!.metadata);
      return [generationId, ownedPartitions.flatMap(({ partitions }) => partitions)];
    });
    expect(last).toContainEqual([coordinator.generation - 1, [0, 2]]);
  });

  test('while JoinGroup is out, the old generation stays, and settled() waits', async () => {
    const { clock, coordinator, join } = setUp();
    const [a, b] = await twoMembers({ clock, coordinator, join });
    // The engine of a is busy in a callback, so its JoinGroup is not there and b's has to wait.
    const busy = held();
    a.hold.assigned = busy.promise;
    a.member.rejoin();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    const before = b.member.metadata()!;
    a.member.rejoin();
    b.member.rejoin();
    await settle();
    const settled = b.member.settled();
    expect(b.member.isRebalancing).toBe(true);
    expect(b.member.metadata()).toEqual(before);
    expect(await isPending(settled)).toBe(true);
    // Whoever was refused under an older generation need not wait: this one is newer.
    const older = { ...before, generation: before.generation - 1 };
    expect(await isPending(b.member.settled(older))).toBe(false);
    busy.resolve();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    await settled;
    expect(b.member.metadata()!.generation).toBeGreaterThan(before.generation);
  });

  test('onRevoked commits under the new generation, and may wait for settled()', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    const seen: unknown[] = [];
    a.protocol.onRevoked = async () => {
      await a.member.settled();
      const { memberId, generation } = a.member.metadata()!;
      seen.push(coordinator.validate(memberId, generation));
    };
    const b = join();
    void b.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(seen).toEqual([Errors.NONE]);
  });

  test('a rebalance that begins during SyncGroup costs nothing but another round', async () => {
    const { clock, coordinator, join } = setUp();
    const [a, b] = await twoMembers({ clock, coordinator, join });
    coordinator.script.set('SyncGroup', [Errors.REBALANCE_IN_PROGRESS]);
    b.member.rejoin();
    await pass(clock, 3 * HEARTBEAT_INTERVAL_MS);
    expect([...a.events, ...b.events].filter((each) => /lost|revoked/.test(each))).toEqual([]);
    expect(a.member.isRebalancing || b.member.isRebalancing).toBe(false);
  });

  test('a member that leaves is replaced by those who stay', async () => {
    const { clock, coordinator, join } = setUp();
    const [a, b] = await twoMembers({ clock, coordinator, join });
    await b.member.stop({ leave: true });
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(a.owned.size).toBe(4);
    expect(b.events).toEqual([]);
    expect(b.member.metadata()).toBeUndefined();
  });
});

describe('being dropped', () => {
  async function dropped(error: 'UNKNOWN_MEMBER_ID' | 'ILLEGAL_GENERATION') {
    const { clock, coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    if (error === 'UNKNOWN_MEMBER_ID') coordinator.expire('member-1');
    else coordinator.script.set('Heartbeat', [Errors[error]]);
    const telling = held();
    a.hold.lost = telling.promise;
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    return { clock, coordinator, a, telling };
  }

  test.each(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'] as const)(
    '%s: no metadata from that moment, onLost, and only then a new JoinGroup that claims nothing',
    async (error) => {
      const { clock, coordinator, a, telling } = await dropped(error);
      expect(a.events.at(-1)).toBe('lost in-0 in-1 in-2 in-3');
      expect(a.member.metadata()).toBeUndefined();
      expect(await isPending(a.member.settled())).toBe(false);
      const joins = coordinator.joins.length;
      await pass(clock, 1_000);
      expect(coordinator.joins.length).toBe(joins);
      telling.resolve();
      await pass(clock, 1_000);
      const { protocols } = coordinator.joins.at(-1)!;
      expect(decodeSubscription(protocols[0]!.metadata).ownedPartitions).toEqual([]);
      expect(a.member.metadata()).toBeDefined();
      expect(a.owned.size).toBe(4);
    },
  );

  test('UNKNOWN_MEMBER_ID in JoinGroup, although heartbeats were good: lost as well', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    coordinator.expire('member-1');
    a.member.rejoin();
    await pass(clock, 1_000);
    expect(a.events).toContain('lost in-0 in-1 in-2 in-3');
    expect(a.owned.size).toBe(4);
  });

  test('FENCED_INSTANCE_ID in a heartbeat: the member has stopped', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join({ groupInstanceId: 'static-1' });
    await a.member.start();
    coordinator.script.set('Heartbeat', [Errors.FENCED_INSTANCE_ID]);
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    expect(a.events.at(-1)).toBe('fatal KAFKA_FENCED');
    expect(a.member.metadata()).toBeUndefined();
  });

  test('silence for the session timeout: lost by the member’s own clock', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    coordinator.isSilent = true;
    await pass(clock, SESSION_TIMEOUT_MS - 100);
    expect(a.member.metadata()).toBeDefined();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    expect(a.member.metadata()).toBeUndefined();
    expect(a.events.at(-1)).toBe('lost in-0 in-1 in-2 in-3');
  });

  test('a late answer to a heartbeat counts from when the heartbeat was sent', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    const slow = held();
    coordinator.slow = slow.promise;
    const sentAfterMs = HEARTBEAT_INTERVAL_MS;
    await pass(clock, sentAfterMs + SESSION_TIMEOUT_MS - 4_000);
    slow.resolve();
    await settle();
    coordinator.isSilent = true;
    await pass(clock, 3_500);
    expect(a.member.metadata()).toBeDefined();
    await pass(clock, 1_000);
    expect(a.member.metadata()).toBeUndefined();
  });

  test('a process that was stopped for longer than the session knows it at once, without an answer', async () => {
    const { clock, join } = setUp();
    const a = join();
    await a.member.start();
    clock.advance(SESSION_TIMEOUT_MS * 3);
    await settle();
    expect(a.events).toContain('lost in-0 in-1 in-2 in-3');
  });

  test('silence while JoinGroup is out: lost, and its connection is given up', async () => {
    const { clock, coordinator, join } = setUp();
    const [a, b] = await twoMembers({ clock, coordinator, join });
    const busy = held();
    a.hold.assigned = busy.promise;
    a.member.rejoin();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    b.member.rejoin();
    await settle();
    coordinator.isSilent = true;
    await pass(clock, SESSION_TIMEOUT_MS + HEARTBEAT_INTERVAL_MS);
    expect(b.events).toContain('lost in-1 in-3');
    expect(b.cluster.closedChannels).toContain('group-app-join');
  });

  test('a heartbeat that is refused while JoinGroup is out decides nothing', async () => {
    const { clock, coordinator, join } = setUp();
    const [a, b] = await twoMembers({ clock, coordinator, join });
    const busy = held();
    a.hold.assigned = busy.promise;
    a.member.rejoin();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    b.member.rejoin();
    await settle();
    coordinator.script.set('Heartbeat', [Errors.ILLEGAL_GENERATION, Errors.ILLEGAL_GENERATION]);
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    busy.resolve();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(b.events.filter((each) => each.startsWith('lost'))).toEqual([]);
  });
});

describe('heartbeats', () => {
  test('they go on while the engine is busy in a callback', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    a.hold.assigned = new Promise(() => {});
    void a.member.start();
    await settle();
    await pass(clock, 3 * SESSION_TIMEOUT_MS);
    expect(coordinator.heartbeats).toBeGreaterThanOrEqual(9);
    expect(a.events).toEqual(['assigned in-0 in-1 in-2 in-3']);
  });

  test('a coordinator that has moved is looked for well before the session ends', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    coordinator.script.set('Heartbeat', Array<number>(3).fill(Errors.NOT_COORDINATOR));
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(a.cluster.forgotten).toHaveLength(3);
    expect(coordinator.heartbeats).toBeGreaterThan(0);
    expect(a.member.metadata()).toBeDefined();
  });
});

describe('static membership', () => {
  async function twoStatic() {
    const context = setUp();
    const a = context.join({ groupInstanceId: 'static-1' });
    await a.member.start();
    const b = context.join({ groupInstanceId: 'static-2' });
    return { ...context, a, b };
  }

  test('a restarted follower gets its old assignment without a rebalance', async () => {
    const { clock, coordinator, join, b } = await twoStatic();
    void b.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    const { generation } = coordinator;
    await b.member.stop({ leave: false });
    const again = join({ groupInstanceId: 'static-2' });
    await again.member.start();
    expect(again.owned).toEqual(b.owned);
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(coordinator.generation).toBe(generation);
  });

  test('a restarted leader gets its old assignment, then starts one round, in which nobody loses any', async () => {
    const { clock, coordinator, join, a, b } = await twoStatic();
    void b.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    const { generation } = coordinator;
    await a.member.stop({ leave: false });
    const again = join({ groupInstanceId: 'static-1' });
    await again.member.start();
    expect(again.owned).toEqual(a.owned);
    await pass(clock, 4 * HEARTBEAT_INTERVAL_MS);
    expect(coordinator.generation).toBe(generation + 1);
    expect([...again.events, ...b.events].join()).not.toMatch(/revoked|lost/);
  });

  test('what a leader withheld is handed out although it died before the round that does it', async () => {
    const { clock, coordinator, join, a, b } = await twoStatic();
    a.hold.revoked = new Promise(() => {});
    void b.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(a.events.at(-1)).toBe('revoked in-1 in-3');
    expect(coordinator.state).toBe('stable');
    await a.member.stop({ leave: false });
    const again = join({ groupInstanceId: 'static-1' });
    void again.member.start();
    await pass(clock, 4 * HEARTBEAT_INTERVAL_MS);
    expect([...again.owned]).toEqual(['in-0', 'in-2']);
    expect([...b.owned]).toEqual(['in-1', 'in-3']);
  });
});

describe('an assignment of a former life that read other topics', () => {
  test('is not taken by the leader: everything is assigned anew', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join({ groupInstanceId: 'static-1' });
    await a.member.start();
    const { generation } = coordinator;
    await a.member.stop({ leave: false });
    const again = join({ groupInstanceId: 'static-1' });
    let isFormer = true;
    again.protocol.fits = () => !isFormer;
    again.protocol.assign = async (members) => {
      isFormer = false;
      return roundRobin(members);
    };
    void again.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(coordinator.generation).toBe(generation + 1);
    expect(again.events).toEqual(['assigned in-0 in-1 in-2 in-3']);
  });

  test('is not taken by a follower, who waits for the leader', async () => {
    const { clock, join } = setUp();
    const a = join({ groupInstanceId: 'static-1' });
    await a.member.start();
    const b = join({ groupInstanceId: 'static-2' });
    void b.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    await b.member.stop({ leave: false });
    const again = join({ groupInstanceId: 'static-2' });
    let isFormer = true;
    again.protocol.fits = () => !isFormer;
    void again.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(again.events).toEqual([]);
    a.protocol.assign = async (members) => {
      isFormer = false;
      return roundRobin(members);
    };
    a.member.rejoin();
    await pass(clock, 4 * HEARTBEAT_INTERVAL_MS);
    expect(again.events).toEqual(['assigned in-1 in-3']);
    expect([...a.owned]).toEqual(['in-0', 'in-2']);
  });
});

describe('stopping', () => {
  test.each([
    [{ leave: true }, null, 1],
    [{ leave: false }, null, 0],
    [{ leave: true }, 'static-1', 1],
    [{ leave: false }, 'static-1', 0],
  ] as const)('%o with instance id %s sends %i LeaveGroup', async (how, groupInstanceId, count) => {
    const { clock, join } = setUp();
    const a = join({ groupInstanceId });
    await a.member.start();
    await a.member.stop(how);
    expect(a.cluster.sentApis().filter((api) => api === 'LeaveGroup')).toHaveLength(count);
    expect(a.cluster.closedChannels.toSorted()).toEqual(['group-app', 'group-app-join']);
    const sent = a.cluster.sent.length;
    await pass(clock, 2 * SESSION_TIMEOUT_MS);
    expect(a.cluster.sent.length).toBe(sent);
  });

  test('inside a callback, it is the last one', async () => {
    const { clock, coordinator, join } = setUp();
    const a = join();
    await a.member.start();
    a.protocol.onLost = async () => {
      await a.member.stop({ leave: true });
    };
    coordinator.script.set('Heartbeat', [Errors.UNKNOWN_MEMBER_ID]);
    await pass(clock, 3 * HEARTBEAT_INTERVAL_MS);
    const joins = coordinator.joins.length;
    await pass(clock, 3 * SESSION_TIMEOUT_MS);
    expect(coordinator.joins.length).toBe(joins);
    expect(a.member.metadata()).toBeUndefined();
  });

  test('before the first assignment, start() ends too', async () => {
    const { coordinator, join } = setUp();
    coordinator.isSilent = true;
    const a = join();
    const started = a.member.start();
    await settle();
    await a.member.stop({ leave: false });
    await started;
    expect(a.events).toEqual([]);
  });

  test('a callback that fails stops the member, which can still leave', async () => {
    const { clock, join } = setUp();
    const a = join();
    const cause = new Error('bug');
    a.protocol.onAssigned = async () => {
      throw cause;
    };
    const fatal: unknown[] = [];
    a.protocol.onFatal = (error) => fatal.push(error);
    await expect(a.member.start()).rejects.toMatchObject({ code: 'KAFKA_FATAL', cause });
    expect(fatal).toEqual([expect.any(MillraceError)]);
    await a.member.stop({ leave: true });
    expect(a.cluster.sentApis().at(-1)).toBe('LeaveGroup');
    await pass(clock, SESSION_TIMEOUT_MS);
  });
});
