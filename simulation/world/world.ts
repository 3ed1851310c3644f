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
import { TraceHash } from './trace-hash.ts';

/** Of events that nobody needs to be told of. */
const TIMER = 'timer';

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
  readonly #hash = new TraceHash();

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
    return this.#hash.toString();
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

  schedule(process: Process, delayMs: number, callback: () => void, label = TIMER): ScheduledEvent {
    const atMs = this.#nowMs + Math.max(0, delayMs);
    const event = { atMs, order: this.#order++, process, callback, label, isCancelled: false };
    this.#heap.push(event);
    return event;
  }

  /** Adds to the trace what no event tells. */
  note(process: Process, what: string): void {
    this.#hash.addWord(process.nameHash);
    this.#hash.addText(what);
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
          void RESOLVED.then(afterPromiseJobs);
        } catch (error) {
          reject(error);
        }
      };
      // Node does what nextTick was given only when no promise job is left: nothing here waits for real
      // I/O, and a turn of the event loop per event would cost far more. nextTick is called by a promise
      // job, because what is given to it outside of one comes before them.
      const afterPromiseJobs = () => process.nextTick(step);
      void RESOLVED.then(afterPromiseJobs);
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
      this.#hash.addNumber(event.atMs);
      this.#hash.addWord(process.nameHash);
      if (label !== TIMER) {
        this.#hash.addText(label);
        this.#tell(process, label);
      }
      event.callback();
      return;
    }
  }

  #tell(process: Process, what: string): void {
    this.trace?.(`${this.#nowMs.toFixed(3).padStart(11)} ${process.name} ${what}`);
  }
}

const RESOLVED = Promise.resolve();
