/** The two ends of a topology under test: where a test writes records, and where it reads them. */
import { MillraceError } from '../../base/errors.ts';
import type { RecordHeaders, StreamRecord } from '../../topology/processor.ts';
import { type DriverRecord, decodeRecord, encodeRecord, type SerdePair } from './driver-record.ts';

export interface KeyValue<K, V> {
  readonly key: K;
  readonly value: V | null;
}

export interface InputTimes {
  /** Of the first record; default: the driver's wall clock when the record is piped. */
  readonly startTimestampMs?: number;
  /** Added after each record that was piped without a timestamp. Default 0. */
  readonly advanceMs?: number;
}

export interface InputTopicOptions<K, V> extends SerdePair<K, V>, InputTimes {
  readonly topic: string;
  readonly wallClockMs: () => number;
  /** Runs a record through the topology. */
  readonly pipe: (record: DriverRecord) => Promise<void>;
}

export class TestInputTopic<K, V> {
  readonly #options: InputTopicOptions<K, V>;
  #nextTimestampMs: number | undefined;

  constructor(options: InputTopicOptions<K, V>) {
    this.#options = options;
    this.#nextTimestampMs = options.startTimestampMs;
  }

  /** Resolves when everything that the record causes has happened. null = no key, or a tombstone. */
  async pipeInput(
    key: K | null,
    value: V | null,
    timestampMs: number = this.#takeTimestamp(),
    headers: readonly RecordHeaders[] = [],
  ): Promise<void> {
    const record = { key, value, timestampMs, headers };
    await this.#options.pipe(encodeRecord(this.#options.topic, record, this.#options));
  }

  async pipeKeyValueList(records: readonly (readonly [key: K, value: V | null])[]): Promise<void> {
    for (const [key, value] of records) await this.pipeInput(key, value);
  }

  async pipeRecordList(records: readonly StreamRecord<K | null, V | null>[]): Promise<void> {
    for (const { key, value, timestampMs, headers } of records) {
      await this.pipeInput(key, value, timestampMs, headers);
    }
  }

  /** Of the records to come that have no timestamp of their own. */
  advanceTime(durationMs: number): void {
    this.#nextTimestampMs = (this.#nextTimestampMs ?? this.#options.wallClockMs()) + durationMs;
  }

  #takeTimestamp(): number {
    const { advanceMs = 0, wallClockMs } = this.#options;
    const timestampMs = this.#nextTimestampMs ?? wallClockMs();
    if (this.#nextTimestampMs !== undefined || advanceMs !== 0) {
      this.#nextTimestampMs = timestampMs + advanceMs;
    }
    return timestampMs;
  }
}

/** Reads what the topology wrote to one topic, oldest first; what is read is gone. */
export class TestOutputTopic<K, V> {
  readonly #topic: string;
  readonly #serdes: SerdePair<K, V>;
  readonly #queue: () => DriverRecord[];

  constructor(topic: string, serdes: SerdePair<K, V>, queue: () => DriverRecord[]) {
    this.#topic = topic;
    this.#serdes = serdes;
    this.#queue = queue;
  }

  /** Throws INTERNAL when there is nothing to read. */
  readRecord(): StreamRecord<K | null, V | null> {
    const record = this.#queue().shift();
    if (record !== undefined) return decodeRecord(record, this.#serdes);
    throw new MillraceError('INTERNAL', `nothing more was written to ${this.#topic}`, {
      hint: 'Ask isEmpty() first.',
    });
  }

  readValue(): V | null {
    return this.readRecord().value;
  }

  readKeyValue(): KeyValue<K | null, V> {
    const { key, value } = this.readRecord();
    return { key, value };
  }

  readRecordsToList(): readonly StreamRecord<K | null, V | null>[] {
    return this.#drain();
  }

  readValuesToList(): readonly (V | null)[] {
    return this.#drain().map(({ value }) => value);
  }

  readKeyValuesToList(): readonly KeyValue<K | null, V>[] {
    return this.#drain().map(({ key, value }) => ({ key, value }));
  }

  /** The latest value of each key. Keys are compared as JavaScript does. */
  readKeyValuesToMap(): ReadonlyMap<K | null, V | null> {
    return new Map(this.#drain().map(({ key, value }) => [key, value]));
  }

  isEmpty(): boolean {
    return this.getQueueSize() === 0;
  }

  getQueueSize(): number {
    return this.#queue().length;
  }

  #drain(): StreamRecord<K | null, V | null>[] {
    return this.#queue()
      .splice(0)
      .map((record) => decodeRecord(record, this.#serdes));
  }
}
