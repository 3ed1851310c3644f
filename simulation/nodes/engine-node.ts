/** The machine of one engine instance, and one life of its process after the other, as a supervisor starts them. */
import type { Clock } from '../../base/clock.ts';
import { isMillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { createKafkaClientOver } from '../../kafka/kafka-client.ts';
import type { KafkaClient } from '../../kafka/ports.ts';
import type { BrokerConnector } from '../../kafka/wire.ts';
import { KafkaStreams } from '../../runtime/kafka-streams.ts';
import type { StreamsOptions } from '../../runtime/streams-config.ts';
import type { BytesStoreEngine } from '../../stores/bytes-store.ts';
import type { BuiltTopology } from '../../topology/sub-topology.ts';
import { BROKER_ADDRESS, type Network } from '../network/network.ts';
import type { Scenario } from '../scenario.ts';
import { Process } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { watchedPositions } from './position-watch.ts';
import { StoreMachine } from './store-machine.ts';

/** What a planted bug may put between the engine and its world. */
export interface EngineMutation {
  config?(config: StreamsOptions): StreamsOptions;
  clock?(clock: Clock, process: Process): Clock;
  connector?(connector: BrokerConnector, process: Process): BrokerConnector;
  client?(client: KafkaClient, process: Process): KafkaClient;
  storeEngine?(engine: BytesStoreEngine, process: Process): BytesStoreEngine;
  topology?(topology: BuiltTopology, process: Process): BuiltTopology;
}

export interface EngineNodeOptions {
  readonly name: string;
  readonly network: Network;
  readonly config: StreamsOptions;
  readonly threads: number;
  readonly topology: () => BuiltTopology;
  readonly mutation?: EngineMutation;
  /** It has ended with what no fault explains. */
  readonly onFailure: (name: string, error: Error) => void;
  /** Something has been seen that must never be. */
  readonly onViolation: (sentence: string) => void;
  readonly watch?: Scenario['watch'];
}

const RESTART_MS = 200;
/** A death with one of these is never the world's fault. */
const BUGS = [
  'INTERNAL',
  'unknown',
  'TOPOLOGY_INVALID',
  'CONFIG_INVALID',
  'KAFKA_PROTOCOL',
  'RECORD_CORRUPT',
];

export class EngineNode {
  readonly name: string;
  readonly machine: StoreMachine;
  readonly #options: EngineNodeOptions;
  readonly #world: World;
  #process: Process | undefined;
  #streams: KafkaStreams | undefined;
  #lives = 0;
  #isStopping = false;
  #isHeld = false;

  constructor(options: EngineNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.#world = options.network.world;
    this.machine = new StoreMachine(this.#world);
  }

  get process(): Process | undefined {
    return this.#process;
  }

  get isRunning(): boolean {
    return this.#process?.isAlive === true && this.#streams?.state() === 'RUNNING';
  }

  /** Who stops now does not write to its stores what it may have committed. */
  get awaitsOutcome(): boolean {
    return this.#process !== undefined && this.#options.network.awaitsOutcome(this.#process);
  }

  start(): void {
    const name = `${this.name}.${++this.#lives}`;
    const process = new Process(this.#world, name, this.machine.wallClock);
    this.#process = process;
    this.#isStopping = false;
    this.#streams = undefined;
    const { config, mutation = {} } = this.#options;
    const machine = this.machine.engineFor(process);
    const storeEngine = watchedPositions(
      mutation.storeEngine?.(machine, process) ?? machine,
      (sentence) => this.#violated(process, sentence),
    );
    this.#world.schedule(
      process,
      0,
      () => {
        const streams = new KafkaStreams({
          config: { ...(mutation.config?.(config) ?? config), numStreamThreads: 0 },
          topology:
            mutation.topology?.(this.#options.topology(), process) ?? this.#options.topology(),
          threadsInLoop: this.#options.threads,
          connection: { kind: 'tcp', brokers: [], clientId: this.name },
          createClient: () => this.#client(process),
          storeEngine,
          clock: mutation.clock?.(process.clock, process) ?? process.clock,
          random: process.random,
          log: this.#log(process),
        });
        this.#streams = streams;
        this.#options.watch?.(streams, {
          clock: process.clock,
          violated: (sentence) => this.#violated(process, sentence),
          count: (what) => this.#world.count(what),
        });
        streams.onStateChange((state) => {
          if (!process.effect(state)) return;
          this.#world.note(process, state);
          if (state === 'ERROR') this.#died(process, streams.failure());
        });
        streams.start().catch((error) => {
          if (!this.#isStopping) this.#died(process, error as Error);
        });
      },
      'starts',
    );
  }

  /** kill -9, or the power of its machine fails. */
  kill(isPowerLost: boolean): void {
    this.#process?.kill();
    if (isPowerLost) this.machine.losePower();
  }

  /** The supervisor: whatever ended is started again. */
  ensureStarted(): void {
    if (this.#isHeld) return;
    if (this.#process === undefined || !this.#process.isAlive) this.start();
  }

  /** Ends what runs; nothing starts it again before release(). */
  hold(): void {
    this.#isHeld = true;
    this.kill(false);
  }

  release(): void {
    this.#isHeld = false;
    this.ensureStarted();
  }

  /** Ids of the tasks that are at work here, or are to be. */
  activeTasks(): readonly string[] {
    return this.#active().map(({ taskId }) => taskId);
  }

  /** Ids of those that take input. */
  runningTasks(): readonly string[] {
    const running = this.#active().filter(({ status }) => status === 'running');
    return running.map(({ taskId }) => taskId);
  }

  #active(): ReturnType<KafkaStreams['tasks']> {
    if (this.#process?.isAlive !== true) return [];
    return this.#streams?.tasks().filter(({ role }) => role === 'active') ?? [];
  }

  /** An orderly stop. */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    return (await this.#streams?.close()) ?? true;
  }

  #client(process: Process): KafkaClient {
    const { network, mutation = {} } = this.#options;
    const connector = network.connector(process, this.name, this.name);
    const client = createKafkaClientOver({
      connector: mutation.connector?.(connector, process) ?? connector,
      bootstrap: [BROKER_ADDRESS],
      clientId: this.name,
      clock: mutation.clock?.(process.clock, process) ?? process.clock,
      random: process.random,
      log: this.#log(process),
    });
    return mutation.client?.(client, process) ?? client;
  }

  #violated(process: Process, sentence: string): void {
    if (process.isAlive) this.#options.onViolation(`${process.name}: ${sentence}`);
  }

  #died(process: Process, error: Error | undefined): void {
    if (!process.isAlive) return;
    const code = codeOf(error);
    this.#world.count(`engine ended: ${code}`);
    this.#world.trace?.(`${' '.repeat(11)} ${process.name} ended: ${error?.stack}`);
    if (BUGS.includes(code)) {
      this.#options.onFailure(this.name, error ?? new Error('ended without an error'));
    }
    process.kill();
    this.#world.schedule(this.#world.supervisor, RESTART_MS, () => this.ensureStarted());
  }

  #log(process: Process): Log {
    const tell = (facts: Readonly<Record<string, unknown>>, message: string) => {
      if (this.#world.trace === undefined || !process.isAlive) return;
      const error = (facts['err'] ?? facts['error']) as Error | undefined;
      this.#world.trace(`${' '.repeat(11)} ${process.name} "${message}" ${error?.message ?? ''}`);
    };
    const log: Log = { debug: () => {}, info: tell, warn: tell, error: tell, child: () => log };
    return log;
  }
}

/** Of the error, or of what caused it where it is not one of ours. */
function codeOf(error: unknown): string {
  if (isMillraceError(error)) return error.code;
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : 'unknown';
}
