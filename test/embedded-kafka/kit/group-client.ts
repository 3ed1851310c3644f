/** A member of a classic group, as requests: what a consumer's coordinator does, one step at a time. */
import { heartbeatApi } from '../../../kafka/protocol/messages/heartbeat.ts';
import { joinGroupApi } from '../../../kafka/protocol/messages/join-group.ts';
import { leaveGroupApi } from '../../../kafka/protocol/messages/leave-group.ts';
import { syncGroupApi } from '../../../kafka/protocol/messages/sync-group.ts';
import type { BrokerHarness } from './broker-harness.ts';

export interface GroupClientOptions {
  readonly groupId: string;
  readonly instanceId?: string;
  readonly protocols?: readonly string[];
  readonly protocolType?: string;
  readonly sessionTimeoutMs?: number;
  readonly joinVersion?: number;
}

export class GroupClient {
  readonly #harness: BrokerHarness;
  readonly #options: GroupClientOptions;
  memberId = '';
  generationId = -1;

  constructor(harness: BrokerHarness, options: GroupClientOptions) {
    this.#harness = harness;
    this.#options = options;
  }

  get identity() {
    const { groupId, instanceId = null } = this.#options;
    const { memberId, generationId } = this;
    return { groupId, memberId, generationId, groupInstanceId: instanceId };
  }

  /** One JoinGroup; adopts what it is told. */
  async joinOnce(metadata = 'v1') {
    const { protocols = ['range'], protocolType = 'consumer' } = this.#options;
    const answer = await this.#harness.send(joinGroupApi, this.#options.joinVersion ?? 9, {
      ...this.identity,
      sessionTimeoutMs: this.#options.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: 60_000,
      protocolType,
      protocols: protocols.map((name) => ({ name, metadata: Buffer.from(metadata) })),
    });
    this.memberId = answer.memberId;
    if (answer.errorCode === 0) this.generationId = answer.generationId;
    return answer;
  }

  /** JoinGroup until it is let in: the first one only fetches a member id. */
  async join(metadata?: string) {
    const answer = await this.joinOnce(metadata);
    return answer.errorCode === 79 ? this.joinOnce(metadata) : answer;
  }

  sync(assignments: Readonly<Record<string, string>> = {}) {
    return this.#harness.send(syncGroupApi, 5, {
      ...this.identity,
      protocolType: null,
      protocolName: null,
      assignments: Object.entries(assignments).map(([memberId, assignment]) => ({
        memberId,
        assignment: Buffer.from(assignment),
      })),
    });
  }

  /** Joins alone and assigns itself: a stable group of one. */
  async joinAlone() {
    await this.join();
    return this.sync({ [this.memberId]: 'everything' });
  }

  async heartbeat(): Promise<number> {
    const { errorCode } = await this.#harness.send(heartbeatApi, 4, this.identity);
    return errorCode;
  }

  async leave(): Promise<number> {
    const { groupId, memberId, groupInstanceId } = this.identity;
    const { errorCode, members } = await this.#harness.send(leaveGroupApi, 5, {
      groupId,
      members: [{ memberId, groupInstanceId }],
    });
    return errorCode === 0 ? (members[0]?.errorCode ?? -1) : errorCode;
  }
}
