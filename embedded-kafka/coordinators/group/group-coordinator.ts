/**
 * The group coordinator: owns every group and its offsets, and makes them durable in
 * `__consumer_offsets` before anybody is told. The life of a group is rebalancer.ts; what the log looks
 * like is group-log.ts. Verification of transactional commits has happened before they come here.
 */
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { Random } from '../../../base/random.ts';
import type { TopicPartition } from '../../../kafka/ports.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import type { ErrorCodeNumber, Partition, Topic } from '../../ports.ts';
import {
  type CoordinatorLog,
  type CoordinatorRecord,
  type ReplayedRecord,
  replay,
  type TransactionStamp,
} from '../coordinator-log.ts';
import { partitionForKey } from '../internal-topics.ts';
import { failedJoin, failedSync, type JoinAnswer, type SyncAnswer } from './answers.ts';
import { ClassicGroup } from './classic-group.ts';
import { subscribedTopics } from './consumer-protocol.ts';
import {
  decodeRecord,
  encodeGroup,
  encodeGroupTombstone,
  encodeOffset,
  encodeOffsetTombstone,
} from './group-log.ts';
import { GroupOffsets, type OffsetEntry } from './group-offsets.ts';
import { Rebalancer } from './rebalancer.ts';
import type {
  CommitRequest,
  FetchedOffset,
  GroupCoordinatorConfig,
  JoinRequest,
  MemberIdentity,
  OffsetToStore,
  SyncRequest,
} from './requests.ts';
import { validateOffsetCommit } from './validation.ts';

export interface GroupCoordinatorOptions {
  readonly topic: Topic;
  readonly records: CoordinatorLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly config: GroupCoordinatorConfig;
}

interface GroupEntry {
  readonly rebalancer: Rebalancer;
  readonly offsets: GroupOffsets;
}

export class GroupCoordinator {
  readonly #options: GroupCoordinatorOptions;
  readonly #groups = new Map<string, GroupEntry>();
  /** Groups with pending offsets, by producer id. */
  readonly #pendingGroups = new Map<number, Set<string>>();
  /** Counts writes in the order in which they enter the log. */
  #order = 0;

  constructor(options: GroupCoordinatorOptions) {
    this.#options = options;
  }

  // ── Start and stop ───────────────────────────────────────────────────────────────────────────

