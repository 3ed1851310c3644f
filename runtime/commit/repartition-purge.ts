/**
 * Repartition topics are the application's own pipes: what has been consumed and committed is
 * deleted, so that they need no retention. Best effort, every half minute, one request at a time.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { type Admin, partitionKey } from '../../kafka/ports.ts';
import type { StreamTask } from '../tasks/stream-task.ts';

const PURGE_MS = 30_000;

export interface RepartitionPurgeContext {
  readonly admin: Admin;
  readonly topics: ReadonlySet<string>;
  readonly clock: Clock;
  readonly log: Log;
}

export class RepartitionPurge {
  readonly #context: RepartitionPurgeContext;
  readonly #purged = new Map<string, number>();
  #startedAtMs: number;
  #isRunning = false;

  constructor(context: RepartitionPurgeContext) {
    this.#context = context;
    this.#startedAtMs = context.clock.monotonicMs();
  }

  /** Begins a round when it is time; never throws. */
  run(tasks: readonly StreamTask[]): void {
    const { admin, topics, clock, log } = this.#context;
    const nowMs = clock.monotonicMs();
    if (topics.size === 0 || this.#isRunning || nowMs - this.#startedAtMs < PURGE_MS) return;
    this.#startedAtMs = nowMs;
    const before = tasks
      .flatMap((task) => task.committed())
      .filter(({ topic, partition, offset }) => {
        return (
          topics.has(topic) && offset > (this.#purged.get(partitionKey(topic, partition)) ?? 0)
        );
      });
    if (before.length === 0) return;
    this.#isRunning = true;
    admin
      .deleteRecords(before)
      .then(
        () => {
          for (const { topic, partition, offset } of before) {
            this.#purged.set(partitionKey(topic, partition), offset);
          }
        },
        (error) =>
          log.debug({ err: error }, 'could not purge repartition topics; trying again later'),
      )
      .finally(() => {
        this.#isRunning = false;
      });
  }
}
