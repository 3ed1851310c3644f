/**
 * GroupMember: a member of a classic group with cooperative rebalancing. Owns the member's life: joining,
 * telling the engine what it gets and what it must give up, noticing that it has been dropped. The
 * requests are member-requests.ts, who may have what is assignments.ts, the timer is heartbeats.ts.
 *
 * 1. One callback of the engine at a time; a JoinGroup goes out only when none is running.
 * 2. metadata() changes when the answer to SyncGroup is here, before the callbacks: what they commit is
 *    committed under the new generation. It is undefined from the moment the member knows it is lost.
 * 3. A partition is claimed in JoinGroup until onRevoked or onLost for it has resolved.
 */
import { unreachable } from '../../base/assert.ts';
import { backoffMs } from '../../base/backoff.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { ClientDeps } from '../client-deps.ts';
import type {
  GroupMember,
  GroupMemberOptions,
  GroupMetadata,
  GroupProtocol,
  MemberAssignment,
  TopicPartition,
} from '../ports.ts';
import type { ResponseOf } from '../protocol/define-api.ts';
import { Errors, errorName } from '../protocol/error-codes.ts';
import type { joinGroupApi } from '../protocol/messages/join-group.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Cluster } from '../wire.ts';
import { changeOf, withholdOwned, without } from './assignments.ts';
import { Heartbeats } from './heartbeats.ts';
import { memberError, verdictOf } from './member-errors.ts';
import {
  assignmentIn,
  type MemberIdentity,
  MemberRequests,
  subscriptionsIn,
} from './member-requests.ts';
import { Signal } from './signal.ts';

const BACKOFF = { initialMs: 50, maxMs: 2_000 };
const NO_GENERATION = -1;

export function createGroupMember(
  cluster: Cluster,
  options: GroupMemberOptions,
  protocol: GroupProtocol,
  deps: ClientDeps,
): GroupMember {
  return new ClassicGroupMember(cluster, options, protocol, deps);
}

/** Where the member is in its loop. */
type Phase = 'new' | 'joining' | 'delivering' | 'stable' | 'stopped';

/** A place in a new generation, and what comes with it. */
interface Joined {
  readonly identity: MemberIdentity;
  readonly assignment: MemberAssignment;
  /** As leader we have held something back, or may have: another rebalance must follow. */
  readonly mustFollowUp: boolean;
}

interface LeaderAssignment {
  readonly assignments: ReadonlyMap<string, MemberAssignment>;
  readonly mustFollowUp: boolean;
}

