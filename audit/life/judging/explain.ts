/** What may have led to an announced outcome: the next command, the next payment, or time. */
import type { PurchaseRecord } from '../../records/sale-records.ts';
import type { LifeState } from '../life-state.ts';
import type { CommandQueue } from '../queues/command-queue.ts';
import type { PaymentQueue } from '../queues/payment-queue.ts';
import { ended, type Prediction } from './predict-command.ts';

export interface Explanation {
  readonly prediction: Extract<Prediction, { kind: 'outcome' }>;
  /** undefined = a payment or time. */
  readonly commandOffset: number | undefined;
  /** Log time of the command or payment. */
  readonly timeMs?: number;
  readonly placement?: string | undefined;
  /** It has been the cause. */
  readonly take: () => void;
}

export class Explanations {
  readonly #state: LifeState;
  readonly #commands: CommandQueue;
  readonly #payments: PaymentQueue;

  constructor(state: LifeState, commands: CommandQueue, payments: PaymentQueue) {
    this.#state = state;
    this.#commands = commands;
    this.#payments = payments;
  }

  /** Best first, exact or not. */
  of(found: PurchaseRecord): readonly Explanation[] {
    return [
      ...some(this.byCommand(found)),
      ...some(this.#byTime(found)),
      ...this.#byPayment(found.purchaseId),
    ];
  }

  /** By the next command, if it is of this purchase. */
  byCommand(found: PurchaseRecord): Explanation | undefined {
    const command = this.#commands.first;
    if (command?.fields.purchaseId !== found.purchaseId) return undefined;
    const prediction = this.#commands.predict(command, found);
    if (prediction.kind !== 'outcome') return undefined;
    return {
      prediction,
      commandOffset: command.offset,
      timeMs: command.timeMs,
      placement: command.fields.options?.placement,
      take: () => this.#commands.take(),
    };
  }

  #byTime({ purchaseId, state, commandOffset }: PurchaseRecord): Explanation | undefined {
    const known = this.#state.purchases.get(purchaseId)?.record;
    const isEnd = known?.state === 'held' && state === 'expired';
    if (!isEnd || commandOffset !== known.commandOffset) return undefined;
    const prediction = { kind: 'outcome', purchase: ended(known), isRepeat: false } as const;
    return { prediction, commandOffset: undefined, take: () => {} };
  }

  #byPayment(purchaseId: string): readonly Explanation[] {
    return this.#payments.ofPurchase(purchaseId).flatMap(({ queued, count }) => {
      const prediction = this.#payments.predict(queued);
      if (prediction.kind !== 'outcome') return [];
      const take = () => this.#payments.take(count);
      return [{ prediction, commandOffset: undefined, timeMs: queued.timeMs, take }];
    });
  }
}

function some<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
