/**
 * The machine that an engine instance runs on: its simulated disk, which outlives the process, its wall
 * clock, and its boots. Each process gets an engine of its own, so that a dead one writes nothing.
 */
import { resolve } from 'node:path';
import type { BytesStore, BytesStoreEngine } from '../../stores/bytes-store.ts';
import { SimulatedDisk } from '../../stores/simulated-disk.ts';
import type { Process, WallClock } from '../world/process.ts';
import type { World } from '../world/world.ts';

const SLOW_WRITE = 0.05;
const SLOW_WRITE_MS = 30;

export class StoreMachine {
  readonly wallClock: WallClock = { errorMs: 0 };
  readonly #world: World;
  readonly #directories = new Set<string>();
  #running: Process | undefined;
  #boots = 1;
  readonly disk = new SimulatedDisk(
    () => this.#latency(),
    () => this.#running?.effect('written'),
  );

  constructor(world: World) {
    this.#world = world;
  }

  /** For one life of the process. */
  engineFor(process: Process): BytesStoreEngine {
    this.#running = process;
    process.onDeath(() => {
      if (this.#running === process) this.disk.crash();
    });
    const open = async (directory: string, role: 'owner' | 'reader'): Promise<BytesStore> => {
      if (!process.isAlive) return new Promise<never>(() => {});
      this.#directories.add(directory);
      return this.disk.open(directory, role);
    };
    return {
      open,
      destroy: async (directory) => {
        if (!process.effect('destroy')) return;
        this.#world.count('store wiped');
        this.#directories.delete(directory);
        await this.disk.destroy(directory);
      },
      machine: {
        bootId: () => `boot-${this.#boots}`,
        list: (directory) =>
          [...this.#directories]
            .filter((path) => resolve(path, '..') === directory)
            .map((path) => path.slice(directory.length + 1))
            .sort(),
      },
    };
  }

  /** Where a task's state lies; undefined when it has none. */
  directoryOf(taskId: string): string | undefined {
    return [...this.#directories].find((path) => path.endsWith(`/${taskId}`));
  }

  /** The process has been killed by it; some of what was not synced survives. */
  losePower(): void {
    this.#boots++;
    this.disk.losePower(() => this.#world.chance(0.5));
  }

  async #latency(): Promise<void> {
    const process = this.#running;
    if (process === undefined) return;
    if (!process.effect('write')) return new Promise<never>(() => {});
    if (!this.#world.chance(SLOW_WRITE)) return;
    this.#world.count('slow store write');
    await process.clock.sleep(this.#world.between(0, SLOW_WRITE_MS));
  }
}
