/**
 * The life of one classic group: joins, syncs, heartbeats, leaves, and the timers between them.
 *
 *   Empty ── join ──> PreparingRebalance ── all joined, or deadline ──> CompletingRebalance
 *     ^                    ^                                                    │ leader's assignment durable
 *     └── nobody left ─────┴── member joins, leaves, expires ── Stable <────────┘
 *
 * Waiting requests are promises kept in the members; every path that moves a member on answers them.
 */
import type { Clock } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import type { ErrorCodeNumber } from '../../ports.ts';
import {
  answerAll,
  answerSync,
  failedJoin,
  failedSync,
  type JoinAnswer,
  NOTHING,
  refuse,
  type SyncAnswer,
} from './answers.ts';
import type { ClassicGroup, Member } from './classic-group.ts';
import type { GroupConfig, JoinRequest, MemberIdentity, SyncRequest } from './requests.ts';
import { identify, identifyInGeneration } from './validation.ts';

export interface RebalancerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly config: GroupConfig;
  /**
   * Makes the group durable, with these assignments instead of those that its members have.
   * Never rejects: false when it cannot be written (the broker is about to stop).
   */
  readonly persist: (
    group: ClassicGroup,
    assignments?: ReadonlyMap<string, Buffer>,
  ) => Promise<boolean>;
}

