/** A member whose engine writes down what it is told, and may take its time. */

import { silentLog } from '../../base/log.ts';
import type { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import { createGroupMember } from '../../kafka/group/group-member.ts';
import {
  type GroupMember,
  type GroupMemberOptions,
  type GroupProtocol,
  type MemberAssignment,
  type MemberSubscription,
  partitionKey,
  type TopicPartition,
} from '../../kafka/ports.ts';
import type { Cluster } from '../../kafka/wire.ts';

export const SESSION_TIMEOUT_MS = 10_000;
export const HEARTBEAT_INTERVAL_MS = 3_000;

export interface TestMember {
  readonly member: GroupMember;
  /** Every call, as `revoked in-0 in-1`. */
  readonly events: string[];
  readonly owned: Set<string>;
  /** Awaited inside the callbacks. */
  readonly hold: { revoked: Promise<void>; assigned: Promise<void>; lost: Promise<void> };
  readonly protocol: { -readonly [Key in keyof GroupProtocol]: GroupProtocol[Key] };
}

const IN: readonly TopicPartition[] = [0, 1, 2, 3].map((partition) => ({
  topic: 'in',
  partition,
}));

/** Partitions in turn over the members by id; each gets its own name as user data. */
export async function roundRobin(
  members: readonly MemberSubscription[],
): Promise<ReadonlyMap<string, MemberAssignment>> {
  const ids = members.map(({ memberId }) => memberId).toSorted();
  return new Map(
    ids.map((id, index) => [
      id,
      {
        partitions: IN.filter(({ partition }) => partition % ids.length === index),
        userData: Buffer.from(`for ${id}`),
      },
    ]),
  );
}

export function testMember(
  cluster: Cluster,
  clock: ManualClock,
  change: Partial<GroupMemberOptions> = {},
): TestMember {
  const events: string[] = [];
  const owned = new Set<string>();
  const hold = {
    revoked: Promise.resolve(),
    assigned: Promise.resolve(),
    lost: Promise.resolve(),
  };
  const names = (partitions: readonly TopicPartition[]) =>
    partitions.map(({ topic, partition }) => partitionKey(topic, partition));
  const drop = (partitions: readonly TopicPartition[]) => {
    for (const name of names(partitions)) owned.delete(name);
  };
  const protocol: TestMember['protocol'] = {
    name: 'test',
    topics: () => ['in'],
    userData: () => null,
    assign: roundRobin,
    onRevoked: async (partitions) => {
      events.push(`revoked ${names(partitions).join(' ')}`);
      await hold.revoked;
      drop(partitions);
    },
    onAssigned: async (added) => {
      events.push(`assigned ${names(added).join(' ')}`);
      for (const name of names(added)) owned.add(name);
      await hold.assigned;
    },
    onLost: async (partitions) => {
      events.push(`lost ${names(partitions).join(' ')}`);
      await hold.lost;
      drop(partitions);
    },
    onFatal: (error) => {
      events.push(`fatal ${(error as { readonly code?: string }).code}`);
    },
  };
  const options: GroupMemberOptions = {
    groupId: 'app',
    groupInstanceId: null,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
    rebalanceTimeoutMs: 60_000,
    heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
    ...change,
  };
  const deps = { clock, random: seededRandom(1), log: silentLog };
  // Callbacks are looked up at each call, so that a test can replace one.
  const asked: GroupProtocol = {
    name: protocol.name,
    topics: () => protocol.topics(),
    userData: () => protocol.userData(),
    assign: (members) => protocol.assign(members),
    fits: (partitions, userData) => protocol.fits?.(partitions, userData) ?? true,
    onRevoked: (partitions) => protocol.onRevoked(partitions),
    onAssigned: (added, assignment) => protocol.onAssigned(added, assignment),
    onLost: (partitions) => protocol.onLost(partitions),
    onFatal: (error) => protocol.onFatal(error),
  };
  const member = createGroupMember(cluster, options, asked, deps);
  return { member, events, owned, hold, protocol };
}
