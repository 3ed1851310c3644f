/**
 * Does what jobs ask for, outside of the stream thread: hears of attempts once they are committed,
 * makes them (so many of each way at a time), and puts the results into their topic, from which the
 * processor takes them. It remembers nothing that must survive: that is in the store.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { CommitNotice } from '../../interactive-queries/queryable-streams.ts';
import type { Producer } from '../../kafka/ports.ts';
import { forEachBatch } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import { type Serde, toBytes } from '../../schemas/serde.ts';
import type { Attempt, AttemptResult, JobPolicies } from './job.ts';

/** It will not work another time either. */
export class JobRefused extends Error {}

/** It may have worked. */
export class JobUncertain extends Error {}

/** Resolves when it is done. Rejects JobRefused, JobUncertain, or anything else: then it is tried again. */
export type PerformJob<R> = (attempt: Attempt<R>, signal: AbortSignal) => Promise<void>;

export interface JobWorkerOptions<R> {
  /** This process, as its processors call it. */
  readonly owner: string;
  readonly policies: JobPolicies;
  readonly perform: PerformJob<R>;
  readonly attemptSerde: Serde<Attempt<R>>;
  readonly resultSerde: Serde<AttemptResult>;
  readonly resultsTopic: string;
  readonly producer: Producer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Work<R> {
  readonly partition: number;
  readonly attempt: Attempt<R>;
}

interface Way<R> {
  running: number;
  /** Bounded by what the processors let be under way. */
  readonly waiting: Work<R>[];
}

const SEND_AGAIN = { initialMs: 200, maxMs: 5_000 };

export class JobWorker<R> {
  readonly #options: JobWorkerOptions<R>;
  readonly #ways: ReadonlyMap<string, Way<R>>;
  readonly #cursor = createRecordCursor();
  /** Job -> the latest attempt that was taken. */
  readonly #busyWith = new Map<string, number>();
  /** Jobs whose result is in the log, and not yet taken from there. */
  readonly #reported = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: JobWorkerOptions<R>) {
    this.#options = options;
    this.#ways = new Map(
      [...options.policies.keys()].map((way) => [way, { running: 0, waiting: [] }]),
    );
  }

  /** From the attempt until its result has been settled. */
  isBusyWith(jobId: string): boolean {
    return this.#busyWith.has(jobId) || this.#reported.has(jobId);
  }

  /** A result of this job has been taken from the log. */
  settled(jobId: string): void {
    this.#reported.delete(jobId);
  }

  /** Attempts that are being made or about to be, by way. */
  inFlight(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#ways].map(([way, { running, waiting }]) => [way, running + waiting.length]),
    );
  }

  onCommitted(notice: CommitNotice): void {
    const { attemptSerde } = this.#options;
    const cursor = this.#cursor;
    for (const { partition, batch } of notice.outputs) {
      forEachBatch(batch, (header) => {
        cursor.open({ buffer: batch, header });
        while (cursor.next()) {
          const { buffer, valueStart, valueEnd } = cursor;
          this.offer(partition, attemptSerde.decode(buffer, valueStart, valueEnd));
        }
      });
    }
  }

  /** Takes a committed attempt, each once; one that comes after the stop is given back. */
  offer(partition: number, attempt: Attempt<R>): void {
    const way = this.#ways.get(attempt.way);
    if (way === undefined || attempt.owner !== this.#options.owner) return;
    if ((this.#busyWith.get(attempt.jobId) ?? 0) >= attempt.attempt) return;
    const work = { partition, attempt };
    if (this.isStopping) {
      this.#track(this.#giveBack(work));
      return;
    }
    this.#busyWith.set(attempt.jobId, attempt.attempt);
    way.waiting.push(work);
    this.#next(way, attempt.way);
  }

  /** Nothing more is begun: attempts make no sense from now on. */
  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /**
   * Begins nothing more, gives back what was not begun, and tells those at work to come to an end;
   * resolves when all of this is in the log, or when the time is up. Called again, it waits for what
   * was committed meanwhile.
   */
  async close(timeoutMs: number): Promise<void> {
    this.#stopping.abort();
    for (const { waiting } of this.#ways.values()) {
      for (const work of waiting.splice(0)) this.#track(this.#giveBack(work));
    }
    const timer = new AbortController();
    const all = Promise.allSettled([...this.#running]);
    await Promise.race([all, this.#options.clock.sleep(timeoutMs, timer.signal)]);
    timer.abort();
  }

  #track(work: Promise<void>): void {
    const done = work.finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  #next(way: Way<R>, name: string): void {
    const { parallelMax } = this.#options.policies.get(name)!;
    while (way.running < parallelMax && !this.#stopping.signal.aborted) {
      const work = way.waiting.shift();
      if (work === undefined) return;
      way.running++;
      const ended = () => {
        way.running--;
        const { jobId, attempt } = work.attempt;
        if (this.#busyWith.get(jobId) === attempt) this.#busyWith.delete(jobId);
        this.#next(way, name);
      };
      this.#track(this.#do(work).finally(ended));
    }
  }

  #giveBack({ partition, attempt: { jobId, attempt } }: Work<R>): Promise<void> {
    const reason = 'not begun before the stop';
    return this.#report(partition, { kind: 'result', jobId, attempt, outcome: 'retry', reason });
  }

  /** Never rejects. */
  async #do({ partition, attempt }: Work<R>): Promise<void> {
    const { signal } = this.#stopping;
    const { jobId, way } = attempt;
    const outcome = await this.#options.perform(attempt, signal).then(
      () => ({ outcome: 'done', reason: null }) as const,
      (error: unknown) => outcomeOf(error),
    );
    if (outcome.outcome !== 'done') {
      const facts = { jobId, way, attempt: attempt.attempt, ...outcome };
      this.#options.log.warn(facts, 'an attempt did not succeed');
    }
    await this.#report(partition, { kind: 'result', jobId, attempt: attempt.attempt, ...outcome });
  }

  #remember(jobId: string): void {
    if (this.#reported.size >= REPORTED_MAX) {
      const oldest = this.#reported.values().next();
      if (!oldest.done) this.#reported.delete(oldest.value);
    }
    this.#reported.add(jobId);
  }

  /** Until it is in the log: twice is as good as once there. */
  async #report(partition: number, result: AttemptResult): Promise<void> {
    const { producer, resultsTopic, resultSerde, clock, random, log } = this.#options;
    const record = { key: Buffer.from(result.jobId), value: toBytes(resultSerde, result) };
    for (let attempt = 0; ; attempt++) {
      try {
        // Before, not after: it may be taken before the acknowledgement is here.
        this.#remember(result.jobId);
        await producer.send(resultsTopic, partition, record);
        return;
      } catch (error) {
        log.warn({ jobId: result.jobId, err: error }, 'a result did not get into the log yet');
        if (this.#stopping.signal.aborted) return;
        await clock.sleep(backoffMs(attempt, SEND_AGAIN, random), this.#stopping.signal);
      }
    }
  }
}

/** Of partitions that have gone to others nothing is ever settled here. */
const REPORTED_MAX = 100_000;
const REASON_CHARS_MAX = 300;

function outcomeOf(error: unknown): Pick<AttemptResult, 'outcome' | 'reason'> {
  const text = error instanceof Error ? error.message : String(error);
  // `fetch failed` alone tells nobody anything.
  const { code } = ((error as Error | undefined)?.cause ?? {}) as { code?: unknown };
  const reason = (typeof code === 'string' ? `${text} (${code})` : text).slice(0, REASON_CHARS_MAX);
  if (error instanceof JobRefused) return { outcome: 'failed', reason };
  return { outcome: error instanceof JobUncertain ? 'uncertain' : 'retry', reason };
}