/** How long a member may wait in its first join before it counts as gone. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000;

export class Rebalancer {
  readonly group: ClassicGroup;
  readonly #options: RebalancerOptions;
  /** Somebody came during the initial delay. */
  #hasNewMember = false;

  constructor(group: ClassicGroup, options: RebalancerOptions) {
    this.group = group;
    this.#options = options;
  }

  // ── Join ─────────────────────────────────────────────────────────────────────────────────────

  join(request: JoinRequest): Promise<JoinAnswer> {
    const { group } = this;
    if (group.state.kind === 'Dead') return refuse(request, Errors.COORDINATOR_NOT_AVAILABLE);
    if (!this.#hasRoomFor(request.memberId)) {
      return refuse({ memberId: '' }, Errors.GROUP_MAX_SIZE_REACHED);
    }
    if (!group.supports(request.protocolType, request.protocols)) {
      return refuse(request, Errors.INCONSISTENT_GROUP_PROTOCOL);
    }
    return request.memberId === '' ? this.#joinAsNew(request) : this.#joinAsKnown(request);
  }

  #joinAsNew(request: JoinRequest): Promise<JoinAnswer> {
    const { group } = this;
    const prefix = request.groupInstanceId ?? request.clientId;
    const memberId = `${prefix}-${this.#options.random.uuid()}`;
    const predecessor = group.staticMember(request.groupInstanceId);
    if (predecessor !== undefined) return this.#takeOver(predecessor, memberId, request);
    if (request.groupInstanceId === null && request.requiresKnownMemberId) {
      this.#addPending(memberId, request.sessionTimeoutMs);
      return refuse({ memberId }, Errors.MEMBER_ID_REQUIRED);
    }
    return this.#addAndRebalance(memberId, request);
  }

  #joinAsKnown(request: JoinRequest): Promise<JoinAnswer> {
    const { group } = this;
    const cancelPending = group.pendingMembers.get(request.memberId);
    if (cancelPending !== undefined) {
      cancelPending();
      group.pendingMembers.delete(request.memberId);
      return this.#addAndRebalance(request.memberId, request);
    }
    const member = identify(group, request);
    if (typeof member === 'number') return refuse(request, member);
    const isUnchanged = group.hasSameProtocols(member, request.protocols);
    const isLeader = group.leader === member.memberId;
    const { kind } = group.state;
    // The answer got lost: give it again. A leader of a stable group, though, joins to have it rebalanced.
    if (isUnchanged && (kind === 'CompletingRebalance' || (kind === 'Stable' && !isLeader))) {
      this.#touch(member);
      return Promise.resolve(this.#joinAnswer(member));
    }
    updateMember(member, request);
    return this.#awaitJoin(member);
  }

  #addAndRebalance(memberId: string, request: JoinRequest): Promise<JoinAnswer> {
    const { group } = this;
    const member: Member = {
      memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      sessionTimeoutMs: request.sessionTimeoutMs,
      protocols: request.protocols,
      assignment: NOTHING,
      isNew: true,
      awaitingJoin: undefined,
      awaitingSync: undefined,
      cancelSession: () => {},
    };
    if (group.members.size === 0) group.protocolType = request.protocolType;
    group.add(member);
    this.#hasNewMember = true;
    this.#expireAfter(member, NEW_MEMBER_JOIN_TIMEOUT_MS);
    return this.#awaitJoin(member);
  }

  /** A static member comes back under a new member id: its former self is fenced. */
  async #takeOver(
    predecessor: Member,
    memberId: string,
    request: JoinRequest,
  ): Promise<JoinAnswer> {
    const { group } = this;
    const formerLeader = group.leader;
    const successor: Member = { ...predecessor, memberId };
    answerAll(predecessor, Errors.FENCED_INSTANCE_ID);
    successor.awaitingJoin = undefined;
    successor.awaitingSync = undefined;
    predecessor.cancelSession();
    group.members.delete(predecessor.memberId);
    group.members.set(memberId, successor);
    if (formerLeader === predecessor.memberId) group.leader = memberId;
    updateMember(successor, request);
    this.#touch(successor);
    if (group.state.kind !== 'Stable' || group.selectProtocol() !== group.protocolName) {
      return this.#awaitJoin(successor);
    }
    await this.#options.persist(group);
    if (group.leader !== memberId) return this.#joinAnswer(successor);
    // The group stays as it is. An older client is not told that it leads, or it would assign anew.
    return request.knowsSkipAssignment
      ? { ...this.#joinAnswer(successor), skipAssignment: true }
      : { ...this.#joinAnswer(successor), leader: formerLeader ?? '', members: [] };
  }

  #awaitJoin(member: Member): Promise<JoinAnswer> {
    const answered = new Promise<JoinAnswer>((resolve) => {
      // The client has given up on its former request, or sends it twice: either way that one is void.
      member.awaitingJoin?.(failedJoin(member.memberId, Errors.UNKNOWN_MEMBER_ID));
      member.awaitingJoin = resolve;
    });
    if (this.group.state.kind === 'PreparingRebalance') this.#completeJoinIfReady();
    else this.#prepareRebalance();
    return answered;
  }

  #hasRoomFor(memberId: string): boolean {
    const { group } = this;
    const { maxSize } = this.#options.config;
    const member = group.members.get(memberId);
    switch (group.state.kind) {
      case 'Empty':
      case 'Dead':
        return true;
      case 'PreparingRebalance':
        return member?.awaitingJoin !== undefined || group.awaitingJoinCount < maxSize;
      case 'CompletingRebalance':
      case 'Stable':
        return member !== undefined || group.members.size < maxSize;
    }
  }

  #addPending(memberId: string, sessionTimeoutMs: number): void {
    const cancel = this.#options.clock.after(sessionTimeoutMs, () => {
      this.group.pendingMembers.delete(memberId);
      this.#completeJoinIfReady();
    });
    this.group.pendingMembers.set(memberId, cancel);
  }

  // ── The two phases ───────────────────────────────────────────────────────────────────────────

  #prepareRebalance(): void {
    const { group } = this;
    const { clock, config } = this.#options;
    this.#leavePhase();
    for (const member of group.members.values()) {
      answerSync(member, Errors.REBALANCE_IN_PROGRESS);
    }
    if (group.state.kind === 'Empty' && config.initialRebalanceDelayMs > 0) {
      this.#delayInitially(config.initialRebalanceDelayMs, group.rebalanceTimeoutMs);
      return;
    }
    const cancelDeadline = clock.after(group.rebalanceTimeoutMs, () => this.#completeJoin());
    this.#enter({ kind: 'PreparingRebalance', isInitialDelay: false, cancelDeadline });
    this.#completeJoinIfReady();
  }

  /** Waits for more members, again and again while they come, at most for the rebalance timeout. */
  #delayInitially(delayMs: number, remainingMs: number): void {
    this.#hasNewMember = false;
    const waitMs = Math.min(delayMs, remainingMs);
    const cancelDeadline = this.#options.clock.after(waitMs, () => {
      const leftMs = remainingMs - waitMs;
      if (this.#hasNewMember && leftMs > 0) this.#delayInitially(delayMs, leftMs);
      else this.#completeJoin();
    });
    this.#enter({ kind: 'PreparingRebalance', isInitialDelay: true, cancelDeadline });
  }

  #completeJoinIfReady(): void {
    const { group } = this;
    if (group.state.kind !== 'PreparingRebalance' || group.state.isInitialDelay) return;
    if (group.hasAllJoined) this.#completeJoin();
  }

  #completeJoin(): void {
    const { group } = this;
    this.#leavePhase();
    for (const member of group.members.values()) {
      const isGone = member.awaitingJoin === undefined && member.groupInstanceId === null;
      if (isGone) this.#drop(member, Errors.UNKNOWN_MEMBER_ID);
    }
    if (group.members.size > 0 && !group.electJoinedLeader()) {
      // Only static members that are away: wait on, until their sessions end.
      const cancelDeadline = this.#options.clock.after(group.rebalanceTimeoutMs, () =>
        this.#completeJoin(),
      );
      this.#enter({ kind: 'PreparingRebalance', isInitialDelay: false, cancelDeadline });
      return;
    }
    group.generation += 1;
    if (group.members.size === 0) this.#becomeEmpty();
    else this.#beginSync();
  }

  #becomeEmpty(): void {
    this.group.protocolName = null;
    this.#enter({ kind: 'Empty' });
    void this.#options.persist(this.group);
  }

  #beginSync(): void {
    const { group } = this;
    group.protocolName = group.selectProtocol();
    const cancelDeadline = this.#options.clock.after(group.rebalanceTimeoutMs, () =>
      this.#dropUnsynced(),
    );
    this.#enter({ kind: 'CompletingRebalance', cancelDeadline });
    for (const member of group.members.values()) {
      const { awaitingJoin } = member;
      if (awaitingJoin === undefined) continue;
      member.awaitingJoin = undefined;
      member.isNew = false;
      this.#touch(member);
      awaitingJoin(this.#joinAnswer(member));
    }
  }

  /** Whoever has not asked for its assignment by the deadline holds up the others. */
  #dropUnsynced(): void {
    const { group } = this;
    if (group.state.kind !== 'CompletingRebalance') return;
    for (const member of group.members.values()) {
      if (member.awaitingSync === undefined) this.#drop(member, Errors.UNKNOWN_MEMBER_ID);
    }
    this.#prepareRebalance();
  }

  // ── Sync ─────────────────────────────────────────────────────────────────────────────────────

  sync(request: SyncRequest): Promise<SyncAnswer> {
    const { group } = this;
    const member = identifyInGeneration(group, request);
    if (typeof member === 'number') return Promise.resolve(failedSync(member));
    const isOther = (mine: string | null, theirs: string | null) =>
      theirs !== null && theirs !== mine;
    if (
      isOther(group.protocolType, request.protocolType) ||
      isOther(group.protocolName, request.protocolName)
    ) {
      return Promise.resolve(failedSync(Errors.INCONSISTENT_GROUP_PROTOCOL));
    }
    switch (group.state.kind) {
      case 'Empty':
      case 'Dead':
        return Promise.resolve(failedSync(Errors.UNKNOWN_MEMBER_ID));
      case 'PreparingRebalance':
        return Promise.resolve(failedSync(Errors.REBALANCE_IN_PROGRESS));
      case 'Stable':
        this.#touch(member);
        return Promise.resolve(this.#syncAnswer(member));
      case 'CompletingRebalance':
        return this.#awaitSync(member, request.assignments);
    }
  }

  #awaitSync(member: Member, assignments: ReadonlyMap<string, Buffer>): Promise<SyncAnswer> {
    const answered = new Promise<SyncAnswer>((resolve) => {
      member.awaitingSync?.(failedSync(Errors.UNKNOWN_MEMBER_ID));
      member.awaitingSync = resolve;
    });
    if (this.group.leader === member.memberId) void this.#assign(assignments);
    return answered;
  }

  async #assign(assignments: ReadonlyMap<string, Buffer>): Promise<void> {
    const { group } = this;
    const { generation } = group;
    const complete = new Map<string, Buffer>();
    for (const memberId of group.members.keys()) {
      complete.set(memberId, assignments.get(memberId) ?? NOTHING);
    }
    const isDurable = await this.#options.persist(group, complete);
    // Somebody may have joined or left meanwhile: then the next generation is on its way.
    if (group.state.kind !== 'CompletingRebalance' || group.generation !== generation) return;
    if (!isDurable) {
      for (const member of group.members.values()) {
        answerSync(member, Errors.COORDINATOR_NOT_AVAILABLE);
      }
      return;
    }
    this.#leavePhase();
    this.#enter({ kind: 'Stable' });
    for (const member of group.members.values()) {
      member.assignment = complete.get(member.memberId) ?? NOTHING;
      const { awaitingSync } = member;
      if (awaitingSync === undefined) continue;
      member.awaitingSync = undefined;
      this.#touch(member);
      awaitingSync(this.#syncAnswer(member));
    }
  }

  // ── Heartbeat and leave ──────────────────────────────────────────────────────────────────────

  heartbeat(request: MemberIdentity & { readonly generationId: number }): ErrorCodeNumber {
    const member = identifyInGeneration(this.group, request);
    if (typeof member === 'number') return member;
    this.#touch(member);
    return this.group.state.kind === 'PreparingRebalance'
      ? Errors.REBALANCE_IN_PROGRESS
      : Errors.NONE;
  }

  /** What one of the members of a LeaveGroup is told; `rebalanceAfterLeaving` follows the last one. */
  leave({ memberId, groupInstanceId }: MemberIdentity): ErrorCodeNumber {
    const { group } = this;
    const cancelPending = group.pendingMembers.get(memberId);
    if (cancelPending !== undefined && groupInstanceId === null) {
      cancelPending();
      group.pendingMembers.delete(memberId);
      return Errors.NONE;
    }
    // An administrator removes a static member by its instance id alone.
    const owner = memberId === '' ? group.staticMember(groupInstanceId) : undefined;
    const member = owner ?? identify(group, { memberId, groupInstanceId });
    if (typeof member === 'number') return member;
    this.#drop(member, Errors.UNKNOWN_MEMBER_ID);
    return Errors.NONE;
  }

  rebalanceAfterLeaving(): void {
    const { kind } = this.group.state;
    if (kind === 'Stable' || kind === 'CompletingRebalance') this.#prepareRebalance();
    else this.#completeJoinIfReady();
  }

  /** Restarts the session of a member that has just been heard of, if only by its commits. */
  touch(member: Member): void {
    this.#touch(member);
  }

  /** After loading: members have the whole session timeout to report. */
  restartSessions(): void {
    for (const member of this.group.members.values()) this.#touch(member);
  }

  /** The group has been deleted, or the broker stops: no timer of it fires any more. */
  close(): void {
    const { group } = this;
    this.#leavePhase();
    for (const cancel of group.pendingMembers.values()) cancel();
    group.pendingMembers.clear();
    for (const member of group.members.values()) {
      member.cancelSession();
      answerAll(member, Errors.COORDINATOR_NOT_AVAILABLE);
    }
    this.#enter({ kind: 'Dead' });
  }

  #touch(member: Member): void {
    this.#expireAfter(member, member.sessionTimeoutMs);
  }

  #expireAfter(member: Member, timeoutMs: number): void {
    member.cancelSession();
    member.cancelSession = this.#options.clock.after(timeoutMs, () => this.#expire(member));
  }

  #expire(member: Member): void {
    // Whoever waits for us is alive as far as we can know: the answer restarts its session.
    const waits = member.awaitingJoin !== undefined || member.awaitingSync !== undefined;
    if (waits && !member.isNew) return;
    this.#drop(member, Errors.UNKNOWN_MEMBER_ID);
    this.rebalanceAfterLeaving();
  }

  #drop(member: Member, error: ErrorCodeNumber): void {
    member.cancelSession();
    answerAll(member, error);
    this.group.remove(member.memberId);
  }

  #enter(state: ClassicGroup['state']): void {
    if (state.kind !== this.group.state.kind) {
      this.group.stateSinceMs = this.#options.clock.nowMs();
    }
    this.group.state = state;
  }

  #leavePhase(): void {
    const { state } = this.group;
    if ('cancelDeadline' in state) state.cancelDeadline();
  }

  #joinAnswer(member: Member): JoinAnswer {
    const { group } = this;
    const isLeader = group.leader === member.memberId;
    const members = isLeader ? Array.from(group.members.values()) : [];
    return {
      error: Errors.NONE,
      generationId: group.generation,
      protocolType: group.protocolType,
      protocolName: group.protocolName,
      leader: group.leader ?? '',
      memberId: member.memberId,
      skipAssignment: false,
      members: members.map((each) => ({
        memberId: each.memberId,
        groupInstanceId: each.groupInstanceId,
        metadata: group.subscriptionOf(each),
      })),
    };
  }

  #syncAnswer({ assignment }: Member): SyncAnswer {
    const { protocolType, protocolName } = this.group;
    return { error: Errors.NONE, protocolType, protocolName, assignment };
  }
}

function updateMember(member: Member, request: JoinRequest): void {
  member.protocols = request.protocols;
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
  member.sessionTimeoutMs = request.sessionTimeoutMs;
  member.clientId = request.clientId;
  member.clientHost = request.clientHost;
}