  /** Replays the log. Members get their whole session timeout to report. */
  start(): void {
    for (const partition of this.#options.topic.partitions) {
      for (const record of replay(partition)) this.#replayOne(record, partition);
    }
    for (const { rebalancer } of this.#groups.values()) rebalancer.restartSessions();
  }

  stop(): void {
    for (const { rebalancer } of this.#groups.values()) rebalancer.close();
  }

  #replayOne(record: ReplayedRecord, partition: Partition): void {
    if (record.kind === 'marker') {
      const { producerId, committed } = record;
      this.completeTransaction({
        offsetsPartition: partition.partition,
        producerId,
        committed,
      });
      return;
    }
    const decoded = decodeRecord(record.key, record.value);
    if (decoded === undefined) return;
    if (decoded.kind === 'offset') {
      const { groupId, topic, partition } = decoded.address;
      const order = this.#order++;
      if (decoded.stored === undefined) {
        this.#groups.get(groupId)?.offsets.delete(topic, partition, order);
        return;
      }
      const entry = { topic, partition, stored: decoded.stored, order };
      this.#apply(this.#groupOrNew(groupId), entry, record.transactionOf);
    } else if (decoded.group === undefined) {
      this.#forget(decoded.groupId);
    } else {
      const offsets = this.#groups.get(decoded.groupId)?.offsets ?? new GroupOffsets();
      this.#groups.set(decoded.groupId, this.#entryOf(decoded.group, offsets));
    }
  }

  // ── Membership ───────────────────────────────────────────────────────────────────────────────

  join(groupId: string, request: JoinRequest): Promise<JoinAnswer> {
    const { config } = this.#options;
    const fail = (error: ErrorCodeNumber) => Promise.resolve(failedJoin(request.memberId, error));
    if (groupId === '') return fail(Errors.INVALID_GROUP_ID);
    const { sessionTimeoutMs } = request;
    if (
      sessionTimeoutMs < config.minSessionTimeoutMs ||
      sessionTimeoutMs > config.maxSessionTimeoutMs
    ) {
      return fail(Errors.INVALID_SESSION_TIMEOUT);
    }
    if (!this.#groups.has(groupId) && request.memberId !== '') {
      return fail(Errors.UNKNOWN_MEMBER_ID);
    }
    return this.#groupOrNew(groupId).rebalancer.join(request);
  }

  sync(groupId: string, request: SyncRequest): Promise<SyncAnswer> {
    if (groupId === '') return Promise.resolve(failedSync(Errors.INVALID_GROUP_ID));
    const entry = this.#groups.get(groupId);
    if (entry === undefined) return Promise.resolve(failedSync(Errors.UNKNOWN_MEMBER_ID));
    return entry.rebalancer.sync(request);
  }

  heartbeat(
    groupId: string,
    request: MemberIdentity & { readonly generationId: number },
  ): ErrorCodeNumber {
    if (groupId === '') return Errors.INVALID_GROUP_ID;
    return this.#groups.get(groupId)?.rebalancer.heartbeat(request) ?? Errors.UNKNOWN_MEMBER_ID;
  }

  /** One code per member, in order. */
  leave(groupId: string, members: readonly MemberIdentity[]): ErrorCodeNumber[] {
    const entry = this.#groups.get(groupId);
    if (entry === undefined) return members.map(() => Errors.UNKNOWN_MEMBER_ID);
    const errors = members.map((member) => entry.rebalancer.leave(member));
    if (errors.includes(Errors.NONE)) entry.rebalancer.rebalanceAfterLeaving();
    return errors;
  }

  // ── Offsets ──────────────────────────────────────────────────────────────────────────────────

  /** Which partition of `__consumer_offsets` a group lives in: what its transactions add. */
  partitionOf(groupId: string): Partition {
    return partitionForKey(this.#options.topic, groupId);
  }

  /** One code per offset, in order; resolves when they are durable. */
  async commit(request: CommitRequest): Promise<ErrorCodeNumber[]> {
    const failAll = (error: ErrorCodeNumber) => request.offsets.map(() => error);
    const { groupId, transaction } = request;
    if (groupId === '' && request.generationId >= 0) return failAll(Errors.INVALID_GROUP_ID);
    if (!this.#groups.has(groupId) && request.generationId >= 0) {
      return failAll(Errors.ILLEGAL_GENERATION);
    }
    const entry = this.#groupOrNew(groupId);
    const isTransactional = transaction !== undefined;
    const { group } = entry.rebalancer;
    const { error, member } = validateOffsetCommit(group, { ...request, isTransactional });
    if (error !== Errors.NONE) return failAll(error);
    if (member !== undefined) entry.rebalancer.touch(member);
    const errors = request.offsets.map(({ metadata }) =>
      Buffer.byteLength(metadata) > this.#options.config.offsetMetadataBytesMax
        ? Errors.OFFSET_METADATA_TOO_LARGE
        : Errors.NONE,
    );
    const accepted = request.offsets.filter((_, index) => errors[index] === Errors.NONE);
    if (accepted.length === 0) return errors;
    const refusal = await this.#store(groupId, entry, accepted, transaction);
    return errors.map((each) => (each === Errors.NONE ? refusal : each));
  }

  async #store(
    groupId: string,
    entry: GroupEntry,
    offsets: readonly OffsetToStore[],
    transaction: TransactionStamp | undefined,
  ): Promise<ErrorCodeNumber> {
    const commitTimestampMs = this.#options.clock.nowMs();
    const order = this.#order++;
    const entries = offsets.map(
      ({ topic, partition, offset, leaderEpoch, metadata }): OffsetEntry => ({
        topic,
        partition,
        stored: { offset, leaderEpoch, metadata, commitTimestampMs },
        order,
      }),
    );
    // Unstable from now on: whoever asks for stable offsets must not see the old ones any more.
    if (transaction !== undefined) {
      for (const each of entries) this.#apply(entry, each, transaction.producerId);
    }
    const refusal = await this.#append(
      groupId,
      entries.map((each) => encodeOffset({ groupId, ...each }, each.stored)),
      transaction,
    );
    const isStored = refusal === Errors.NONE;
    for (const each of entries) {
      if (transaction === undefined && isStored) entry.offsets.commit(each);
      if (transaction !== undefined && !isStored) {
        entry.offsets.dropPending(transaction.producerId, each);
      }
    }
    return refusal;
  }

