/**
 * Who waits for which purchase on this instance, and the purchases that were accepted here and are
 * not decided yet, as far as is known here. Fed once per commit with the encoded batches of the
 * status topic; bounded.
 */
import type { Clock } from '../base/clock.ts';
import type { RouteRequest } from '../interactive-queries/http/route.ts';
import type { CommitNotice } from '../interactive-queries/queryable-streams.ts';
import { forEachBatch } from '../kafka/records/record-batch.ts';
import { createRecordCursor } from '../kafka/records/record-cursor.ts';
import type { Serde } from '../schemas/serde.ts';
import type { Purchase } from './domain/purchase.ts';
import type { Outcome } from './records.ts';

/** Beyond this nobody may wait: the answer is then 202 at once. */
const WAITERS_MAX = 100_000;
/** Beyond this the oldest are forgotten: until it is decided, such a purchase is then not found. */
const PENDING_MAX = 100_000;

type Wake = (purchase: Purchase | undefined) => void;

export interface DecisionWaitersOptions {
  readonly statusSerde: Serde<Purchase>;
  readonly outcomeSerde: Serde<Outcome>;
  readonly clock: Clock;
  /** Told of every outcome that this instance commits; must be cheap. */
  readonly onOutcome: (outcome: Outcome) => void;
  readonly waitersMax?: number;
  readonly pendingMax?: number;
}

export class DecisionWaiters {
  readonly #options: DecisionWaitersOptions;
  readonly #waiting = new Map<string, Set<Wake>>();
  #waiterCount = 0;
  /** Oldest first. */
  readonly #pending = new Map<string, Purchase>();
  readonly #cursor = createRecordCursor();

  constructor(options: DecisionWaitersOptions) {
    this.#options = options;
  }

  get waiterCount(): number {
    return this.#waiterCount;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /**
   * Starts to wait; undefined after the time, when the client leaves, or when too many wait. Call it
   * before the command is sent.
   */
  wait(
    purchaseId: string,
    waitMs: number,
    client: Pick<RouteRequest, 'whenGone'>,
  ): Promise<Purchase | undefined> {
    const { clock, waitersMax = WAITERS_MAX } = this.#options;
    if (this.#waiterCount >= waitersMax) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const wake: Wake = (purchase) => {
        cancel();
        forgetClient();
        this.#remove(purchaseId, wake);
        resolve(purchase);
      };
      const giveUp = () => wake(undefined);
      const cancel = clock.after(waitMs, giveUp);
      const forgetClient = client.whenGone(giveUp);
      const waiting = this.#waiting.get(purchaseId) ?? new Set();
      this.#waiting.set(purchaseId, waiting.add(wake));
      this.#waiterCount++;
    });
  }

  /** Whoever waits has waited enough. */
  giveUp(): void {
    for (const waiting of [...this.#waiting.values()]) {
      for (const wake of [...waiting]) wake(undefined);
    }
  }

  /**
   * A command is about to be sent: from now until it is decided the purchase is `requested`. Before,
   * not after: the decision may be announced before the acknowledgement arrives.
   */
  expect(purchase: Purchase): void {
    const { pendingMax = PENDING_MAX } = this.#options;
    if (this.#pending.size >= pendingMax) {
      const oldest = this.#pending.keys().next();
      if (!oldest.done) this.#pending.delete(oldest.value);
    }
    this.#pending.set(purchase.purchaseId, purchase);
  }

  /** The command was not accepted, or its outcome has been seen at its owner. */
  forget(purchaseId: string): void {
    this.#pending.delete(purchaseId);
  }

  undecided(purchaseId: string): Purchase | undefined {
    return this.#pending.get(purchaseId);
  }

  onCommitted(notice: CommitNotice): void {
    for (const { batch } of notice.outputs) {
      forEachBatch(batch, (header) => {
        this.#cursor.open({ buffer: batch, header });
        while (this.#cursor.next()) this.#decided();
      });
    }
  }

  #decided(): void {
    const { statusSerde, outcomeSerde, onOutcome } = this.#options;
    const purchaseId = this.#awaitedId();
    if (purchaseId === undefined) {
      const outcome = this.#read(outcomeSerde);
      if (outcome !== undefined) onOutcome(outcome);
      return;
    }
    const purchase = this.#read(statusSerde);
    if (purchase === undefined) return;
    onOutcome(purchase);
    this.#pending.delete(purchaseId);
    const waiting = this.#waiting.get(purchaseId);
    if (waiting === undefined) return;
    for (const wake of [...waiting]) wake(purchase);
  }

  /** The record's purchase, if it matters to somebody here: most were asked for elsewhere. */
  #awaitedId(): string | undefined {
    if (this.#waiterCount === 0 && this.#pending.size === 0) return undefined;
    const { buffer, keyStart, keyEnd } = this.#cursor;
    if (keyStart < 0) return undefined;
    const purchaseId = buffer.toString('latin1', keyStart, keyEnd);
    const isAwaited = this.#pending.has(purchaseId) || this.#waiting.has(purchaseId);
    return isAwaited ? purchaseId : undefined;
  }

  /** What cannot be read here (a schema of another version of the app) is found in the store. */
  #read<T>(serde: Serde<T>): T | undefined {
    const { buffer, valueStart, valueEnd } = this.#cursor;
    if (valueStart < 0) return undefined;
    try {
      return serde.decode(buffer, valueStart, valueEnd);
    } catch {
      return undefined;
    }
  }

  #remove(purchaseId: string, wake: Wake): void {
    const waiting = this.#waiting.get(purchaseId);
    if (waiting?.delete(wake) !== true) return;
    this.#waiterCount--;
    if (waiting.size === 0) this.#waiting.delete(purchaseId);
  }
}
