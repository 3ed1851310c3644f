/**
 * Runs a whole topology in memory, record by record, without Kafka: every sub-topology as one task over
 * one partition, repartition topics looped back, records and state through their serdes, a wall clock
 * that moves when it is told to. Names as in Kafka.
 *
 * Piping is asynchronous because processors may be (walking a range is): await it, then read.
 */

import { MillraceError } from '../base/errors.ts';
import { ManualClock } from '../base/manual-clock.ts';
import type { Serde } from '../schemas/serde.ts';
import type { KeyValueStore } from '../stores/state-store.ts';
import type { StreamRecord } from '../topology/processor.ts';
import type { BuiltTopology, SinkNode, SubTopology } from '../topology/sub-topology.ts';
import type { Topology } from '../topology/topology.ts';
import { type DriverRecord, encodeRecord } from './test-driver/driver-record.ts';
import { DriverTask } from './test-driver/driver-task.ts';
import { type InputTimes, TestInputTopic, TestOutputTopic } from './test-driver/test-topics.ts';

/** Ends the test of a topology that feeds itself for ever. */
const LOOPED_RECORDS_MAX = 10_000;

export interface TopologyTestDriverOptions {
  /** Default `test`. */
  readonly applicationId?: string;
  /** Default 0: 1 January 1970. */
  readonly initialWallClockTimeMs?: number;
}

export class TopologyTestDriver {
  readonly #applicationId: string;
  readonly #clock: ManualClock;
  readonly #tasks: readonly DriverTask[];
  readonly #taskOfTopic = new Map<string, DriverTask>();
  readonly #repartitionTopics: ReadonlySet<string>;
  readonly #outputs = new Map<string, DriverRecord[]>();
  readonly #offsets = new Map<string, number>();
  readonly #unprepared: (() => Promise<void> | undefined)[] = [];
  readonly #droppedRecords = new Map<string, number>();
  /** Written to topics that the topology reads, not processed yet. */
  #looped: DriverRecord[] = [];
  #running = false;

  constructor(topology: Topology, options: TopologyTestDriverOptions = {}) {
    const { applicationId = 'test', initialWallClockTimeMs = 0 } = options;
    this.#applicationId = applicationId;
    this.#clock = new ManualClock(initialWallClockTimeMs);
    const built = topology.build();
    this.#repartitionTopics = repartitionTopics(built);
    this.#tasks = built.subTopologies.map((subTopology) => this.#startTask(subTopology));
  }

  createInputTopic<K, V>(
    topic: string,
    keySerde: Serde<K>,
    valueSerde: Serde<V>,
    times: InputTimes = {},
  ): TestInputTopic<K, V> {
    if (!this.#taskOfTopic.has(topic)) {
      throw new MillraceError('TOPOLOGY_INVALID', `the topology does not read ${topic}`, {
        hint: `It reads ${[...this.#taskOfTopic.keys()].join(', ')}.`,
      });
    }
    this.#prepareLater(topic, keySerde, valueSerde);
    const wallClockMs = () => this.#clock.nowMs();
    const pipe = (record: DriverRecord) => this.#alone(() => this.#pipe(record));
    return new TestInputTopic({ topic, keySerde, valueSerde, ...times, wallClockMs, pipe });
  }

  /** A repartition topic has its full name, `<application id>-<name>-repartition`. */
  createOutputTopic<K, V>(
    topic: string,
    keySerde: Serde<K>,
    valueSerde: Serde<V>,
  ): TestOutputTopic<K, V> {
    this.#prepareLater(topic, keySerde, valueSerde);
    const queue = () => this.#outputs.get(topic) ?? [];
    return new TestOutputTopic(topic, { keySerde, valueSerde }, queue);
  }

