/**
 * All topics of the broker: what exists, with which configuration, and the partitions themselves.
 * Order of effects: partitions exist before the metadata file names them, and are removed after it
 * has forgotten them, so that whatever a crash leaves is either known or removed at the next start.
 */
import type { Clock } from '../../base/clock.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { Journal } from '../log/journal.ts';
import { RecentBytesBudget } from '../log/recent-bytes.ts';
import { Syncer } from '../log/syncer.ts';
import type { Disk, ErrorCodeNumber, Topic, TopicManager } from '../ports.ts';
import { maintainPartition } from './maintenance.ts';
import { type PartitionEnvironment, SegmentedPartition } from './partition.ts';
import { effectiveConfig, TOPIC_CONFIGS, type TopicConfig } from './topic-config.ts';
import {
  type ConfigChange,
  changeConfigs,
  type Refusal,
  refusePartitionCount,
  refuseTopicName,
} from './topic-rules.ts';
import { type SavedTopic, TopicStore } from './topic-store.ts';

export interface TopicManagerOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The disk failed in a way that leaves it unknown what is durable: the broker must stop. */
  readonly onFailure: (error: MillraceError) => void;
  /** Memory for the newest bytes of all partitions. Default 64 MiB. */
  readonly recentBytesMax?: number;
  /** fdatasync calls at a time. Default 4. */
  readonly parallelSyncs?: number;
  /** Kafka's producer.id.expiration.ms. Default 1 day. */
  readonly producerIdExpirationMs?: number;
}

const DAY_MS = 86_400_000;

/** Opens everything that is on the disk. Rejects with STORE_CORRUPT or STORE_IO. */
export async function openTopicManager(options: TopicManagerOptions): Promise<TopicManager> {
  const manager = new SegmentedTopicManager(options);
  await manager.open();
  return manager;
}

class ManagedTopic implements Topic {
  readonly name: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: SegmentedPartition[] = [];
  configs: ReadonlyMap<string, string>;
  config: TopicConfig;

  constructor(
    name: string,
    topicId: string,
    isInternal: boolean,
    configs: ReadonlyMap<string, string>,
  ) {
    this.name = name;
    this.topicId = topicId;
    this.isInternal = isInternal;
    this.configs = configs;
    this.config = effectiveConfig(configs);
  }

  setConfigs(configs: ReadonlyMap<string, string>): void {
    this.configs = configs;
    this.config = effectiveConfig(configs);
  }

  saved(): SavedTopic {
    return {
      name: this.name,
      topicId: this.topicId,
      isInternal: this.isInternal,
      partitions: this.partitions.length,
      configs: Object.fromEntries(this.configs),
    };
  }
}

