/**
 * A coordinator of one classic group, for several members in one process: generations, the wait for all
 * members in JoinGroup and for the leader in SyncGroup, static members. Sessions expire when a test says so.
 */
import type {
  MessageApi,
  ReceivedRequestOf,
  WrittenResponseOf,
} from '../../kafka/protocol/define-api.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { heartbeatApi } from '../../kafka/protocol/messages/heartbeat.ts';
import { joinGroupApi } from '../../kafka/protocol/messages/join-group.ts';
import { leaveGroupApi } from '../../kafka/protocol/messages/leave-group.ts';
import { syncGroupApi } from '../../kafka/protocol/messages/sync-group.ts';
import type { AnySchema } from '../../kafka/protocol/schema.ts';
import { ScriptedCluster, type Sent } from '../kit/scripted-cluster.ts';

type JoinRequest = ReceivedRequestOf<typeof joinGroupApi>;
type JoinResponse = WrittenResponseOf<typeof joinGroupApi>;
type SyncRequest = ReceivedRequestOf<typeof syncGroupApi>;
type SyncResponse = WrittenResponseOf<typeof syncGroupApi>;

interface Member {
  memberId: string;
  readonly instanceId: string | null;
  metadata: Buffer;
  joining: ((response: JoinResponse) => void) | undefined;
  syncing: ((response: SyncResponse) => void) | undefined;
}

type State = 'preparing' | 'completing' | 'stable';

export class FakeGroupCoordinator {
  state: State = 'stable';
  generation = 0;
  leaderId = '';
  readonly members = new Map<string, Member>();
  /** Every JoinGroup that took part in a rebalance, by member. */
  readonly joins: JoinRequest[] = [];
  heartbeats = 0;
  /** An error code instead of the next answer to this API, or a promise to wait for first. */
  readonly script = new Map<string, number[]>();
  /** Nothing is answered while it is true. */
  isSilent = false;
  /** Requests wait for this before they are answered. */
  slow: Promise<void> | undefined;
  #ids = 0;
  readonly #named = new Set<string>();
  #assignments = new Map<string, Buffer>();

  /** A connection of one process to this coordinator. */
  cluster(): ScriptedCluster {
    const cluster = new ScriptedCluster();
    const on = <A extends MessageApi<AnySchema, AnySchema>>(
      api: A,
      failure: (code: number) => unknown,
      handle: (request: ReceivedRequestOf<A>, sent: Sent) => unknown,
    ) => {
      cluster.on(api, async (request, sent) => {
        if (this.isSilent) await new Promise(() => {});
        await this.slow;
        const code = this.script.get(api.name)?.shift() ?? Errors.NONE;
        const response = code === Errors.NONE ? handle(request, sent) : failure(code);
        return (await response) as WrittenResponseOf<A>;
      });
    };
    on(joinGroupApi, joinFailure, (request) => this.#join(request));
    on(syncGroupApi, syncFailure, (request) => this.#sync(request));
    on(
      heartbeatApi,
      (errorCode) => ({ throttleTimeMs: 0, errorCode }),
      ({ memberId, generationId }) => {
        this.heartbeats++;
        const known = this.validate(memberId, generationId);
        const isPreparing = this.state === 'preparing';
        const errorCode = known || (isPreparing ? Errors.REBALANCE_IN_PROGRESS : Errors.NONE);
        return { throttleTimeMs: 0, errorCode };
      },
    );
    on(
      leaveGroupApi,
      (errorCode) => ({ throttleTimeMs: 0, errorCode, members: [] }),
      ({ members }) => {
        for (const { memberId } of members) this.expire(memberId);
        return { throttleTimeMs: 0, errorCode: 0, members: [] };
      },
    );
    return cluster;
  }

  /** What TxnOffsetCommit checks too. */
  validate(memberId: string, generation: number): number {
    if (!this.members.has(memberId)) return Errors.UNKNOWN_MEMBER_ID;
    return generation === this.generation ? Errors.NONE : Errors.ILLEGAL_GENERATION;
  }

  /** The member's session is over. */
  expire(memberId: string): void {
    const member = this.members.get(memberId);
    if (member === undefined) return;
    this.members.delete(memberId);
    member.joining?.(joinFailure(Errors.UNKNOWN_MEMBER_ID));
    member.syncing?.(syncFailure(Errors.UNKNOWN_MEMBER_ID));
    if (this.members.size > 0) this.#prepare();
  }

  #join(request: JoinRequest): JoinResponse | Promise<JoinResponse> {
    const { memberId, groupInstanceId } = request;
    if (memberId === '' && groupInstanceId === null) {
      const named = `member-${++this.#ids}`;
      this.#named.add(named);
      return { ...joinFailure(Errors.MEMBER_ID_REQUIRED), memberId: named };
    }
    if (groupInstanceId !== null) {
      const twin = [...this.members.values()].find((each) => each.instanceId === groupInstanceId);
      if (memberId === '') return this.#joinStatic(request, twin);
      if (twin !== undefined && twin.memberId !== memberId) {
        return joinFailure(Errors.FENCED_INSTANCE_ID);
      }
    }
    if (!this.members.has(memberId) && !this.#named.has(memberId)) {
      return joinFailure(Errors.UNKNOWN_MEMBER_ID);
    }
    return this.#enter(memberId, request);
  }

  /** A static member that comes back takes its old place without a rebalance. */
  #joinStatic(request: JoinRequest, twin: Member | undefined) {
    const memberId = `${request.groupInstanceId}-${++this.#ids}`;
    if (twin === undefined || this.state !== 'stable') return this.#enter(memberId, request);
    this.members.delete(twin.memberId);
    this.members.set(memberId, { ...twin, memberId });
    this.#assignments.set(memberId, this.#assignments.get(twin.memberId) ?? Buffer.alloc(0));
    const isLeader = this.leaderId === twin.memberId;
    if (isLeader) this.leaderId = memberId;
    return { ...this.#joined(memberId), skipAssignment: isLeader, members: [] };
  }

  #enter(memberId: string, request: JoinRequest): JoinResponse | Promise<JoinResponse> {
    const { metadata } = request.protocols[0]!;
    const member = this.members.get(memberId);
    const isUnchanged = member?.metadata.equals(metadata) === true;
    if (this.state === 'stable' && isUnchanged && memberId !== this.leaderId) {
      return this.#joined(memberId);
    }
    this.#named.delete(memberId);
    this.joins.push(request);
    return new Promise((joining) => {
      const instanceId = request.groupInstanceId;
      this.members.set(memberId, { memberId, instanceId, metadata, joining, syncing: undefined });
      this.#prepare();
    });
  }

