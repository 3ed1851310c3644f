/** The machine of the broker: its disk, and one life of its process after the other. */
import { silentLog } from '../../base/log.ts';
import { createBroker } from '../../embedded-kafka/broker.ts';
import { type DiskOperation, MemoryDisk, osError } from '../../embedded-kafka/disk/memory-disk.ts';
import type { Disk, FrameHandler } from '../../embedded-kafka/ports.ts';
import { apiVersionsApi } from '../../kafka/protocol/messages/api-versions.ts';
import { countCodes } from '../faults/answered-codes.ts';
import { refusing } from '../faults/refusals.ts';
import type { Network } from '../network/network.ts';
import { Process, type WallClock } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { forgetfulHandler } from './forgetful-handler.ts';

/** What a planted bug may put between the broker and its world. */
export interface BrokerMutation {
  disk?(disk: Disk): Disk;
  handler?(handler: FrameHandler): FrameHandler;
}

export interface BrokerNodeOptions {
  /** Kafka's own names. */
  readonly config: Readonly<Record<string, string>>;
  readonly mutation?: BrokerMutation;
  /** It gave up though nobody had harmed it. */
  readonly onFailure: (name: string, error: Error) => void;
}

const SLOW_SYNC_MAX = 0.2;
const SLOW_SYNC_MS_MAX = 200;
const SYNC_MS = 0.3;
/** Of the syncs that nothing can come in between: they need no event. */
const INSTANT_SYNC = 0.6;
const INSTANT = Promise.resolve();

export class BrokerNode {
  readonly wallClock: WallClock = { errorMs: 0 };
  readonly #world: World;
  readonly #network: Network;
  readonly #options: BrokerNodeOptions;
  #disk: MemoryDisk;
  #process: Process | undefined;
  #lives = 0;
  #diskFault: { readonly kind: string; readonly code: 'EIO' | 'ENOSPC' } | undefined;
  /** Its process has met a disk that failed. */
  #isHarmed = false;
  readonly #slowSync: number;
  readonly #isForgetful: boolean;

  constructor(network: Network, options: BrokerNodeOptions) {
    this.#world = network.world;
    this.#network = network;
    this.#options = options;
    this.#slowSync = this.#world.random.next() ** 3 * SLOW_SYNC_MAX;
    this.#isForgetful = this.#world.chance(0.25);
    this.#disk = new MemoryDisk();
    this.#disk.makeDirectory('');
  }

  get process(): Process | undefined {
    return this.#process;
  }

  get isUp(): boolean {
    return this.#process?.isAlive === true && this.#network.server?.process === this.#process;
  }

  /** A process begins on what the last one left; it listens when it has recovered. */
  start(): Process {
    const process = new Process(this.#world, `broker.${++this.#lives}`, this.wallClock);
    this.#process = process;
    this.#isHarmed = false;
    const disk = this.#disk.killProcess({
      syncDelay: () => this.#sync(process),
      beforeOperation: (operation) => this.#beforeOperation(process, operation),
    });
    this.#disk = disk;
    this.#world.schedule(process, 0, () => void this.#run(process, disk), 'starts');
    return process;
  }

  /** Without a word; with the power gone, what was not synced may be gone too. */
  kill(isPowerLost: boolean): void {
    this.#process?.kill();
    if (isPowerLost) this.#disk = this.#disk.powerLoss(this.#world.random);
  }

  /** The next such operation fails. What was appended then is torn. */
  failDisk(kind: 'append' | 'sync', code: 'EIO' | 'ENOSPC'): void {
    this.#diskFault = { kind, code };
  }

  healDisk(): void {
    this.#diskFault = undefined;
  }

  async #run(process: Process, disk: MemoryDisk): Promise<void> {
    const { config, mutation = {} } = this.#options;
    try {
      const broker = await createBroker({
        disk: mutation.disk?.(disk) ?? disk,
        clock: process.clock,
        random: process.random,
        log: silentLog,
        config,
        onFatal: (error) => this.#failed(process, error),
        beforeMarker: () => this.#markerArrives(process),
        onAnswer: (api, answer) => this.#answered(api, answer),
      });
      const honest = mutation.handler?.(broker) ?? broker;
      const onForgotten = () => this.#world.count('duplicate without an offset');
      const handler = this.#isForgetful ? forgetfulHandler(honest, onForgotten) : honest;
      const facing = refusing(handler, this.#network);
      this.#network.listen({ process, handler, facing });
    } catch (error) {
      this.#failed(process, error as Error);
    }
  }

  /** Versions are asked for on every connection, and long, and without codes of their own. */
  #answered(api: string, answer: unknown): void {
    if (api !== apiVersionsApi.name) countCodes(answer, (what) => this.#world.count(what));
  }

  #failed(process: Process, error: Error): void {
    if (!process.isAlive) return;
    if (this.#isHarmed) this.#world.count('broker ended by its disk');
    else this.#options.onFailure('broker', error);
    process.kill();
  }

  #beforeOperation(process: Process, operation: DiskOperation): void {
    const { kind } = operation;
    if (kind === 'read') return;
    if (!process.effect(kind)) throw new Error('this broker is dead');
    const fault = this.#diskFault;
    if (fault === undefined || kind !== fault.kind) return;
    this.#diskFault = undefined;
    this.#isHarmed = true;
    this.#world.count(`broker disk: ${fault.code} in ${kind}`);
    throw osError(fault.code);
  }

  async #markerArrives(process: Process): Promise<void> {
    const { lateMarker, markerMsMax } = this.#network.trouble;
    if (lateMarker === 0 || !this.#world.chance(lateMarker)) return;
    this.#world.count('late marker');
    await process.clock.sleep(this.#world.between(0, markerMsMax));
  }

  #sync(process: Process): Promise<void> {
    if (this.#world.chance(INSTANT_SYNC)) return INSTANT;
    if (!this.#world.chance(this.#slowSync)) {
      return process.clock.sleep(this.#world.between(0.02, SYNC_MS));
    }
    this.#world.count('slow sync');
    return process.clock.sleep(this.#world.between(SYNC_MS, SLOW_SYNC_MS_MAX));
  }
}
