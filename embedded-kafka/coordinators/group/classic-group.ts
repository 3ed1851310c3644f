/**
 * A classic group as data, with the questions that can be asked of it and the changes that keep it
 * consistent. When it changes, and who waits for what, is rebalancer.ts; what is durable, group-coordinator.ts.
 *
 * Invariants: `leader` is a member or null; a static instance id belongs to one member; the generation
 * never goes back.
 */
import { type JoinAnswer, NOTHING, type SyncAnswer } from './answers.ts';

export interface GroupProtocolMetadata {
  readonly name: string;
  readonly metadata: Buffer;
}

export interface Member {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  clientId: string;
  clientHost: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  /** In order of preference. */
  protocols: readonly GroupProtocolMetadata[];
  assignment: Buffer;
  /** It has never been told a generation. */
  isNew: boolean;
  /** Who waits for the end of the join or sync phase; a second request takes the first one's place. */
  awaitingJoin: ((answer: JoinAnswer) => void) | undefined;
  awaitingSync: ((answer: SyncAnswer) => void) | undefined;
  cancelSession: () => void;
}

export type GroupState =
  | { readonly kind: 'Empty' }
  | {
      readonly kind: 'PreparingRebalance';
      /** Within the initial delay: more members may come before the first generation. */
      readonly isInitialDelay: boolean;
      readonly cancelDeadline: () => void;
    }
  | { readonly kind: 'CompletingRebalance'; readonly cancelDeadline: () => void }
  | { readonly kind: 'Stable' }
  | { readonly kind: 'Dead' };

export class ClassicGroup {
  readonly groupId: string;
  readonly members = new Map<string, Member>();
  /** Ids given out with MEMBER_ID_REQUIRED that have not come back yet, with their timers. */
  readonly pendingMembers = new Map<string, () => void>();
  state: GroupState = { kind: 'Empty' };
  generation = 0;
  /** Empty for a group that has only ever stored offsets. */
  protocolType = '';
  protocolName: string | null = null;
  leader: string | null = null;
  stateSinceMs: number;

  constructor(groupId: string, nowMs: number) {
    this.groupId = groupId;
    this.stateSinceMs = nowMs;
  }

  get awaitingJoinCount(): number {
    let count = 0;
    for (const member of this.members.values()) if (member.awaitingJoin !== undefined) count++;
    return count;
  }

  get hasAllJoined(): boolean {
    return this.pendingMembers.size === 0 && this.awaitingJoinCount === this.members.size;
  }

  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...Array.from(this.members.values(), (each) => each.rebalanceTimeoutMs));
  }

  staticMember(groupInstanceId: string | null): Member | undefined {
    if (groupInstanceId === null) return undefined;
    for (const member of this.members.values()) {
      if (member.groupInstanceId === groupInstanceId) return member;
    }
    return undefined;
  }

  add(member: Member): void {
    this.members.set(member.memberId, member);
    this.leader ??= member.memberId;
  }

  /** Timers and whoever waits are the caller's business. */
  remove(memberId: string): void {
    this.members.delete(memberId);
    if (this.leader === memberId) this.leader = this.members.keys().next().value ?? null;
  }

  /** A leader that takes part in this join phase; false when nobody does. */
  electJoinedLeader(): boolean {
    const leader = this.leader === null ? undefined : this.members.get(this.leader);
    if (leader?.awaitingJoin !== undefined) return true;
    for (const member of this.members.values()) {
      if (member.awaitingJoin === undefined) continue;
      this.leader = member.memberId;
      return true;
    }
    return false;
  }

  /** May somebody with these protocols be a member? */
  supports(protocolType: string, protocols: readonly GroupProtocolMetadata[]): boolean {
    if (protocolType === '' || protocols.length === 0) return false;
    if (this.members.size === 0) return true;
    if (protocolType !== this.protocolType) return false;
    const common = this.#commonProtocols();
    return protocols.some((protocol) => common.has(protocol.name));
  }

  /** The protocol that all members know and most prefer; the group is not empty. */
  selectProtocol(): string {
    const common = this.#commonProtocols();
    const votes = new Map<string, number>();
    for (const member of this.members.values()) {
      const vote = member.protocols.find((protocol) => common.has(protocol.name));
      if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
    }
    let best = '';
    for (const [name, count] of votes) if (count > (votes.get(best) ?? 0)) best = name;
    return best;
  }

  /** What the member said for a protocol; empty when it does not know it. */
  subscriptionOf(member: Member, protocolName = this.protocolName): Buffer {
    return member.protocols.find(({ name }) => name === protocolName)?.metadata ?? NOTHING;
  }

  /** True when the member asks for exactly what it has. */
  hasSameProtocols(member: Member, protocols: readonly GroupProtocolMetadata[]): boolean {
    return (
      member.protocols.length === protocols.length &&
      member.protocols.every((protocol, index) => {
        const other = protocols[index];
        return protocol.name === other?.name && protocol.metadata.equals(other.metadata);
      })
    );
  }

  #commonProtocols(): Set<string> {
    let common: Set<string> | undefined;
    for (const { protocols } of this.members.values()) {
      const names = new Set(protocols.map((protocol) => protocol.name));
      common = common === undefined ? names : intersection(common, names);
    }
    return common ?? new Set();
  }
}

function intersection(left: ReadonlySet<string>, right: ReadonlySet<string>): Set<string> {
  return new Set(Array.from(left).filter((each) => right.has(each)));
}
