/** Follows topics from their beginning over the bad network, as somebody else's service does. */
import type { Fetcher } from '../../../kafka/ports.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { SimulatedRun } from '../../../simulation/scenario.ts';
import { PARTITIONS } from '../sale.ts';

const POLL_MS = 500;
const LONG_POLL_MS = 300;

/** What is done with each committed value of a topic. */
export type Handlers = Readonly<Record<string, (value: Buffer) => void>>;

export class Follower {
  readonly #run: SimulatedRun;
  readonly #handlers: Handlers;
  readonly #positions = new Map<string, number>();
  readonly #cursor = createRecordCursor();
  #isStopped = false;

  constructor(run: SimulatedRun, handlers: Handlers) {
    this.#run = run;
    this.#handlers = handlers;
  }

  /** Until it is stopped. Rejects when a record that it has seen, or not yet, is not in the log any more. */
  async follow(): Promise<void> {
    const fetcher = this.#run.kafka.fetcher({
      isolation: 'read_committed',
      bufferedBytesMax: 1 << 22,
      partitionBytesMax: 1 << 18,
      maxWaitMs: LONG_POLL_MS,
      channel: 'follower',
    });
    for (const topic of Object.keys(this.#handlers)) {
      for (let partition = 0; partition < PARTITIONS; partition++)
        fetcher.seek(topic, partition, 0);
    }
    while (!this.#isStopped) await this.#poll(fetcher);
    await fetcher.close();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #poll(fetcher: Fetcher): Promise<void> {
    for (const { topic, partition, batches, error } of await fetcher.poll(POLL_MS)) {
      if (error !== undefined) throw error;
      const key = `${topic}-${partition}`;
      const cursor = this.#cursor;
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next()) {
          if (cursor.offset < (this.#positions.get(key) ?? 0)) continue;
          this.#positions.set(key, cursor.offset + 1);
          this.#handlers[topic]!(cursor.buffer.subarray(cursor.valueStart, cursor.valueEnd));
        }
      }
    }
  }
}
