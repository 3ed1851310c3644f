/**
 * Simulated time and life. Every callback is an event that belongs to a process; after each event all
 * promise jobs are run before the next one, so whatever runs belongs to the process whose event it was.
 * A process that was killed gets no event any more, a paused one gets them when it is resumed.
 *
 * The order of events is that of their time, then of their creation: the run is a function of the seed.
 */
import { type Clock, sleepOn } from '../../base/clock.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import { EventHeap, type ScheduledEvent } from './event-heap.ts';

const EPOCH_MS = 1_700_000_000_000;
/** A turn of the event loop, and the shortest time in which anything happens. */
const TURN_MS = 0.02;

export class SimulationStuck extends Error {}

export class World {
  readonly random: Random;
  /** Whoever starts and ends processes: never killed, never paused. */
  readonly supervisor: Process;
  /** How often what happened: faults, and what they led to. */
  readonly counters = new Map<string, number>();
  readonly trace: ((line: string) => void) | undefined;
  readonly #heap = new EventHeap();
  #nowMs = 0;
  #order = 0;
  #events = 0;
  #hash = 0x811c9dc5;

  constructor(seed: number, trace?: (line: string) => void) {
    this.random = seededRandom(seed);
    this.trace = trace;
    this.supervisor = new Process(this, 'supervisor');
  }

  /** Milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get eventCount(): number {
    return this.#events;
  }

  /** Of all that has happened so far: equal for two runs of one seed, or they are not the same run. */
  get traceHash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  count(what: string): void {
    this.counters.set(what, (this.counters.get(what) ?? 0) + 1);
  }

  chance(probability: number): boolean {
    return this.random.next() < probability;
  }

  /** Uniform between the bounds, in whole microseconds. */
  between(min: number, max: number): number {
    return min + Math.round(this.random.next() * (max - min) * 1000) / 1000;
  }

  /** A whole number from `min` up to and with `max`. */
  pick(min: number, max: number): number {
    return min + Math.floor(this.random.next() * (max - min + 1));
  }

  schedule(
    process: Process,
    delayMs: number,
    callback: () => void,
    label = 'timer',
  ): ScheduledEvent {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const event = { atMs, order: this.#order++, process, callback, label, isCancelled: false };
    this.#heap.push(event);
    return event;
  }

  /** Adds to the trace what no event tells. */
  note(process: Process, what: string): void {
    this.#mix(`${process.name} ${what}`);
    this.trace?.(`${this.#nowMs.toFixed(3).padStart(11)} ${process.name} ${what}`);
  }

  /** Runs events until the work is done; rejects with its error, or SimulationStuck. */
  async run<T>(work: Promise<T>, limitMs: number): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    await drainJobs();
    while (!isDone) {
      const event = this.#heap.pop();
      if (event === undefined) throw new SimulationStuck('nothing will ever happen any more');
      if (event.atMs > limitMs) throw new SimulationStuck(`not done at ${limitMs} ms`);
      if (event.isCancelled || !event.process.isAlive) continue;
      if (event.process.defer(event)) continue;
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      this.#events++;
      this.#mix(`${event.atMs} ${event.process.name} ${event.label}`);
      if (event.label !== 'timer') {
        this.trace?.(`${this.#nowMs.toFixed(3).padStart(11)} ${event.process.name} ${event.label}`);
      }
      event.callback();
      await drainJobs();
    }
    return work;
  }

  #mix(text: string): void {
    let hash = this.#hash;
    for (let at = 0; at < text.length; at++) {
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    }
    this.#hash = hash;
  }
}

/** One life of one operating-system process. */
export class Process {
  readonly name: string;
  readonly clock: Clock;
  /** Of this life: drawn from the world's, so that lives do not repeat each other. */
  readonly random: Random;
  /** What this process's wall clock shows too much. */
  skewMs = 0;
  readonly #world: World;
  readonly #atDeath: (() => void)[] = [];
  readonly #deferred: ScheduledEvent[] = [];
  #isAlive = true;
  #isPaused = false;
  #effectsLeft = Number.POSITIVE_INFINITY;
  #fate: () => void = () => {};
  #fatalEffect: string | undefined;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
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
    return EPOCH_MS + Math.floor(this.#world.nowMs) + this.#process.skewMs;
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

/** All promise jobs run before the event loop goes on; nothing here waits for real I/O. */
function drainJobs(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
