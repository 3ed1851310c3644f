/**
 * An outsider deletes a changelog and creates it anew, whatever the instances are doing; in some runs
 * only the first, and an instance makes the second of it. What the topic held is gone, so that there is
 * one right answer: whoever starts a task that had committed refuses with LOG_LOST, and no such task
 * runs. Then an operator resets the application: offsets to the beginning, all changelogs gone, while
 * the disks keep their old stores, and of those nothing may be used.
 */
import { isMillraceError } from '../../base/errors.ts';
import { type KafkaClient, partitionKey, type TopicPartition } from '../../kafka/ports.ts';
import { changelogTopic, realNames, taskId } from '../../runtime/assignment/topic-plan.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import type { EngineNode } from '../nodes/engine-node.ts';
import { partitionsIn } from '../topic-reader.ts';
import type { World } from '../world/world.ts';

export interface ChangelogLossParts {
  readonly world: World;
  readonly applicationId: string;
  readonly topology: BuiltTopology;
  /** Of whoever sees the broker whatever the network is like. */
  readonly kafka: KafkaClient;
  readonly engines: readonly EngineNode[];
}

const REFUSED = 'LOG_LOST';
const RETRY_MS = 50;
const POLL_MS = 100;
const STOP_MS = 5_000;
/** Of the losses: nobody but the engine creates the topic again. */
const LEFT_TO_THE_ENGINE = 0.3;
const OPERATOR = { memberId: '', generation: -1, groupInstanceId: null } as const;

export class ChangelogLoss {
  readonly #parts: ChangelogLossParts;
  /** Tasks that had committed when the changelog of one of their stores was deleted. */
  #lostTasks: ReadonlySet<string> = new Set();
  /** That was deleted. */
  #topic: string | undefined;

  constructor(parts: ChangelogLossParts) {
    this.#parts = parts;
  }

  /** A changelog was deleted. */
  get hasStruck(): boolean {
    return this.#topic !== undefined;
  }

  /** Chooses a changelog that is there by then. */
  async strike(afterMs: number): Promise<void> {
    const { world, kafka } = this.#parts;
    await world.supervisor.clock.sleep(afterMs);
    const changelogs = await this.#patiently(() => this.#changelogs());
    if (changelogs.length === 0) return;
    const topic = world.oneOf(changelogs);
    const isLeft = world.chance(LEFT_TO_THE_ENGINE);
    const configs = Object.fromEntries(
      await this.#patiently(() => kafka.admin.topicConfigs(topic)),
    );
    const partitions = await this.#patiently(() => kafka.partitionCount(topic));
    this.#lostTasks = await this.#patiently(() => this.#committedTasks(topic));
    this.#topic = topic;
    await this.#patiently(() => kafka.admin.deleteTopics([topic]));
    world.count(isLeft ? 'changelog deleted' : 'changelog created anew');
    world.note(world.supervisor, `${topic} deleted`);
    if (isLeft || partitions === undefined) return;
    const spec = { name: topic, partitions, replicationFactor: 1, configs };
    await this.#patiently(() => kafka.admin.createTopics([spec]));
  }

  /** Everything is stopped and started again: every task that starts now must see it. By that time at last. */
  async judge(untilMs: number, watchMs: number): Promise<string | undefined> {
    if (this.#lostTasks.size === 0) return undefined;
    const { world, engines } = this.#parts;
    await this.#stopAll();
    const before = this.#refusals();
    for (const engine of engines) engine.release();
    let endMs = untilMs;
    while (world.nowMs <= endMs) {
      const running = this.#runningLost();
      if (running !== undefined) return `${running} runs, though its changelog was created anew`;
      if (this.#refusals() > before) endMs = Math.min(endMs, world.nowMs + watchMs);
      await world.supervisor.clock.sleep(POLL_MS);
    }
    if (this.#refusals() > before) {
      world.count('recreated changelog refused');
      return undefined;
    }
    return `nobody refuses ${[...this.#lostTasks].join(', ')}, whose changelog was created anew`;
  }

  /** Where the input stood, by partition; undefined when nothing was lost. Everything is started again. */
  async reset(): Promise<ReadonlyMap<string, number> | undefined> {
    if (this.#topic === undefined) return undefined;
    const { kafka, applicationId, engines } = this.#parts;
    await this.#stopAll();
    const input = await this.#patiently(() => this.#input());
    const committed = await this.#patiently(() =>
      kafka.admin.committedOffsets(applicationId, input, { requireStable: true }),
    );
    await this.#patiently(async () => kafka.admin.deleteTopics(await this.#changelogs()));
    const beginning = new Map(
      input.map((each) => [
        partitionKey(each.topic, each.partition),
        { ...each, offset: 0, leaderEpoch: -1, metadata: '' },
      ]),
    );
    await this.#patiently(() =>
      kafka.admin.commitOffsets({ ...OPERATOR, groupId: applicationId }, beginning),
    );
    for (const engine of engines) engine.release();
    return new Map([...committed].map(([key, { offset }]) => [key, Math.max(0, offset)]));
  }

  async #stopAll(): Promise<void> {
    const { world, engines } = this.#parts;
    await Promise.all(
      engines.map(async (engine) => {
        await Promise.race([engine.stop(), world.supervisor.clock.sleep(STOP_MS)]);
        engine.hold();
      }),
    );
  }

  #refusals(): number {
    return this.#parts.world.counters.get(`engine ended: ${REFUSED}`) ?? 0;
  }

  #runningLost(): string | undefined {
    return this.#parts.engines
      .flatMap((engine) => engine.runningTasks())
      .find((id) => this.#lostTasks.has(id));
  }

  async #changelogs(): Promise<string[]> {
    const { kafka, applicationId, topology } = this.#parts;
    const stores = topology.subTopologies.flatMap(({ stores }) => stores);
    const wanted = new Set(stores.map(({ name }) => changelogTopic(applicationId, name)));
    return (await kafka.admin.listTopics()).filter((name) => wanted.has(name));
  }

  /** Those that keep state in this changelog and have committed. */
  async #committedTasks(changelog: string): Promise<ReadonlySet<string>> {
    const { kafka, applicationId, topology } = this.#parts;
    const { id } = topology.subTopologies.find(({ stores }) =>
      stores.some(({ name }) => changelogTopic(applicationId, name) === changelog),
    )!;
    const input = await this.#input(id);
    const committed = await kafka.admin.committedOffsets(applicationId, input, {
      requireStable: false,
    });
    const done = input.filter(
      ({ topic, partition }) => (committed.get(partitionKey(topic, partition))?.offset ?? -1) >= 0,
    );
    return new Set(done.map(({ partition }) => taskId(id, partition)));
  }

  /** Of one sub-topology, or of all. */
  async #input(subTopologyId?: number): Promise<TopicPartition[]> {
    const { kafka, applicationId, topology } = this.#parts;
    const topics = topology.subTopologies
      .filter(({ id }) => subTopologyId === undefined || id === subTopologyId)
      .flatMap(({ sourceTopics }) => sourceTopics)
      .map(realNames(applicationId, topology));
    return partitionsIn(await kafka.admin.describeTopics(topics));
  }

  /** The broker may be down, or on its way. A group's members stay for a session, though they are gone. */
  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isMillraceError(error, 'KAFKA_UNAVAILABLE', 'KAFKA_RETRIABLE', 'KAFKA_FENCED')) {
          throw error;
        }
        await this.#parts.world.supervisor.clock.sleep(RETRY_MS);
      }
    }
  }
}
