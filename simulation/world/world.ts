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

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.pick(0, choices.length - 1)]!;
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
    this.#mix(process.name);
    this.#mix(what);
    this.#tell(process, what);
  }

  /** Runs events until the work is done; rejects with its error, or SimulationStuck. */
  run<T>(work: Promise<T>, limitMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let isDone = false;
      const done = () => {
        isDone = true;
        resolve(work);
      };
      work.then(done, done);
      const step = () => {
        if (isDone) return;
        try {
          this.#step(limitMs);
          afterPromiseJobs(step);
        } catch (error) {
          reject(error);
        }
      };
      afterPromiseJobs(step);
    });
  }

  /** Lets the next event happen. */
  #step(limitMs: number): void {
    for (;;) {
      const event = this.#heap.pop();
      if (event === undefined) throw new SimulationStuck('nothing will ever happen any more');
      if (event.atMs > limitMs) throw new SimulationStuck(`not done at ${limitMs} ms`);
      const { process, label } = event;
      if (event.isCancelled || !process.isAlive || process.defer(event)) continue;
      this.#nowMs = Math.max(this.#nowMs, event.atMs);
      this.#events++;
      this.#mixNumber(event.atMs);
      this.#mix(process.name);
      this.#mix(label);
      if (label !== 'timer') this.#tell(process, label);
      event.callback();
      return;
    }
  }

  #tell(process: Process, what: string): void {
    this.trace?.(`${this.#nowMs.toFixed(3).padStart(11)} ${process.name} ${what}`);
  }

  #mixNumber(value: number): void {
    HASHED[0] = value;
    this.#hash = Math.imul(this.#hash ^ HASHED_WORDS[0]!, 0x01000193);
    this.#hash = Math.imul(this.#hash ^ HASHED_WORDS[1]!, 0x01000193);
  }

  #mix(text: string): void {
    let hash = this.#hash;
    for (let at = 0; at < text.length; at++) {
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    }
    this.#hash = hash;
  }
}

const HASHED = new Float64Array(1);
const HASHED_WORDS = new Int32Array(HASHED.buffer);
const RESOLVED = Promise.resolve();

/**
 * Calls back when no promise job is left; nothing here waits for real I/O. Node does what nextTick was
 * given only then, which is far cheaper than a turn of the event loop per event. nextTick is called by a
 * promise job: what is given to it outside of one comes before them.
 */
function afterPromiseJobs(callback: () => void): void {
  void RESOLVED.then(() => process.nextTick(callback));
}
