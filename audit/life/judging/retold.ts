/**
 * Where a command and a payment explain an outcome alike, both only told again what was known (A2). Which
 * of them was taken may turn out to be wrong: then the other one has had its outcome, and the one that is
 * left gets it later.
 */
import type { PurchaseRecord } from '../../records/sale-records.ts';
import type { LifeState } from '../life-state.ts';
import type { PaymentQueue } from '../queues/payment-queue.ts';
import { differsInLife } from './differences.ts';

export class Retold {
  readonly #state: LifeState;
  readonly #payments: PaymentQueue;
  /** By purchase: commands that were taken, and may have been payments. */
  readonly #doubtful = new Map<string, number>();
  /** By purchase: outcomes that come later. */
  readonly #owed = new Map<string, number>();

  constructor(state: LifeState, payments: PaymentQueue) {
    this.#state = state;
    this.#payments = payments;
  }

  tookCommand(purchaseId: string): void {
    this.#doubtful.set(purchaseId, (this.#doubtful.get(purchaseId) ?? 0) + 1);
  }

  /** True when the next payments were taken for commands before: their outcomes are there already. */
  correct(settle: () => void): boolean {
    let isCorrected = false;
    for (let due = this.#payments.firstDue(); due !== undefined; due = this.#payments.firstDue()) {
      const { purchaseId } = due.queued;
      const count = this.#doubtful.get(purchaseId) ?? 0;
      if (count === 0) break;
      this.#doubtful.set(purchaseId, count - 1);
      this.#owed.set(purchaseId, (this.#owed.get(purchaseId) ?? 0) + 1);
      this.#payments.takeRepeated(due.count);
      settle();
      isCorrected = true;
    }
    return isCorrected;
  }

  /** True, once, for each outcome that is owed since a correction. */
  takesOwed(found: PurchaseRecord): boolean {
    const { purchaseId } = found;
    const count = this.#owed.get(purchaseId) ?? 0;
    const known = this.#state.purchases.get(purchaseId)?.record;
    if (count === 0 || known === undefined || differsInLife(known, found) !== undefined) {
      return false;
    }
    this.#owed.set(purchaseId, count - 1);
    return true;
  }
}
