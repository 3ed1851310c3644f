/**
 * Starts the embedded broker in a thread of its own, and is how the rest of the process reaches it.
 */
import { MessageChannel, Worker } from 'node:worker_threads';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { KafkaConnection } from '../../kafka/connection.ts';
import type { BrokerAddress } from '../../kafka/wire.ts';
import {
  type FromWorker,
  fromPosted,
  type ToWorker,
  type WorkerOptions,
} from './worker-messages.ts';

export interface EmbeddedBrokerOptions {
  readonly dataDirectory: string;
  /** Where others may come in by TCP; null = nobody. Port 0 = any free one. */
  readonly listen: BrokerAddress | null;
  /** Where clients by TCP are told to come; null or left out = to the address they have reached. */
  readonly advertised?: BrokerAddress | null;
  /** Kafka's own names; see ../broker-config.ts. */
  readonly config: Readonly<Record<string, string>>;
  readonly log: Log;
}

export interface EmbeddedBroker {
  /** Where it listens; null when it does not. */
  readonly address: BrokerAddress | null;
  readonly clusterId: string;
  /** A connection for one user; its port may be transferred to another thread. */
  connectionFor(clientId: string): KafkaConnection;
  stop(): Promise<void>;
  /** Called once if the broker ends without having been stopped. */
  onExit(listener: (error: MillraceError) => void): void;
}

/** Requests and answers die young: more room for them costs memory and saves nothing. */
const YOUNG_GENERATION_MB = 24;

/** Rejects with STATE_DIR_LOCKED, STATE_DIR_UNUSABLE, PORT_TAKEN, CONFIG_INVALID or what recovery says. */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const { dataDirectory, listen, advertised = null, config } = options;
  const workerData: WorkerOptions = { dataDirectory, listen, advertised, config };
  const broker = new BrokerWorker(
    new Worker(new URL('./worker.ts', import.meta.url), {
      workerData,
      name: 'embedded-kafka',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    }),
    options.log,
  );
  await broker.started;
  return broker;
}

type Phase = 'starting' | 'running' | 'stopping' | 'ended';

class BrokerWorker implements EmbeddedBroker {
  readonly started: Promise<void>;
  readonly #worker: Worker;
  readonly #log: Log;
  readonly #listeners: ((error: MillraceError) => void)[] = [];
  readonly #ended: Promise<unknown>;
  #phase: Phase = 'starting';
  #failure: MillraceError | undefined;
  #address: BrokerAddress | null = null;
  #clusterId = '';

  constructor(worker: Worker, log: Log) {
    this.#worker = worker;
    this.#log = log;
    worker.on('error', (error) => {
      this.#failure ??= new MillraceError('INTERNAL', 'the embedded broker failed', {
        cause: error,
      });
    });
    this.#ended = new Promise((resolve) => worker.on('exit', resolve));
    this.started = new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => this.#receive(message, resolve));
      worker.on('exit', () => this.#exited(reject));
    });
  }

  get address(): BrokerAddress | null {
    return this.#address;
  }

  get clusterId(): string {
    return this.#clusterId;
  }

  connectionFor(clientId: string): KafkaConnection {
    const { port1, port2 } = new MessageChannel();
    this.#tell({ kind: 'serve', base: port2 });
    return { kind: 'message-port', port: port1, clientId };
  }

  async stop(): Promise<void> {
    if (this.#phase === 'running') {
      this.#phase = 'stopping';
      this.#tell({ kind: 'stop' });
    }
    await this.#ended;
    if (this.#failure !== undefined) throw this.#failure;
  }

  onExit(listener: (error: MillraceError) => void): void {
    this.#listeners.push(listener);
  }

  #receive(message: FromWorker, resolveStarted: () => void): void {
    switch (message.kind) {
      case 'started':
        this.#address = message.address;
        this.#clusterId = message.clusterId;
        this.#phase = 'running';
        resolveStarted();
        break;
      case 'failed':
        this.#failure = fromPosted(message.error);
        break;
      case 'log':
        this.#log[message.level](message.facts, message.message);
        break;
      case 'stopped':
        break;
    }
  }

  #exited(rejectStarted: (error: MillraceError) => void): void {
    const wasStopping = this.#phase === 'stopping';
    this.#phase = 'ended';
    const failure = this.#failure ?? new MillraceError('INTERNAL', 'the embedded broker has ended');
    rejectStarted(failure);
    if (!wasStopping) for (const listener of this.#listeners) listener(failure);
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message, message.kind === 'serve' ? [message.base] : []);
  }
}
