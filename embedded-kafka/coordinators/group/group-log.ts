/** How groups and offsets stand in `__consumer_offsets`: Kafka's own keys and values. */
import { array, bytes, int32, int64, string, struct } from '../../../kafka/protocol/schema.ts';
import type { CoordinatorRecord } from '../coordinator-log.ts';
import { decodeVersioned, encodeVersioned, versionOf } from '../versioned-record.ts';
import { ClassicGroup, type Member } from './classic-group.ts';

/** The version of a key tells what it is the key of. */
const OFFSET_KEY_VERSION = 1;
const GROUP_KEY_VERSION = 2;
const OFFSET_VALUE_VERSION = 3;
const GROUP_VALUE_VERSION = 3;

const NEVER_FLEXIBLE = Number.POSITIVE_INFINITY;

const offsetKey = {
  schema: struct({ group: string, topic: string, partition: int32 }),
  flexibleFrom: NEVER_FLEXIBLE,
};

const groupKey = { schema: struct({ group: string }), flexibleFrom: NEVER_FLEXIBLE };

const offsetValue = {
  schema: struct({
    offset: int64,
    leaderEpoch: int32.versions('3+').default(-1),
    metadata: string,
    commitTimestamp: int64,
    expireTimestamp: int64.versions('1').default(-1),
  }),
  flexibleFrom: 4,
};

const groupValue = {
  schema: struct({
    protocolType: string,
    generation: int32,
    protocol: string.nullable(),
    leader: string.nullable(),
    currentStateTimestamp: int64.versions('2+').default(-1),
    members: array(
      struct({
        memberId: string,
        groupInstanceId: string.nullable().versions('3+').default(null),
        clientId: string,
        clientHost: string,
        rebalanceTimeout: int32.versions('1+'),
        sessionTimeout: int32,
        subscription: bytes,
        assignment: bytes,
      }),
    ),
  }),
  flexibleFrom: 4,
};

/** An offset as committed, the way it is stored. */
export interface StoredOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
}

export interface OffsetAddress {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
}

export function encodeOffset(address: OffsetAddress, stored: StoredOffset): CoordinatorRecord {
  return {
    key: encodeOffsetKey(address),
    value: encodeVersioned(offsetValue, OFFSET_VALUE_VERSION, {
      offset: stored.offset,
      leaderEpoch: stored.leaderEpoch,
      metadata: stored.metadata,
      commitTimestamp: stored.commitTimestampMs,
    }),
  };
}

export function encodeOffsetTombstone(address: OffsetAddress): CoordinatorRecord {
  return { key: encodeOffsetKey(address), value: null };
}

function encodeOffsetKey({ groupId, topic, partition }: OffsetAddress): Buffer {
  return encodeVersioned(offsetKey, OFFSET_KEY_VERSION, { group: groupId, topic, partition });
}

export function encodeGroupTombstone(groupId: string): CoordinatorRecord {
  return {
    key: encodeVersioned(groupKey, GROUP_KEY_VERSION, { group: groupId }),
    value: null,
  };
}

/** `assignments` instead of what the members have: it becomes theirs once it is durable. */
export function encodeGroup(
  group: ClassicGroup,
  assignments: ReadonlyMap<string, Buffer> | undefined,
): CoordinatorRecord {
  return {
    key: encodeVersioned(groupKey, GROUP_KEY_VERSION, { group: group.groupId }),
    value: encodeVersioned(groupValue, GROUP_VALUE_VERSION, {
      protocolType: group.protocolType,
      generation: group.generation,
      protocol: group.protocolName,
      leader: group.leader,
      currentStateTimestamp: group.stateSinceMs,
      members: Array.from(group.members.values(), (member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: group.subscriptionOf(member),
        assignment: assignments?.get(member.memberId) ?? member.assignment,
      })),
    }),
  };
}

export type DecodedRecord =
  | {
      readonly kind: 'offset';
      readonly address: OffsetAddress;
      /** undefined: deleted. */
      readonly stored: StoredOffset | undefined;
    }
  | { readonly kind: 'group'; readonly groupId: string; readonly group: ClassicGroup | undefined };

/** undefined: a record of a kind that we do not know. Throws KAFKA_PROTOCOL when it cannot be read. */
export function decodeRecord(key: Buffer, value: Buffer | null): DecodedRecord | undefined {
  switch (versionOf(key)) {
    case 0:
    case OFFSET_KEY_VERSION: {
      const { group: groupId, topic, partition } = decodeVersioned(offsetKey, key);
      const stored = value === null ? undefined : decodeOffset(value);
      return { kind: 'offset', address: { groupId, topic, partition }, stored };
    }
    case GROUP_KEY_VERSION: {
      const { group: groupId } = decodeVersioned(groupKey, key);
      const group = value === null ? undefined : decodeGroup(groupId, value);
      return { kind: 'group', groupId, group };
    }
    default:
      return undefined;
  }
}

function decodeOffset(value: Buffer): StoredOffset {
  const { offset, leaderEpoch, metadata, commitTimestamp } = decodeVersioned(offsetValue, value);
  return { offset, leaderEpoch, metadata, commitTimestampMs: commitTimestamp };
}

function decodeGroup(groupId: string, value: Buffer): ClassicGroup {
  const read = decodeVersioned(groupValue, value);
  const group = new ClassicGroup(groupId, read.currentStateTimestamp);
  group.generation = read.generation;
  group.protocolType = read.protocolType;
  group.protocolName = read.protocol;
  for (const each of read.members) {
    const member: Member = {
      memberId: each.memberId,
      groupInstanceId: each.groupInstanceId,
      clientId: each.clientId,
      clientHost: each.clientHost,
      rebalanceTimeoutMs: each.rebalanceTimeout,
      sessionTimeoutMs: each.sessionTimeout,
      // Only the chosen protocol is in the log; a member that wants another one joins again anyway.
      protocols: [{ name: read.protocol ?? '', metadata: each.subscription }],
      assignment: each.assignment,
      isNew: false,
      awaitingJoin: undefined,
      awaitingSync: undefined,
      cancelSession: () => {},
    };
    group.add(member);
  }
  group.leader = read.leader;
  group.state = { kind: group.members.size === 0 ? 'Empty' : 'Stable' };
  return group;
}
