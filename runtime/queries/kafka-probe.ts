/** How long Kafka has been silent: asks a small question once a second, and hears of commits. */
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Admin } from '../../kafka/ports.ts';

const PROBE_MS = 1_000;

export class KafkaProbe {
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #heardAtMs: number;

  constructor(
    admin: Admin,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
    topics: readonly string[],
  ) {
    this.#clock = clock;
    this.#heardAtMs = clock.monotonicMs();
    void this.#run(admin, random, topics);
  }

  silentForMs(): number {
    return this.#clock.monotonicMs() - this.#heardAtMs;
  }

  heard(): void {
    this.#heardAtMs = this.#clock.monotonicMs();
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(admin: Admin, random: Random, topics: readonly string[]): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#clock.sleep(
        backoffMs(0, { initialMs: PROBE_MS, maxMs: PROBE_MS }, random),
        signal,
      );
      if (signal.aborted || this.silentForMs() < PROBE_MS / 2) continue;
      try {
        await admin.describeTopics(topics);
        this.heard();
      } catch {
        // The silence itself is the news; the client logs why.
      }
    }
  }
}
