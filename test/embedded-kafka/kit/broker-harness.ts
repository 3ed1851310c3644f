/**
 * The broker core without sockets, threads and real time: a memory disk, a clock that the test moves, and
 * requests sent as frames. `restart` leaves what a kill (or a power loss) would leave.
 */

import { silentLog } from '../../../base/log.ts';
import { ManualClock } from '../../../base/manual-clock.ts';
import { type Random, seededRandom } from '../../../base/random.ts';
import { type Broker, createBroker } from '../../../embedded-kafka/broker.ts';
import { type DiskOperation, MemoryDisk } from '../../../embedded-kafka/disk/memory-disk.ts';
import type { ConnectionContext } from '../../../embedded-kafka/ports.ts';
import {
  decodeResponse,
  decodeResponseHeader,
  encodeRequestFrame,
} from '../../../kafka/protocol/codec.ts';
import type { MessageApi, RequestOf, ResponseOf } from '../../../kafka/protocol/define-api.ts';
import { createTopicsApi } from '../../../kafka/protocol/messages/create-topics.ts';
import type { AnySchema } from '../../../kafka/protocol/schema.ts';

const FRAME_SIZE_BYTES = 4;

export class BrokerHarness {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly random: Random;
  readonly #config: Readonly<Record<string, string>>;
  /** May throw what a disk would (osError). */
  beforeDisk: (operation: DiskOperation) => void = () => {};
  /** What the broker told its owner; a test that expects a failure reads it. */
  readonly failures: string[] = [];
  readonly #diskOptions = {
    syncDelay: () => this.#syncTurn(),
    beforeOperation: (operation: DiskOperation) => this.beforeDisk(operation),
  };
  disk = new MemoryDisk(this.#diskOptions);
  broker!: Broker;
  #freeSyncs = Number.POSITIVE_INFINITY;
  #stuckSyncs = 0;
  #heldSyncs: (() => void)[] = [];
  #connectionIds = 0;
  #correlationIds = 0;

  private constructor(config: Readonly<Record<string, string>>, seed: number) {
    this.#config = config;
    this.random = seededRandom(seed);
    this.disk.makeDirectory('');
  }

  static async start(
    config: Readonly<Record<string, string>> = {},
    seed = 1,
  ): Promise<BrokerHarness> {
    const harness = new BrokerHarness(config, seed);
    await harness.#open();
    return harness;
  }

  async #open(): Promise<void> {
    const { disk } = this;
    this.broker = await createBroker({
      disk,
      clock: this.clock,
      random: this.random,
      log: silentLog,
      config: this.#config,
      onFatal: (error) => {
        // A broker that was killed hears that its disk is gone: that is what was wanted.
        if (this.disk === disk) this.failures.push(error.code);
      },
    });
  }

  /** The process dies without a word, and another one takes over its disk. */
  async kill(): Promise<void> {
    this.disk = this.disk.killProcess(this.#diskOptions);
    await this.#open();
  }

  /** The power fails: what was not synced may be lost. */
  async losePower(): Promise<void> {
    this.disk = this.disk.powerLoss(this.random, this.#diskOptions);
    await this.#open();
  }

  async restart(): Promise<void> {
    await this.broker.stop();
    await this.#open();
  }

  /** The next `count` syncs go through, later ones wait for releaseSyncs. */
  holdSyncsAfter(count: number): void {
    this.#freeSyncs = count;
  }

  /** The next sync waits for releaseSyncs, those behind it go through: disks do not keep an order. */
  holdNextSync(): void {
    this.#stuckSyncs = 1;
  }

  releaseSyncs(): void {
    this.#freeSyncs = Number.POSITIVE_INFINITY;
    this.#stuckSyncs = 0;
    for (const release of this.#heldSyncs.splice(0)) release();
  }

  #syncTurn(): Promise<void> {
    const isStuck = this.#stuckSyncs-- > 0;
    if (!isStuck && this.#freeSyncs-- > 0) return Promise.resolve();
    return new Promise((resolve) => this.#heldSyncs.push(resolve));
  }

  connection(): ConnectionContext {
    return {
      connectionId: ++this.#connectionIds,
      clientSoftwareName: 'unknown',
      clientHost: '10.0.0.7',
      localHost: 'broker.test',
      localPort: 9092,
    };
  }

  /** One request on a connection of its own. */
  async send<Request extends AnySchema, Response extends AnySchema>(
    api: MessageApi<Request, Response>,
    version: number,
    request: RequestOf<MessageApi<Request, Response>>,
    clientId = 'test',
  ): Promise<ResponseOf<MessageApi<Request, Response>>> {
    const correlationId = ++this.#correlationIds;
    const framed = encodeRequestFrame(api, version, { correlationId, clientId }, request);
    const frame = framed.subarray(FRAME_SIZE_BYTES);
    const answer = await this.broker.handle(Buffer.from(frame), this.connection());
    if (answer === undefined) throw new Error(`${api.name} was not answered`);
    const flexible = version >= api.flexibleFrom;
    const header = decodeResponseHeader(answer, { apiKey: api.key, flexible });
    if (header.correlationId !== correlationId) throw new Error('the answer is to something else');
    return decodeResponse(api, version, answer, header.bodyAt) as ResponseOf<
      MessageApi<Request, Response>
    >;
  }

  async createTopic(name: string, partitions = 1): Promise<void> {
    const { topics } = await this.send(createTopicsApi, 7, {
      topics: [
        { name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] },
      ],
      timeoutMs: 1000,
    });
    const errorCode = topics[0]?.errorCode;
    if (errorCode !== 0) throw new Error(`topic ${name} not created: ${errorCode}`);
  }

  /** Lets everything run that needs no time to pass. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
  }

  /** Moves time on in steps, letting everything run in between. */
  async advance(durationMs: number): Promise<void> {
    let leftMs = durationMs;
    while (leftMs > 0) {
      const stepMs = Math.min(leftMs, this.clock.nextTimerInMs() ?? leftMs);
      this.clock.advance(stepMs);
      leftMs -= stepMs;
      await this.settle();
    }
  }
}
