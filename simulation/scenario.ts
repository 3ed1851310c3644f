/**
 * What users of the simulation hand in: a topology, a workload and a check. The simulation brings the
 * rest: a broker, instances of the engine, a network between them, disks, time, and what goes wrong.
 */
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { KafkaClientOverOptions } from '../kafka/kafka-client.ts';
import type { KafkaClient, RecordToSend, TopicSpec } from '../kafka/ports.ts';
import type { KafkaStreams } from '../runtime/kafka-streams.ts';
import type { StreamsOptions } from '../runtime/streams-config.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import type { ReadRecord } from './topic-reader.ts';

export interface Scenario {
  readonly applicationId: string;
  /** What every instance runs. It may be the same one for all: a built topology is data. */
  topology(): BuiltTopology;
  /** The topics that must be there before the first instance starts; the engine makes its own. */
  readonly topics: readonly TopicSpec[];
  /** Options that all runs share; of those not given some are drawn from the seed. */
  readonly config?: Partial<StreamsOptions>;
  /** The broker's clock is right: where what is checked depends on the times in the log. */
  readonly isLogTimeSteady?: boolean;
  /** By so much a machine's wall clock may be wrong, either way. Default: 15 s. */
  readonly clockErrorMsMax?: number;
  /** The broker's configuration, under Kafka's own names, in place of what is drawn from the seed. */
  readonly broker?: Readonly<Record<string, string>>;
  /**
   * Once in the run an outsider deletes a changelog and creates it anew. Instances must refuse it; then an
   * operator resets the application to the beginning of its input. `Outcome.reset` tells of it.
   */
  readonly losesChangelog?: boolean;
  /** So long an instance stays away now and then, while others have its tasks; default: never. */
  readonly absenceMs?: readonly [min: number, max: number];
  /** Once per run, before anything happens. */
  begin(run: SimulatedRun): Workload;
  /** Called in every life of every instance, to look at it from inside. */
  watch?(streams: KafkaStreams, watch: Watch): void;
}

/** Where one scenario would be too slow for all, or too narrow: it is a function of the seed as well. */
export type ScenarioOfSeed = (seed: number) => Scenario;

export interface Watch {
  readonly clock: Clock;
  /** What must never be seen has been seen: the run fails with this sentence. */
  violated(sentence: string): void;
  count(what: string): void;
}

export interface SimulatedRun {
  /** Of this run alone: take all chance from it, and all time from the clock. */
  readonly random: Random;
  readonly clock: Clock;
  /** How long things go wrong: spread the input over it. */
  readonly faultsMs: number;
  /** So long an instance will be away, beginning within that time; 0: none will. */
  readonly absenceMs: number;
  /** Over the same bad network as the engine's. */
  readonly kafka: KafkaClient;
  /**
   * Sends one record with an idempotent producer, once: it is in the log, surely not, or nobody knows.
   * Rejects only when no later try could succeed.
   */
  send(topic: string, partition: number, record: RecordToSend): Promise<SendOutcome>;
  /** Counts something that a run should meet now and then; the tally shows it. */
  count(what: string): void;
}

export type SendOutcome = 'acknowledged' | 'not sent' | 'unknown';

export interface Workload {
  /** Sends the input while things go wrong; resolves when all of it has been taken or given up. */
  feed(): Promise<void>;
  /** After everything has drained and the instances have stopped. Every sentence is a violation. */
  check(outcome: Outcome): Promise<readonly string[]>;
}

export interface Outcome {
  /** Nothing goes wrong here any more. */
  readonly kafka: KafkaClient;
  /** What `kafka` is made of, for readers that speak the protocol themselves. */
  readonly access: KafkaClientOverOptions;
  /**
   * The application was begun anew: by partition of its input, how far it had come before. State is of
   * what came after; what was written before is still in the topics.
   */
  readonly reset: ReadonlyMap<string, number> | undefined;
  /** Every committed record, in order, by partition. */
  records(topic: string): Promise<readonly (readonly ReadRecord[])[]>;
  /** What the last owners of the tasks have left on their disks. */
  stores(): Promise<readonly StoreContent[]>;
}

export interface StoreContent {
  readonly store: string;
  readonly taskId: string;
  readonly partition: number;
  readonly instance: string;
  readonly entries: ReadonlyMap<unknown, unknown>;
}
