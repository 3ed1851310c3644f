/** When is everything done? When all input is committed, no transaction is open, and every task runs. */
import { isMillraceError } from '../base/errors.ts';
import { type KafkaClient, partitionKey, type TopicPartition } from '../kafka/ports.ts';
import { realNames } from '../runtime/assignment/topic-plan.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import type { EngineNode } from './nodes/engine-node.ts';
import type { OwnedTask } from './store-reader.ts';
import { partitionsIn } from './topic-reader.ts';

export class Drain {
  readonly #applicationId: string;
  readonly #kafka: KafkaClient;
  readonly #engines: readonly EngineNode[];
  /** By sub-topology: the topics it reads, as Kafka knows them. */
  readonly #sources: readonly (readonly string[])[];

  constructor(
    applicationId: string,
    topology: BuiltTopology,
    kafka: KafkaClient,
    engines: readonly EngineNode[],
  ) {
    this.#applicationId = applicationId;
    this.#kafka = kafka;
    this.#engines = engines;
    const realName = realNames(applicationId, topology);
    this.#sources = topology.subTopologies.map(({ sourceTopics }) => sourceTopics.map(realName));
  }

  owned(): OwnedTask[] {
    return this.#engines.flatMap((node) => node.activeTasks().map((taskId) => ({ taskId, node })));
  }

  /** What is not done yet; undefined = everything is. */
  async undrained(): Promise<string | undefined> {
    try {
      return await this.#undrained();
    } catch (error) {
      if (isMillraceError(error, 'KAFKA_UNAVAILABLE', 'KAFKA_RETRIABLE')) return error.message;
      throw error;
    }
  }

  /** Instances are looked at once more at the end: committed offsets take as long as transactions are open. */
  async #undrained(): Promise<string | undefined> {
    const unready = this.#unready();
    if (unready !== undefined) return unready;
    const partitions = await this.#partitions();
    const input = partitions.flatMap((each) => each.partitions);
    const undrained = (await this.#uncommitted(input)) ?? (await this.#openTransaction());
    return undrained ?? this.#unready() ?? this.#unowned(partitions);
  }

  #unready(): string | undefined {
    const sleeping = this.#engines.find(({ isRunning }) => !isRunning);
    if (sleeping !== undefined) return `${sleeping.name} is not running`;
    const unsure = this.#engines.find(({ awaitsOutcome }) => awaitsOutcome);
    return unsure && `${unsure.name} does not know what has become of its commit`;
  }

  #unowned(partitions: readonly { readonly taskCount: number }[]): string | undefined {
    const tasks = partitions.reduce((sum, each) => sum + each.taskCount, 0);
    const owned = this.owned();
    if (owned.length === tasks) return undefined;
    const told = owned.map(({ taskId, node }) => `${taskId} at ${node.name}`);
    return `of ${tasks} tasks run ${told.join(', ')}`;
  }

  /**
   * Of any topic: a marker that is still on its way to a changelog leaves its producer without an answer,
   * and whoever stops without one has not written to its stores what topics say.
   */
  async #openTransaction(): Promise<string | undefined> {
    const { admin } = this.#kafka;
    const partitions = partitionsIn(await admin.describeTopics(await admin.listTopics()));
    const ends = await admin.listOffsets(partitions, 'latest', 'read_uncommitted');
    const stable = await admin.listOffsets(partitions, 'latest', 'read_committed');
    for (const [key, { offset }] of ends) {
      if (stable.get(key)!.offset < offset) return `${key} has an open transaction`;
    }
    return undefined;
  }

  async #uncommitted(partitions: readonly TopicPartition[]): Promise<string | undefined> {
    const { admin } = this.#kafka;
    // Ends after positions: what had been committed by then has its outputs below these ends.
    const committed = await admin.committedOffsets(this.#applicationId, partitions, {
      requireStable: true,
    });
    const ends = await admin.listOffsets(partitions, 'latest', 'read_uncommitted');
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition);
      const end = ends.get(key)!.offset;
      const position = Math.max(0, committed.get(key)?.offset ?? 0);
      if (position < end) return `${key} is committed up to ${position} of ${end}`;
    }
    return undefined;
  }

  #partitions(): Promise<readonly { taskCount: number; partitions: TopicPartition[] }[]> {
    return Promise.all(
      this.#sources.map(async (topics) => {
        let taskCount = 0;
        const partitions: TopicPartition[] = [];
        for (const topic of topics) {
          const count = (await this.#kafka.partitionCount(topic)) ?? 0;
          taskCount = Math.max(taskCount, count);
          for (let partition = 0; partition < count; partition++) {
            partitions.push({ topic, partition });
          }
        }
        return { taskCount, partitions };
      }),
    );
  }
}