  /** Fires what falls due, each schedule at most once: advance in steps to see every tick. */
  async advanceWallClockTime(durationMs: number): Promise<void> {
    this.#clock.advance(durationMs);
    await this.#alone(async () => {
      for (const task of this.#tasks) await task.punctuateWallClock();
      await this.#processLooped();
    });
  }

  /** Throws STORE_UNKNOWN. */
  getKeyValueStore<K, V>(name: string): KeyValueStore<K, V> {
    const store = this.getAllStateStores().get(name);
    if (store !== undefined) return store as KeyValueStore<K, V>;
    throw new MillraceError('STORE_UNKNOWN', `the topology has no store ${name}`);
  }

  getAllStateStores(): ReadonlyMap<string, KeyValueStore<unknown, unknown>> {
    return new Map(this.#tasks.flatMap((task) => [...task.stores()]));
  }

  /** Full names of the topics that something was written to. */
  producedTopicNames(): ReadonlySet<string> {
    return new Set(this.#outputs.keys());
  }

  /** Records that nodes left out on purpose, by reason. */
  droppedRecords(): ReadonlyMap<string, number> {
    return this.#droppedRecords;
  }

  async close(): Promise<void> {
    for (const task of this.#tasks) await task.close();
  }

  #startTask(subTopology: SubTopology): DriverTask {
    const task = new DriverTask(subTopology, {
      applicationId: this.#applicationId,
      clock: this.#clock,
      produce: (sink, record) => this.#produce(sink, record),
      recordDropped: (_, reason) => {
        this.#droppedRecords.set(reason, (this.#droppedRecords.get(reason) ?? 0) + 1);
      },
    });
    for (const topic of subTopology.sourceTopics) this.#taskOfTopic.set(topic, task);
    for (const { name, keySerde, valueSerde } of subTopology.stores) {
      this.#prepareLater(this.#fullName(`${name}-changelog`, true), keySerde, valueSerde);
    }
    for (const node of subTopology.nodes) {
      if (node.kind === 'processor') continue;
      const topics = node.kind === 'source' ? node.topics : [node.topic];
      for (const topic of topics) {
        if (typeof topic !== 'string') continue;
        this.#prepareLater(this.#fullName(topic), node.keySerde, node.valueSerde);
      }
    }
    return task;
  }

  async #pipe(record: DriverRecord): Promise<void> {
    this.#looped.push(record);
    await this.#processLooped();
  }

  /** Whatever a record causes in other sub-topologies, until nothing is left. */
  async #processLooped(): Promise<void> {
    let count = 0;
    for (let record = this.#looped.shift(); record !== undefined; record = this.#looped.shift()) {
      if (++count > LOOPED_RECORDS_MAX) throw goesRound(record.topic);
      const offset = this.#offsets.get(record.topic) ?? 0;
      this.#offsets.set(record.topic, offset + 1);
      await this.#taskOfTopic.get(record.topic)?.process(record, offset);
    }
  }

  #produce(sink: SinkNode, record: StreamRecord<unknown, unknown>): void {
    const topic = typeof sink.topic === 'string' ? sink.topic : sink.topic(record);
    checkPartition(sink, topic, record);
    const produced = encodeRecord(topic, record, sink);
    const fullName = this.#fullName(topic);
    const output = this.#outputs.get(fullName);
    if (output === undefined) this.#outputs.set(fullName, [produced]);
    else output.push(produced);
    if (this.#taskOfTopic.has(topic)) this.#looped.push(produced);
  }

  #fullName(topic: string, isInternal = this.#repartitionTopics.has(topic)): string {
    return isInternal ? `${this.#applicationId}-${topic}` : topic;
  }

  #prepareLater(topic: string, keySerde: Serde<unknown>, valueSerde: Serde<unknown>): void {
    this.#unprepared.push(() => keySerde.prepare?.(topic, 'key'));
    this.#unprepared.push(() => valueSerde.prepare?.(topic, 'value'));
  }

  /** A record at a time; after a failure nothing of it is left to come up in the next one. */
  async #alone(run: () => Promise<void>): Promise<void> {
    if (this.#running) {
      throw new MillraceError('STREAMS_STATE', 'the driver is still busy with the record before', {
        hint: 'Await pipeInput() and advanceWallClockTime().',
      });
    }
    this.#running = true;
    try {
      for (const prepare of this.#unprepared.splice(0)) await prepare();
      await run();
    } finally {
      this.#running = false;
      this.#looped = [];
    }
  }
}

/** The driver's topics have one partition; the partitioner is asked all the same. */
function checkPartition(
  { name, partitioner }: SinkNode,
  topic: string,
  { key, value }: StreamRecord<unknown, unknown>,
): void {
  const place = { topic, key, value, partitionCount: 1, taskPartition: 0 };
  const partition = partitioner?.(place) ?? 0;
  if (partition === 0) return;
  throw new MillraceError(
    'SERIALIZATION',
    `the partitioner of ${name} chose partition ${partition} of a topic that has one`,
  );
}

function goesRound(topic: string): MillraceError {
  return new MillraceError(
    'TOPOLOGY_INVALID',
    `one record caused more than ${LOOPED_RECORDS_MAX} others; the last one went to ${topic}`,
    { hint: 'The topology writes to a topic that leads back to itself.' },
  );
}

function repartitionTopics({ subTopologies }: BuiltTopology): ReadonlySet<string> {
  return new Set(
    subTopologies.flatMap(({ repartitionSources }) => repartitionSources.map(({ name }) => name)),
  );
}