class ClassicGroupMember implements GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #protocol: GroupProtocol;
  readonly #deps: ClientDeps;
  readonly #requests: MemberRequests;
  readonly #heartbeats: Heartbeats;

  #phase: Phase = 'new';
  /** Given by the coordinator; '' until then. */
  #memberId = '';
  #metadata: GroupMetadata | undefined;
  #owned: readonly TopicPartition[] = [];
  /** Why the next rebalance is wanted; undefined: it is not. */
  #rejoinReason: string | undefined = 'joins';
  /** What is owned is lost, and the engine has not been told yet. */
  #isLost = false;
  /** Rounds in a row that have come to nothing. */
  #failures = 0;
  /** The JoinGroup and SyncGroup that are out. */
  #round = new AbortController();
  /** Fires at whatever should make the loop look again. */
  readonly #changed = new Signal();
  /** Fires when metadata() is as new as it will be for now. */
  readonly #settled = new Signal();
  readonly #firstAssignment = Promise.withResolvers<void>();

  constructor(
    cluster: Cluster,
    options: GroupMemberOptions,
    protocol: GroupProtocol,
    deps: ClientDeps,
  ) {
    this.#options = options;
    this.#protocol = protocol;
    this.#deps = { ...deps, log: deps.log.child({ groupId: options.groupId }) };
    this.#requests = new MemberRequests(cluster, options, protocol);
    this.#heartbeats = new Heartbeats(
      {
        intervalMs: options.heartbeatIntervalMs,
        sessionTimeoutMs: options.sessionTimeoutMs,
        send: (identity, timeoutMs) => this.#requests.heartbeat(identity, timeoutMs),
        onAnswer: (identity, code) => this.#onHeartbeat(identity, code),
        onSilence: (error) => this.#onSilence(error),
        onSessionExpired: () => this.#onSessionExpired(),
      },
      this.#deps,
    );
    // Nobody may be waiting when the member ends before its first assignment.
    this.#firstAssignment.promise.catch(() => {});
  }

  start(): Promise<void> {
    if (this.#phase === 'new') void this.#run();
    return this.#firstAssignment.promise;
  }

  metadata(): GroupMetadata | undefined {
    return this.#metadata;
  }

  get isRebalancing(): boolean {
    return this.#phase !== 'stable' || this.#rejoinReason !== undefined || this.#isLost;
  }

  async settled(refused?: GroupMetadata): Promise<void> {
    const current = this.#metadata;
    const isNewer = refused !== undefined && current?.generation !== refused.generation;
    if (this.#phase !== 'joining' || current === undefined || isNewer) return;
    await this.#settled.wait();
  }

  rejoin(): void {
    this.#wantRejoin('asked to by the engine');
  }

  async stop({ leave }: { readonly leave: boolean }): Promise<void> {
    this.#end();
    this.#firstAssignment.resolve();
    const memberId = this.#memberId;
    this.#memberId = '';
    if (leave && memberId !== '') await this.#leave(memberId);
    this.#requests.close();
  }

  async #leave(memberId: string): Promise<void> {
    try {
      await this.#requests.leave(memberId);
    } catch (error) {
      // The session timeout does the same, later.
      this.#deps.log.debug({ error }, 'could not leave the group');
    }
  }

  #end(): void {
    this.#phase = 'stopped';
    this.#metadata = undefined;
    this.#heartbeats.stop();
    this.#round.abort();
    this.#settled.fire();
    this.#changed.fire();
  }

  get #isRunning(): boolean {
    return this.#phase !== 'stopped';
  }

  // ── The loop: lost? tell; join; deliver; wait ────────────────────────────────────────────────

  async #run(): Promise<void> {
    try {
      while (this.#isRunning) {
        const joined = this.#isLost ? await this.#tellLost() : await this.#join();
        if (joined === undefined || this.#isLost || !this.#isRunning) continue;
        await this.#deliver(joined);
        while (this.#isRunning && !this.#isLost && this.#rejoinReason === undefined) {
          await this.#changed.wait();
        }
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async #tellLost(): Promise<undefined> {
    this.#isLost = false;
    if (this.#owned.length > 0) await this.#protocol.onLost(this.#owned);
    this.#owned = [];
  }

  async #deliver({ identity, assignment, mustFollowUp }: Joined): Promise<void> {
    const { groupId, groupInstanceId } = this.#options;
    this.#phase = 'delivering';
    this.#metadata = { groupId, ...identity, groupInstanceId };
    this.#settled.fire();
    const { revoked, added } = changeOf(this.#owned, assignment.partitions);
    if (revoked.length > 0) {
      await this.#protocol.onRevoked(revoked);
      this.#owned = without(this.#owned, revoked);
    }
    if (!this.#isRunning || this.#isLost) return;
    this.#owned = assignment.partitions;
    await this.#protocol.onAssigned(added, assignment);
    if (!this.#isRunning) return;
    this.#phase = 'stable';
    if (revoked.length > 0) this.#wantRejoin('has given up what others wait for');
    else if (mustFollowUp) this.#wantRejoin('hands out what was withheld');
    this.#firstAssignment.resolve();
  }

  // ── Joining ──────────────────────────────────────────────────────────────────────────────────

  /** One round of JoinGroup and SyncGroup; undefined: look around and try again. */
  async #join(): Promise<Joined | undefined> {
    const { clock, random, log } = this.#deps;
    this.#phase = 'joining';
    const round = new AbortController();
    this.#round = round;
    if (this.#failures > 0) {
      await clock.sleep(backoffMs(this.#failures - 1, BACKOFF, random), round.signal);
      if (round.signal.aborted) return undefined;
    }
    try {
      return await unlessAborted(this.#joinAndSync(round.signal), round.signal);
    } catch (error) {
      if (!isTransient(error)) throw error;
      this.#failures++;
      log.debug({ error }, 'joining failed, will try again');
      return undefined;
    }
  }

  async #joinAndSync(round: AbortSignal): Promise<Joined | undefined> {
    const reason = this.#rejoinReason ?? 'tries again';
    this.#rejoinReason = undefined;
    this.#deps.log.debug({ reason }, 'joining the group');
    const generation = this.#metadata?.generation ?? NO_GENERATION;
    const before = { memberId: this.#memberId, generation };
    const response = await this.#requests.join(before, this.#owned, reason);
    if (round.aborted) return undefined;
    if (response.errorCode !== Errors.NONE) {
      if (verdictOf(response.errorCode) === 'member-id-given') this.#memberId = response.memberId;
      return this.#onRefused('JoinGroup', response.errorCode);
    }
    const identity = { memberId: response.memberId, generation: response.generationId };
    this.#memberId = identity.memberId;
    this.#heartbeats.start(identity);

    const { assignments, mustFollowUp } = await this.#assignAsLeader(response);
    if (round.aborted) return undefined;
    const synced = await this.#requests.sync(identity, assignments);
    if (round.aborted) return undefined;
    if (synced.errorCode !== Errors.NONE) return this.#onRefused('SyncGroup', synced.errorCode);
    const assignment = assignmentIn(synced.assignment);
    if (this.#isOfAnotherLife(assignment)) return this.#refuseFormerLife();
    this.#failures = 0;
    return { identity, assignment, mustFollowUp };
  }

  /**
   * Nothing to give out for those who follow, and for a static leader that has come back to the
   * assignment of its former life: that one may have died before it handed out what it had withheld.
   */
  async #assignAsLeader(response: ResponseOf<typeof joinGroupApi>): Promise<LeaderAssignment> {
    if (response.leader !== response.memberId || response.skipAssignment) {
      return { assignments: new Map(), mustFollowUp: response.skipAssignment };
    }
    const members = subscriptionsIn(response.members);
    const { assignments, withheld } = withholdOwned(await this.#protocol.assign(members), members);
    return { assignments, mustFollowUp: withheld.length > 0 };
  }

  /** Whether it was made for a version of us that read other topics. */
  #isOfAnotherLife({ partitions, userData }: MemberAssignment): boolean {
    const isBack = this.#options.groupInstanceId !== null && this.#metadata === undefined;
    return isBack && this.#protocol.fits?.(partitions, userData) === false;
  }

  /** Nothing of it is taken. A leader that joins again has everything assigned anew; followers wait for it. */
  #refuseFormerLife(): undefined {
    this.#failures++;
    this.#rejoinReason = 'what it was assigned before is not what it reads now';
    this.#deps.log.info({ reason: this.#rejoinReason }, 'joins again');
  }

  #onRefused(api: string, code: number): undefined {
    const verdict = verdictOf(code);
    switch (verdict) {
      case 'member-id-given':
        return undefined;
      case 'find-coordinator':
        this.#requests.forgetCoordinator();
        this.#failures++;
        return undefined;
      case 'ok':
      case 'retry':
      case 'rejoin':
        this.#failures++;
        return undefined;
      case 'lost':
      case 'lost-with-id':
        this.#failures++;
        this.#lose(`${api}: ${errorName(code)}`, verdict === 'lost-with-id');
        return undefined;
      case 'instance-fenced':
      case 'fatal':
        throw memberError(api, code, this.#options.groupId);
      default:
        return unreachable(verdict);
    }
  }

  // ── What heartbeats bring ────────────────────────────────────────────────────────────────────

  /** True when the coordinator still knows us. */
  #onHeartbeat(identity: MemberIdentity, code: number): boolean {
    const verdict = verdictOf(code);
    const isKnown = verdict === 'ok' || verdict === 'rejoin';
    if (verdict === 'find-coordinator') this.#requests.forgetCoordinator();
    // While a JoinGroup is out its answer decides, and a generation that is over decides nothing.
    const isCurrent = identity.generation === this.#metadata?.generation;
    if (this.#phase === 'joining' || !isCurrent) return isKnown;
    switch (verdict) {
      case 'rejoin':
        this.#wantRejoin('follows the rebalance');
        break;
      case 'lost':
      case 'lost-with-id':
        this.#lose(`Heartbeat: ${errorName(code)}`, verdict === 'lost-with-id');
        break;
      case 'instance-fenced':
      case 'fatal':
        this.#fail(memberError('Heartbeat', code, this.#options.groupId));
        break;
      case 'ok':
      case 'retry':
      case 'find-coordinator':
      case 'member-id-given':
        break;
      default:
        unreachable(verdict);
    }
    return isKnown;
  }

  #onSilence(error: unknown): void {
    if (!isTransient(error)) {
      this.#fail(error);
      return;
    }
    this.#requests.forgetCoordinator();
    this.#deps.log.debug({ error }, 'a heartbeat was not answered');
  }

  #onSessionExpired(): void {
    this.#requests.abandonJoin();
    this.#lose('no heartbeat was answered within the session timeout', false);
  }

  #wantRejoin(reason: string): void {
    this.#rejoinReason ??= reason;
    this.#changed.fire();
  }

  #lose(reason: string, isIdLost: boolean): void {
    this.#deps.log.warn({ reason, memberId: this.#memberId }, 'dropped from the group');
    this.#metadata = undefined;
    if (isIdLost) this.#memberId = '';
    this.#isLost = true;
    this.#heartbeats.stop();
    this.#round.abort();
    this.#settled.fire();
    this.#changed.fire();
  }

  #fail(cause: unknown): void {
    if (!this.#isRunning) return;
    this.#end();
    const error = isMillraceError(cause, 'KAFKA_FATAL', 'KAFKA_FENCED', 'KAFKA_AUTHENTICATION')
      ? cause
      : new MillraceError('KAFKA_FATAL', 'the group member has failed', { cause });
    this.#firstAssignment.reject(error);
    this.#protocol.onFatal(error);
  }
}

function isTransient(error: unknown): boolean {
  return isMillraceError(error, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE');
}
