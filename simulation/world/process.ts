/** A process of a simulated machine: its clock, its randomness, its pauses and its death. */
import { type Clock, sleepOn } from '../../base/clock.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import type { ScheduledEvent } from './event-heap.ts';
import { hashOf } from './trace-hash.ts';
import type { World } from './world.ts';

/** What clocks show when a run begins. */
export const EPOCH_MS = 1_700_000_000_000;
/** A turn of the event loop, and the shortest time in which anything happens. */
const TURN_MS = 0.02;

/** Of a machine: what it shows too much, whichever process looks at it. */
export interface WallClock {
  errorMs: number;
}

/** One life of one operating-system process. */
export class Process {
  readonly name: string;
  readonly nameHash: number;
  readonly clock: Clock;
  /** Of this life: drawn from the world's, so that lives do not repeat each other. */
  readonly random: Random;
  readonly wallClock: WallClock;
  readonly #world: World;
  readonly #atDeath: (() => void)[] = [];
  readonly #deferred: ScheduledEvent[] = [];
  #isAlive = true;
  #isPaused = false;
  #effectsLeft = Number.POSITIVE_INFINITY;
  #fate: () => void = () => {};
  #fatalEffect: string | undefined;

  constructor(world: World, name: string, wallClock: WallClock = { errorMs: 0 }) {
    this.#world = world;
    this.name = name;
    this.nameHash = hashOf(name);
    this.wallClock = wallClock;
    this.random = seededRandom(Math.floor(world.random.next() * 0x1_0000_0000));
    this.clock = new ProcessClock(world, this);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  onDeath(action: () => void): void {
    this.#atDeath.push(action);
  }

  /** kill -9: nothing of it happens any more, whatever it has promised itself. */
  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#world.note(this, 'is killed');
    for (const action of this.#atDeath) action();
  }

  /** What happens to it when it is about to do its n-th effect on the outside from now (of that name). */
  atEffect(nth: number, fate: () => void, what?: string): void {
    this.#effectsLeft = nth;
    this.#fate = fate;
    this.#fatalEffect = what;
  }

  /** Asked before anything that others could see. False: the process is dead, do nothing. */
  effect(what: string): boolean {
    const counts = this.#fatalEffect === undefined || this.#fatalEffect === what;
    if (this.#isAlive && counts && --this.#effectsLeft === 0) this.#fate();
    return this.#isAlive;
  }

  /** SIGSTOP: what runs now runs to its next await; then nothing until resume(). */
  pause(): void {
    this.#isPaused = true;
  }

  /** SIGCONT: all that has come in meanwhile happens now. */
  resume(): void {
    this.#isPaused = false;
    for (const { callback, label, isCancelled } of this.#deferred.splice(0)) {
      if (!isCancelled) this.#world.schedule(this, 0, callback, label);
    }
  }

  /** Keeps the event if the process cannot take it now. */
  defer(event: ScheduledEvent): boolean {
    if (this.#isPaused) this.#deferred.push(event);
    return this.#isPaused;
  }
}

class ProcessClock implements Clock {
  readonly #world: World;
  readonly #process: Process;

  constructor(world: World, process: Process) {
    this.#world = world;
    this.#process = process;
  }

  nowMs(): number {
    return EPOCH_MS + Math.floor(this.#world.nowMs) + this.#process.wallClock.errorMs;
  }

  monotonicMs(): number {
    return this.#world.nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const event = this.#world.schedule(this.#process, delayMs, callback);
    return () => {
      event.isCancelled = true;
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn((ms, callback) => this.after(ms, callback), delayMs, signal);
  }

  turn(): Promise<void> {
    return this.sleep(TURN_MS);
  }
}
