/**
 * Who waits for which purchase on this instance, and the purchases that were accepted here and are
 * not decided yet. Fed once per commit with the encoded batches of the status topic; bounded.
 */
import type { Clock } from '../base/clock.ts';
import type { CommitNotice } from '../interactive-queries/queryable-streams.ts';
import { readBatchHeader } from '../kafka/records/record-batch.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';
import type { Serde } from '../schemas/serde.ts';
import type { Purchase } from './domain/purchase.ts';

/** Beyond this nobody may wait: the answer is then 202 at once. */
const WAITERS_MAX = 200_000;
const ACCEPTED_MAX = 200_000;

type Wake = (purchase: Purchase | undefined) => void;

export class DecisionWaiters {
  readonly #statusSerde: Serde<Purchase>;
  readonly #clock: Clock;
  readonly #onDecided: (purchase: Purchase) => void;
  readonly #waiting = new Map<string, Set<Wake>>();
  readonly #accepted = new Map<string, Purchase>();
  readonly #cursor = createRecordCursor();

  /** `onDecided` is told of every decision that somebody here waited for. */
  constructor(statusSerde: Serde<Purchase>, clock: Clock, onDecided: (purchase: Purchase) => void) {
    this.#statusSerde = statusSerde;
    this.#clock = clock;
    this.#onDecided = onDecided;
  }

  /** Whether commits need to be looked at. */
  isWanted(): boolean {
    return this.#waiting.size > 0 || this.#accepted.size > 0;
  }

  /** Starts to wait; undefined after the time or when the client left. Call it before the command is sent. */
  wait(purchaseId: string, waitMs: number, signal: AbortSignal): Promise<Purchase | undefined> {
    if (this.#waiting.size >= WAITERS_MAX) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const wake: Wake = (purchase) => {
        cancel();
        signal.removeEventListener('abort', giveUp);
        const waiting = this.#waiting.get(purchaseId);
        waiting?.delete(wake);
        if (waiting?.size === 0) this.#waiting.delete(purchaseId);
        resolve(purchase);
      };
      const giveUp = () => wake(undefined);
      const cancel = this.#clock.after(waitMs, giveUp);
      signal.addEventListener('abort', giveUp, { once: true });
      const waiting = this.#waiting.get(purchaseId);
      if (waiting === undefined) this.#waiting.set(purchaseId, new Set([wake]));
      else waiting.add(wake);
    });
  }

  /** The command is in the log: until it is decided the purchase is `requested`. */
  accepted(purchase: Purchase): void {
    if (this.#accepted.size >= ACCEPTED_MAX) {
      const oldest = this.#accepted.keys().next();
      if (!oldest.done) this.#accepted.delete(oldest.value);
    }
    this.#accepted.set(purchase.purchaseId, purchase);
  }

  undecided(purchaseId: string): Purchase | undefined {
    return this.#accepted.get(purchaseId);
  }

  onCommitted(notice: CommitNotice): void {
    for (const { batch } of notice.outputs) {
      for (let position = 0; position < batch.length; ) {
        const header = readBatchHeader(batch, position);
        if (header === undefined) break;
        this.#cursor.open({ buffer: batch, header });
        while (this.#cursor.next()) this.#decided();
        position += header.sizeBytes;
      }
    }
  }

  #decided(): void {
    const { buffer, keyStart, keyEnd, valueStart, valueEnd } = this.#cursor;
    if (keyStart < 0 || valueStart < 0) return;
    const purchaseId = buffer.toString('latin1', keyStart, keyEnd);
    this.#accepted.delete(purchaseId);
    const waiting = this.#waiting.get(purchaseId);
    if (waiting === undefined) return;
    const purchase = this.#statusSerde.decode(buffer, valueStart, valueEnd);
    this.#onDecided(purchase);
    for (const wake of [...waiting]) wake(purchase);
  }
}
