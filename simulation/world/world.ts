/**
 * Simulated time and life. Every callback is an event that belongs to a process; after each event all
 * promise jobs are run before the next one, so whatever runs belongs to the process whose event it was.
 * A process that was killed gets no event any more, a paused one gets them when it is resumed.
 *
 * The order of events is that of their time, then of their creation: the run is a function of the seed.
 */
import { type Random, seededRandom } from '../../base/random.ts';
import { between, chance, pick } from './draw.ts';
import { EventHeap, type ScheduledEvent } from './event-heap.ts';
import { Process } from './process.ts';

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
    return chance(this.random, probability);
  }

  /** Uniform between the bounds, in whole microseconds. */
  between(min: number, max: number): number {
    return between(this.random, min, max);
  }

  /** A whole number from `min` up to and with `max`. */
  pick(min: number, max: number): number {
    return pick(this.random, min, max);
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

/** All promise jobs run before the event loop goes on; nothing here waits for real I/O. */
function drainJobs(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