  #prepare(): void {
    this.state = 'preparing';
    for (const member of this.members.values()) {
      member.syncing?.(syncFailure(Errors.REBALANCE_IN_PROGRESS));
      member.syncing = undefined;
    }
    if ([...this.members.values()].every(({ joining }) => joining !== undefined)) this.#complete();
  }

  #complete(): void {
    this.state = 'completing';
    this.generation++;
    if (!this.members.has(this.leaderId)) this.leaderId = [...this.members.keys()][0]!;
    for (const member of this.members.values()) {
      member.joining!(this.#joined(member.memberId));
      member.joining = undefined;
    }
  }

  #joined(memberId: string): JoinResponse {
    const everybody = [...this.members.values()].map((each) => ({
      memberId: each.memberId,
      groupInstanceId: each.instanceId,
      metadata: each.metadata,
    }));
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      generationId: this.generation,
      protocolType: 'consumer',
      protocolName: 'test',
      leader: this.leaderId,
      memberId,
      members: memberId === this.leaderId ? everybody : [],
    };
  }

  #sync(request: SyncRequest): SyncResponse | Promise<SyncResponse> {
    const error = this.validate(request.memberId, request.generationId);
    if (error !== Errors.NONE) return syncFailure(error);
    if (this.state === 'preparing') return syncFailure(Errors.REBALANCE_IN_PROGRESS);
    if (this.state === 'stable') return this.#synced(request.memberId);
    return new Promise((syncing) => {
      this.members.get(request.memberId)!.syncing = syncing;
      if (request.memberId !== this.leaderId) return;
      this.#assignments = new Map(
        request.assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]),
      );
      this.state = 'stable';
      for (const member of this.members.values()) {
        member.syncing?.(this.#synced(member.memberId));
        member.syncing = undefined;
      }
    });
  }

  #synced(memberId: string): SyncResponse {
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      assignment: this.#assignments.get(memberId) ?? Buffer.alloc(0),
    };
  }
}

function joinFailure(errorCode: number): JoinResponse {
  return {
    throttleTimeMs: 0,
    errorCode,
    generationId: -1,
    protocolName: '',
    leader: '',
    memberId: '',
    members: [],
  };
}

function syncFailure(errorCode: number): SyncResponse {
  return { throttleTimeMs: 0, errorCode, assignment: Buffer.alloc(0) };
}