class SegmentedTopicManager implements TopicManager {
  readonly #options: TopicManagerOptions;
  readonly #store: TopicStore;
  readonly #environment: PartitionEnvironment;
  readonly #topics = new Map<string, ManagedTopic>();
  readonly #topicsById = new Map<string, ManagedTopic>();
  #maintenance: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: TopicManagerOptions) {
    this.#options = options;
    this.#store = new TopicStore(options.disk);
    const { leaderEpoch, isCleanlyClosed } = this.#store.load();
    this.#environment = {
      disk: options.disk,
      clock: options.clock,
      log: options.log,
      budget: new RecentBytesBudget(options.recentBytesMax ?? 64 * 1024 * 1024),
      syncer: new Syncer({
        journal: new Journal(options.disk),
        parallelMax: options.parallelSyncs ?? 4,
        onFailure: (error) => this.#fail(error),
      }),
      leaderEpoch: isCleanlyClosed ? leaderEpoch : leaderEpoch + 1,
    };
  }

  async open(): Promise<void> {
    const { topics } = this.#store.load();
    this.#store.removeUnknown(topics);
    for (const saved of topics) {
      const configs = new Map(Object.entries(saved.configs));
      const topic = new ManagedTopic(saved.name, saved.topicId, saved.isInternal, configs);
      for (let index = 0; index < saved.partitions; index++) {
        topic.partitions.push(this.#openPartition(topic, index));
      }
      this.#register(topic);
    }
    const partitions = [...this.#topics.values()].flatMap((topic) => topic.partitions);
    await Promise.all(partitions.map((partition) => partition.settle()));
    await this.#environment.syncer.clearJournal();
    this.#save();
  }

  topic(name: string): ManagedTopic | undefined {
    return this.#topics.get(name);
  }

  topicById(topicId: string): ManagedTopic | undefined {
    return this.#topicsById.get(topicId);
  }

  topics(): readonly ManagedTopic[] {
    return [...this.#topics.values()];
  }

  partition(topic: string, partition: number): SegmentedPartition | undefined {
    return this.#topics.get(topic)?.partitions[partition];
  }

  createTopic(spec: {
    readonly name: string;
    readonly partitions: number;
    readonly configs: ReadonlyMap<string, string>;
    readonly isInternal?: boolean;
    readonly validateOnly?: boolean;
  }): { readonly error: ErrorCodeNumber; readonly errorMessage?: string; readonly topic?: Topic } {
    const refusal =
      refuseTopicName(spec.name, this.#topics.keys()) ?? refusePartitionCount(spec.partitions);
    if (refusal !== undefined) return refusal;
    const configs = changeConfigs(new Map(), setAll(spec.configs));
    if (configs.kind === 'refused') return configs.refusal;
    if (spec.validateOnly === true) return { error: Errors.NONE };
    const topicId = this.#options.random.uuid().replaceAll('-', '');
    const topic = new ManagedTopic(spec.name, topicId, spec.isInternal === true, configs.configs);
    const failure = this.#tryToStore(
      () => {
        this.#growTo(topic, spec.partitions);
        this.#register(topic);
        this.#save();
      },
      () => this.#discard(topic),
    );
    return failure ?? { error: Errors.NONE, topic };
  }

  deleteTopic(name: string): ErrorCodeNumber {
    const topic = this.#topics.get(name);
    if (topic === undefined) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
    this.#unregister(topic);
    const failure = this.#tryToStore(
      () => this.#save(),
      () => this.#register(topic),
    );
    if (failure !== undefined) return failure.error;
    this.#discard(topic);
    return Errors.NONE;
  }

  addPartitions(
    name: string,
    totalCount: number,
  ): { readonly error: ErrorCodeNumber; readonly errorMessage?: string } {
    const topic = this.#topics.get(name);
    if (topic === undefined) return unknownTopic(name);
    const before = topic.partitions.length;
    if (totalCount <= before) {
      const errorMessage = `Topic currently has ${before} partitions, which is not fewer than the requested ${totalCount}.`;
      return { error: Errors.INVALID_PARTITIONS, errorMessage };
    }
    const refusal = refusePartitionCount(totalCount);
    if (refusal !== undefined) return refusal;
    const failure = this.#tryToStore(
      () => {
        this.#growTo(topic, totalCount);
        this.#save();
      },
      () => {
        for (const partition of topic.partitions.splice(before)) {
          partition.abandon(closed());
          this.#store.removePartition(topic.topicId, partition.partition);
        }
      },
    );
    return failure ?? { error: Errors.NONE };
  }

  alterConfigs(
    name: string,
    changes: readonly ConfigChange[],
    validateOnly: boolean,
  ): { readonly error: ErrorCodeNumber; readonly errorMessage?: string } {
    const topic = this.#topics.get(name);
    if (topic === undefined) return unknownTopic(name);
    const changed = changeConfigs(topic.configs, changes);
    if (changed.kind === 'refused') return changed.refusal;
    if (validateOnly) return { error: Errors.NONE };
    const before = topic.configs;
    topic.setConfigs(changed.configs);
    const failure = this.#tryToStore(
      () => this.#save(),
      () => topic.setConfigs(before),
    );
    return failure ?? { error: Errors.NONE };
  }

  configOf(
    name: string,
  ): readonly { readonly name: string; readonly value: string; readonly isDefault: boolean }[] {
    const topic = this.#topics.get(name);
    if (topic === undefined) return [];
    return [...TOPIC_CONFIGS.values()].map((definition) => ({
      name: definition.name,
      value: topic.configs.get(definition.name) ?? definition.defaultValue,
      isDefault: !topic.configs.has(definition.name),
    }));
  }

  /** A round that is under way is waited for instead of starting a second one beside it. */
  maintain(): Promise<void> {
    this.#maintenance ??= this.#maintainAll().finally(() => {
      this.#maintenance = undefined;
    });
    return this.#maintenance;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#maintenance;
    const partitions = this.topics().flatMap((topic) => topic.partitions);
    await Promise.all(partitions.map((partition) => partition.close()));
    await this.#environment.syncer.clearJournal();
    if (this.#environment.syncer.failure === undefined) this.#save();
  }

  async #maintainAll(): Promise<void> {
    const producerIdExpirationMs = this.#options.producerIdExpirationMs ?? DAY_MS;
    for (const partition of this.topics().flatMap((topic) => topic.partitions)) {
      if (this.#isClosed || this.#environment.syncer.failure !== undefined) return;
      await maintainPartition(partition, {
        ...this.#environment,
        producerIdExpirationMs,
        isClosing: () => this.#isClosed,
      });
    }
  }

  #openPartition(topic: ManagedTopic, index: number): SegmentedPartition {
    return new SegmentedPartition(this.#environment, {
      topic: topic.name,
      partition: index,
      directory: this.#store.partitionDirectory(topic.topicId, index),
      config: () => topic.config,
    });
  }

  #growTo(topic: ManagedTopic, count: number): void {
    while (topic.partitions.length < count) {
      const partition = this.#openPartition(topic, topic.partitions.length);
      topic.partitions.push(partition);
      // A new partition has nothing to wait for.
      void partition.settle();
    }
  }

  #register(topic: ManagedTopic): void {
    this.#topics.set(topic.name, topic);
    this.#topicsById.set(topic.topicId, topic);
  }

  #unregister(topic: ManagedTopic): void {
    this.#topics.delete(topic.name);
    this.#topicsById.delete(topic.topicId);
  }

  #discard(topic: ManagedTopic): void {
    this.#unregister(topic);
    for (const partition of topic.partitions) partition.abandon(closed());
    this.#store.removeTopic(topic.topicId);
  }

  #save(): void {
    this.#store.save({
      leaderEpoch: this.#environment.leaderEpoch,
      isCleanlyClosed: this.#isClosed,
      topics: [...this.#topics.values()].map((topic) => topic.saved()),
    });
  }

  /** Runs `action`; when the disk refuses, undoes it and gives the answer for the client. */
  #tryToStore(action: () => void, undo: () => void): Refusal | undefined {
    try {
      action();
      return undefined;
    } catch (error) {
      if (!isMillraceError(error, 'STORE_DISK_FULL', 'STORE_IO')) throw error;
      this.#options.log.error({ error }, 'topics could not be changed');
      undo();
      return { error: Errors.KAFKA_STORAGE_ERROR, errorMessage: error.message };
    }
  }

  #fail(error: MillraceError): void {
    this.#options.log.error({ error }, 'the disk failed: the broker stops');
    for (const topic of this.#topics.values()) {
      for (const partition of topic.partitions) partition.abandon(error);
    }
    this.#options.onFailure(error);
  }
}

function setAll(configs: ReadonlyMap<string, string>): ConfigChange[] {
  return [...configs].map(([name, value]) => ({ name, operation: 'set', value }));
}

function unknownTopic(name: string): Refusal {
  return { error: Errors.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: `Topic ${name} is unknown.` };
}

function closed(): MillraceError {
  return new MillraceError('STORE_CLOSED', 'the topic was deleted');
}