  #apply(entry: GroupEntry, offset: OffsetEntry, producerId: number | undefined): void {
    if (producerId === undefined) {
      entry.offsets.commit(offset);
      return;
    }
    entry.offsets.addPending(producerId, offset);
    const { groupId } = entry.rebalancer.group;
    const groups = this.#pendingGroups.get(producerId);
    if (groups === undefined) this.#pendingGroups.set(producerId, new Set([groupId]));
    else groups.add(groupId);
  }

  /** A producer's transaction has ended in one partition of `__consumer_offsets`. */
  completeTransaction(end: {
    readonly offsetsPartition: number;
    readonly producerId: number;
    readonly committed: boolean;
  }): void {
    const groups = this.#pendingGroups.get(end.producerId);
    if (groups === undefined) return;
    for (const groupId of groups) {
      if (this.partitionOf(groupId).partition !== end.offsetsPartition) continue;
      this.#groups.get(groupId)?.offsets.completeTransaction(end.producerId, end.committed);
      groups.delete(groupId);
    }
    if (groups.size === 0) this.#pendingGroups.delete(end.producerId);
  }

  fetchOffset(
    groupId: string,
    { topic, partition }: TopicPartition,
    requireStable: boolean,
  ): FetchedOffset {
    const offsets = this.#groups.get(groupId)?.offsets;
    if (offsets === undefined) return { kind: 'none' };
    if (requireStable && offsets.isPending(topic, partition)) return { kind: 'unstable' };
    const stored = offsets.get(topic, partition);
    return stored === undefined ? { kind: 'none' } : { kind: 'committed', stored };
  }

  /** Every partition that the group has committed. */
  committedPartitions(groupId: string): TopicPartition[] {
    const entries = this.#groups.get(groupId)?.offsets.all() ?? [];
    return Array.from(entries, ({ topic, partition }) => ({ topic, partition }));
  }

  // ── Administration ───────────────────────────────────────────────────────────────────────────

  group(groupId: string): ClassicGroup | undefined {
    return this.#groups.get(groupId)?.rebalancer.group;
  }

  groups(): ClassicGroup[] {
    return Array.from(this.#groups.values(), (entry) => entry.rebalancer.group);
  }

  async deleteGroup(groupId: string): Promise<ErrorCodeNumber> {
    const entry = this.#groups.get(groupId);
    if (entry === undefined) return Errors.GROUP_ID_NOT_FOUND;
    if (entry.rebalancer.group.state.kind !== 'Empty') return Errors.NON_EMPTY_GROUP;
    // An open transaction would bring the group back when it commits.
    if (entry.offsets.hasPending) return Errors.NON_EMPTY_GROUP;
    const order = this.#order++;
    const offsets = Array.from(entry.offsets.all());
    const tombstones = offsets.map((each) => encodeOffsetTombstone({ groupId, ...each }));
    const error = await this.#append(groupId, [...tombstones, encodeGroupTombstone(groupId)]);
    if (error !== Errors.NONE) return error;
    for (const { topic, partition } of offsets) entry.offsets.delete(topic, partition, order);
    // Whoever came meanwhile has made it a group of its own again.
    if (this.#isUnused(entry)) {
      entry.rebalancer.close();
      this.#forget(groupId);
    }
    return Errors.NONE;
  }

  #isUnused({ rebalancer: { group }, offsets }: GroupEntry): boolean {
    return group.state.kind === 'Empty' && offsets.isEmpty && group.pendingMembers.size === 0;
  }

  /** OffsetDelete: one code per partition, in order, or one for the whole group. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<ErrorCodeNumber | ErrorCodeNumber[]> {
    const entry = this.#groups.get(groupId);
    if (entry === undefined) return Errors.GROUP_ID_NOT_FOUND;
    const { group } = entry.rebalancer;
    const isConsumer = group.protocolType === 'consumer';
    if (group.members.size > 0 && !isConsumer) return Errors.NON_EMPTY_GROUP;
    const subscribed = subscribedTopics(group);
    const errors = partitions.map(({ topic }) =>
      subscribed.has(topic) ? Errors.GROUP_SUBSCRIBED_TO_TOPIC : Errors.NONE,
    );
    const deletable = partitions.filter((_, index) => errors[index] === Errors.NONE);
    const refusal = await this.#deleteOffsets(groupId, entry, deletable);
    return refusal === Errors.NONE ? errors : refusal;
  }

  /** The topics are gone, and so are all offsets in them. */
  async deleteOffsetsOfTopic(topic: string): Promise<void> {
    for (const [groupId, entry] of this.#groups) {
      const partitions = Array.from(entry.offsets.all()).filter((each) => each.topic === topic);
      await this.#deleteOffsets(groupId, entry, partitions);
    }
  }

  /** Forgets offsets past their retention, and groups that have nothing left. */
  async expire(): Promise<void> {
    const { clock, config } = this.#options;
    const expiredBeforeMs = clock.nowMs() - config.offsetsRetentionMs;
    for (const [groupId, entry] of this.#groups) {
      const { group } = entry.rebalancer;
      const expired = Array.from(entry.offsets.all()).filter(
        (each) => this.#unusedSinceMs(group, each) < expiredBeforeMs,
      );
      await this.#deleteOffsets(groupId, entry, expired);
      if (this.#isUnused(entry) && group.stateSinceMs < expiredBeforeMs) {
        await this.deleteGroup(groupId);
      }
    }
  }

  /** Since when nobody can have needed this offset; Infinity while somebody may. */
  #unusedSinceMs(group: ClassicGroup, { topic, partition, stored }: OffsetEntry): number {
    const { commitTimestampMs } = stored;
    if (group.protocolType === '') return commitTimestampMs;
    if (group.state.kind === 'Empty') return Math.max(commitTimestampMs, group.stateSinceMs);
    const isUsed = group.protocolType !== 'consumer' || subscribedTopics(group).has(topic);
    const isPending = this.#groups.get(group.groupId)?.offsets.isPending(topic, partition);
    return isUsed || isPending ? Number.POSITIVE_INFINITY : commitTimestampMs;
  }

  async #deleteOffsets(
    groupId: string,
    entry: GroupEntry,
    partitions: readonly TopicPartition[],
  ): Promise<ErrorCodeNumber> {
    if (partitions.length === 0) return Errors.NONE;
    const order = this.#order++;
    const tombstones = partitions.map(({ topic, partition }) =>
      encodeOffsetTombstone({ groupId, topic, partition }),
    );
    const error = await this.#append(groupId, tombstones);
    if (error !== Errors.NONE) return error;
    for (const { topic, partition } of partitions) entry.offsets.delete(topic, partition, order);
    return Errors.NONE;
  }

  // ── Plumbing ─────────────────────────────────────────────────────────────────────────────────

  #append(
    groupId: string,
    records: readonly CoordinatorRecord[],
    transaction?: TransactionStamp,
  ): Promise<ErrorCodeNumber> {
    return this.#options.records.append(this.partitionOf(groupId), records, { transaction });
  }

  async #persist(
    group: ClassicGroup,
    assignments: ReadonlyMap<string, Buffer> | undefined,
  ): Promise<boolean> {
    try {
      return (await this.#append(group.groupId, [encodeGroup(group, assignments)])) === Errors.NONE;
    } catch (error) {
      this.#options.log.error({ groupId: group.groupId, error }, 'group not written');
      return false;
    }
  }

  #groupOrNew(groupId: string): GroupEntry {
    const existing = this.#groups.get(groupId);
    if (existing !== undefined) return existing;
    const group = new ClassicGroup(groupId, this.#options.clock.nowMs());
    const created = this.#entryOf(group, new GroupOffsets());
    this.#groups.set(groupId, created);
    return created;
  }

  #entryOf(group: ClassicGroup, offsets: GroupOffsets): GroupEntry {
    const { clock, random, config } = this.#options;
    const persist = (each: ClassicGroup, assignments?: ReadonlyMap<string, Buffer>) =>
      this.#persist(each, assignments);
    return { rebalancer: new Rebalancer(group, { clock, random, config, persist }), offsets };
  }

  #forget(groupId: string): void {
    this.#groups.delete(groupId);
    for (const groups of this.#pendingGroups.values()) groups.delete(groupId);
  }
}
