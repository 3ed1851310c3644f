/**
 * What a start has begun, to be ended in the reverse order at the stop. Says how long each took: who
 * waits for an orderly stop wants to know for what.
 */
import type { Log } from '../../base/log.ts';

type Stop = () => Promise<void>;

/** Worth a line of the log. */
const SLOW_MS = 1_000;

export class Stops {
  readonly #log: Log;
  readonly #steps: (readonly [name: string, stop: Stop])[] = [];
  #running: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  add(name: string, stop: Stop): void {
    this.#steps.push([name, stop]);
  }

  /** Never rejects: a step that fails is logged, and the next one goes on. Idempotent. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    for (const [step, stop] of this.#steps.reverse()) {
      const beganMs = performance.now();
      await stop().catch((err: unknown) => {
        this.#log.error({ step, err }, 'a step of the stop failed');
      });
      const durationMs = Math.round(performance.now() - beganMs);
      const level = durationMs >= SLOW_MS ? 'warn' : 'info';
      this.#log[level]({ step, durationMs }, 'stopped');
    }
  }
}
