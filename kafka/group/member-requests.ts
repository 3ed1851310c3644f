/**
 * The four requests of a group member. JoinGroup and SyncGroup may be held by the coordinator for as
 * long as a rebalance takes, so they have a connection of their own; heartbeats and LeaveGroup another.
 */
import type {
  GroupMemberOptions,
  GroupProtocol,
  MemberAssignment,
  MemberSubscription,
  TopicPartition,
} from '../ports.ts';
import type { ResponseOf } from '../protocol/define-api.ts';
import { Errors } from '../protocol/error-codes.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../protocol/messages/consumer-protocol.ts';
import { heartbeatApi } from '../protocol/messages/heartbeat.ts';
import { joinGroupApi } from '../protocol/messages/join-group.ts';
import { leaveGroupApi } from '../protocol/messages/leave-group.ts';
import { syncGroupApi } from '../protocol/messages/sync-group.ts';
import type { Cluster } from '../wire.ts';

const PROTOCOL_TYPE = 'consumer';
/** Owned partitions came with 1, their generation with 2. */
const CONSUMER_PROTOCOL_VERSION = 2;
/** Beyond what the coordinator may take by its own rules. */
const REBALANCE_SLACK_MS = 5_000;
const LEAVE_TIMEOUT_MS = 5_000;

/** A place in one generation of the group; generation -1: none yet. */
export interface MemberIdentity {
  readonly memberId: string;
  readonly generation: number;
}

export class MemberRequests {
  readonly #cluster: Cluster;
  readonly #options: GroupMemberOptions;
  readonly #protocol: GroupProtocol;
  readonly #joinChannel: string;
  readonly #heartbeatChannel: string;

  constructor(cluster: Cluster, options: GroupMemberOptions, protocol: GroupProtocol) {
    this.#cluster = cluster;
    this.#options = options;
    this.#protocol = protocol;
    this.#joinChannel = `group-${options.groupId}-join`;
    this.#heartbeatChannel = `group-${options.groupId}`;
  }

  async join(
    { memberId, generation }: MemberIdentity,
    ownedPartitions: readonly TopicPartition[],
    reason: string,
  ): Promise<ResponseOf<typeof joinGroupApi>> {
    const { groupId, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const metadata = encodeSubscription(
      {
        topics: this.#protocol.topics(),
        userData: this.#protocol.userData(),
        ownedPartitions: byTopic(ownedPartitions),
        generationId: generation,
      },
      CONSUMER_PROTOCOL_VERSION,
    );
    return this.#cluster.request(await this.#rebalanceTarget(), joinGroupApi, {
      groupId,
      memberId,
      groupInstanceId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocolType: PROTOCOL_TYPE,
      protocols: [{ name: this.#protocol.name, metadata }],
      reason,
    });
  }

  async sync(
    { memberId, generation }: MemberIdentity,
    assignments: ReadonlyMap<string, MemberAssignment>,
  ): Promise<ResponseOf<typeof syncGroupApi>> {
    const { groupId, groupInstanceId } = this.#options;
    return this.#cluster.request(await this.#rebalanceTarget(), syncGroupApi, {
      groupId,
      generationId: generation,
      memberId,
      groupInstanceId,
      protocolType: PROTOCOL_TYPE,
      protocolName: this.#protocol.name,
      assignments: Array.from(assignments, ([id, { partitions, userData }]) => ({
        memberId: id,
        assignment: encodeAssignment(
          { assignedPartitions: byTopic(partitions), userData },
          CONSUMER_PROTOCOL_VERSION,
        ),
      })),
    });
  }

  /** Resolves with the error code. */
  async heartbeat(identity: MemberIdentity, timeoutMs: number): Promise<number> {
    const { groupId, groupInstanceId } = this.#options;
    const { memberId, generation } = identity;
    const nodeId = await this.#coordinator();
    const target = { nodeId, channel: this.#heartbeatChannel, timeoutMs };
    const request = { groupId, generationId: generation, memberId, groupInstanceId };
    return (await this.#cluster.request(target, heartbeatApi, request)).errorCode;
  }

  /** Resolves with the error code. */
  async leave(memberId: string): Promise<number> {
    const { groupId, groupInstanceId } = this.#options;
    const nodeId = await this.#coordinator();
    const target = { nodeId, channel: this.#heartbeatChannel, timeoutMs: LEAVE_TIMEOUT_MS };
    const members = [{ memberId, groupInstanceId, reason: 'the member is closing' }];
    const response = await this.#cluster.request(target, leaveGroupApi, {
      groupId,
      memberId,
      members,
    });
    return response.errorCode === Errors.NONE
      ? (response.members[0]?.errorCode ?? Errors.NONE)
      : response.errorCode;
  }

  forgetCoordinator(): void {
    this.#cluster.forgetCoordinator('group', this.#options.groupId);
  }

  /** Gives up a JoinGroup or SyncGroup that is out: its connection would stay blocked. */
  abandonJoin(): void {
    this.#cluster.closeChannel(this.#joinChannel);
  }

  close(): void {
    this.#cluster.closeChannel(this.#joinChannel);
    this.#cluster.closeChannel(this.#heartbeatChannel);
  }

  #coordinator(): Promise<number> {
    return this.#cluster.coordinatorOf('group', this.#options.groupId);
  }

  async #rebalanceTarget() {
    const timeoutMs = this.#options.rebalanceTimeoutMs + REBALANCE_SLACK_MS;
    return { nodeId: await this.#coordinator(), channel: this.#joinChannel, timeoutMs };
  }
}

/** What the leader gets to know about the members. */
export function subscriptionsIn(
  members: ResponseOf<typeof joinGroupApi>['members'],
): MemberSubscription[] {
  return members.map(({ memberId, groupInstanceId, metadata }) => {
    const { topics, userData, ownedPartitions } = decodeSubscription(metadata);
    return {
      memberId,
      groupInstanceId,
      topics,
      userData,
      ownedPartitions: flatten(ownedPartitions),
    };
  });
}

/** An empty answer is an empty assignment: the leader has not named this member. */
export function assignmentIn(bytes: Buffer): MemberAssignment {
  if (bytes.length === 0) return { partitions: [], userData: null };
  const { assignedPartitions, userData } = decodeAssignment(bytes);
  return { partitions: flatten(assignedPartitions), userData };
}

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

function byTopic(partitions: readonly TopicPartition[]): TopicPartitions[] {
  const topics = Map.groupBy(partitions, ({ topic }) => topic);
  return Array.from(topics, ([topic, members]) => ({
    topic,
    partitions: members.map(({ partition }) => partition),
  }));
}

function flatten(topics: readonly TopicPartitions[]): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}
