/**
 * Who waits on this instance for orders to be answered. Fed with the encoded batches of the topic of
 * orders' states; reads only what somebody waits for. Bounded.
 */
import type { Clock } from '../../base/clock.ts';
import type { CommitNotice } from '../../interactive-queries/queryable-streams.ts';
import { forEachBatch } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import type { Serde } from '../../schemas/serde.ts';
import type { Order } from './order.ts';

/** Beyond this nobody may wait. */
const WAITERS_MAX = 10_000;

type Wake = () => void;

export interface OrderWaitersOptions {
  readonly orderSerde: Serde<Order>;
  readonly clock: Clock;
  readonly waitersMax?: number;
}

export class OrderWaiters {
  readonly #options: OrderWaitersOptions;
  readonly #waiting = new Map<string, Set<Wake>>();
  readonly #cursor = createRecordCursor();
  #waiterCount = 0;

  constructor(options: OrderWaitersOptions) {
    this.#options = options;
  }

  get isAnybodyWaiting(): boolean {
    return this.#waiterCount > 0;
  }

  /**
   * Resolves when the zones have answered, after the time, when the client leaves, or at once when too
   * many wait. Begin before the order is read: what is decided in between is not missed.
   */
  wait(orderId: string, waitMs: number, signal: AbortSignal): Promise<void> {
    const { clock, waitersMax = WAITERS_MAX } = this.#options;
    if (this.#waiterCount >= waitersMax || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        signal.removeEventListener('abort', wake);
        this.#remove(orderId, wake);
        resolve();
      };
      const cancel = clock.after(waitMs, wake);
      signal.addEventListener('abort', wake, { once: true });
      this.#waiting.set(orderId, (this.#waiting.get(orderId) ?? new Set()).add(wake));
      this.#waiterCount++;
    });
  }

  onCommitted(notice: CommitNotice): void {
    for (const { batch } of notice.outputs) {
      forEachBatch(batch, (header) => {
        this.#cursor.open({ buffer: batch, header });
        while (this.#cursor.next()) this.#changed();
      });
    }
  }

  #changed(): void {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = this.#cursor;
    if (keyStart < 0 || valueStart < 0) return;
    const waiting = this.#waiting.get(buffer.toString('latin1', keyStart, keyEnd));
    if (waiting === undefined || !this.#isAnswered(buffer, valueStart, valueEnd)) return;
    for (const wake of [...waiting]) wake();
  }

  /** What cannot be read here (a schema of another version of the app) is looked at in the store. */
  #isAnswered(buffer: Buffer, start: number, end: number): boolean {
    try {
      return this.#options.orderSerde.decode(buffer, start, end).state !== 'requested';
    } catch {
      return true;
    }
  }

  #remove(orderId: string, wake: Wake): void {
    const waiting = this.#waiting.get(orderId);
    if (waiting?.delete(wake) !== true) return;
    this.#waiterCount--;
    if (waiting.size === 0) this.#waiting.delete(orderId);
  }
}
