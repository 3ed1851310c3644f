/**
 * I4-I9, I13, I22 over one partition: the outcomes that the fold expects, beside the outcomes that were
 * announced, in step. Both are in the order of the commands, so a difference is judged where it
 * stands, with a window of expectations to tell a missing outcome from a surplus one.
 */
import type { CommittedLog } from '../committed-log.ts';
import type { Findings, Rule } from '../findings.ts';
import type { Consequence, SaleFold } from '../sale-fold.ts';
import { type PurchaseRecord, samePrice } from '../sale-records.ts';
import type { DeadLetters } from './dead-letters.ts';

/** Expectations that are held back, to look an unexpected outcome up. */
const WINDOW = 1_024;

type Outcome = Extract<Consequence, { kind: 'outcome' }>;
type Expected = Outcome & { readonly inputOffset: number };

const LEGAL: Readonly<Record<string, readonly string[]>> = {
  requested: ['held', 'confirmed', 'rejected'],
  held: ['confirmed', 'expired', 'released', 'payment_failed'],
  confirmed: ['cancelled'],
  cancelled: ['refunded'],
};

export interface OutcomesContext {
  readonly findings: Findings;
  readonly fold: SaleFold;
  readonly deadLetters: DeadLetters;
  readonly status: CommittedLog;
  readonly commandPlace: (offset: number) => string;
}

export class Outcomes {
  readonly #context: OutcomesContext;
  readonly #expected: Expected[] = [];
  #head = 0;
  /** Passed over, by purchase: missing, unless they come late. */
  readonly #missing = new Map<string, Expected[]>();
  /** Purchases whose commands belong with the dead letters, or lie in aborted batches. */
  readonly #refused = new Map<string, number>();
  readonly #aborted = new Set<string>();
  #holesUsed = 0;

  constructor(context: OutcomesContext) {
    this.#context = context;
  }

  /** True while there is more expected than the window needs. */
  get isAhead(): boolean {
    return this.#expected.length - this.#head > WINDOW;
  }

  expect(outcome: Outcome, inputOffset: number): void {
    this.#expected.push({ ...outcome, inputOffset });
  }

  refused(purchaseId: string, inputOffset: number): void {
    this.#refused.set(purchaseId, inputOffset);
  }

  aborted(purchaseId: string): void {
    this.#aborted.add(purchaseId);
  }

  announced(purchase: PurchaseRecord, offset: number): void {
    const place = this.#context.status.placeOf(offset);
    const head = this.#expected[this.#head];
    if (head?.purchase.purchaseId === purchase.purchaseId) {
      this.#take();
      this.#compare(head, purchase, place);
      return;
    }
    if (this.#cameLate(purchase, place)) return;
    const index = this.#find(purchase.purchaseId);
    if (index < 0) {
      this.#surplus(purchase, place);
      return;
    }
    this.#passOver(index - this.#head);
    const expected = this.#take();
    this.#compare(expected, purchase, place);
  }

  /** After the last announced outcome: what is still expected is missing. */
  end(): void {
    this.#passOver(this.#expected.length - this.#head);
    for (const [purchaseId, missing] of this.#missing) {
      for (const { inputOffset } of missing) this.#isMissing(purchaseId, inputOffset);
    }
  }

  #isMissing(purchaseId: string, inputOffset: number): void {
    const { deadLetters, findings, commandPlace } = this.#context;
    const isRefused = deadLetters.has(inputOffset);
    const what = isRefused
      ? `the command for ${purchaseId} is a dead letter, and should have an outcome`
      : `the command for ${purchaseId} has no outcome`;
    findings.violated(isRefused ? 'I9' : 'I7', commandPlace(inputOffset), what);
  }

  #take(): Expected {
    const expected = this.#expected[this.#head++]!;
    if (this.#head >= 4 * WINDOW || this.#head === this.#expected.length) {
      this.#expected.splice(0, this.#head);
      this.#head = 0;
    }
    return expected;
  }

  #find(purchaseId: string): number {
    for (let index = this.#head; index < this.#expected.length; index++) {
      if (this.#expected[index]!.purchase.purchaseId === purchaseId) return index;
    }
    return -1;
  }

  #passOver(count: number): void {
    for (let passed = 0; passed < count; passed++) {
      const expected = this.#take();
      // Compaction takes outcomes that newer ones of the same purchase replace, and leaves a hole.
      if (this.#holesUsed < this.#context.status.holes) {
        this.#holesUsed++;
        continue;
      }
      const { purchaseId } = expected.purchase;
      const missing = this.#missing.get(purchaseId);
      if (missing === undefined) this.#missing.set(purchaseId, [expected]);
      else missing.push(expected);
    }
  }

  #cameLate(purchase: PurchaseRecord, place: string): boolean {
    const late = this.#missing.get(purchase.purchaseId);
    const expected = late?.shift();
    if (expected === undefined) return false;
    if (late?.length === 0) this.#missing.delete(purchase.purchaseId);
    const what = `the outcome of ${purchase.purchaseId} comes after those of later commands`;
    this.#context.findings.violated('I8', place, what);
    return true;
  }

  #compare(expected: Expected, purchase: PurchaseRecord, place: string): void {
    const { findings, deadLetters } = this.#context;
    for (const rule of ['I4', 'I5', 'I7', 'I8', 'I9'] as const) findings.checked(rule);
    if (expected.isRepeat) findings.checked('I6');
    if (deadLetters.take(expected.inputOffset)) {
      const what = `the command for ${purchase.purchaseId} has an outcome and a dead letter`;
      findings.violated('I22', deadLetters.placeOf(expected.inputOffset), what);
    }
    const difference = differs(expected.purchase, purchase);
    if (difference === undefined) return;
    findings.violated(blame(expected, purchase), place, `${purchase.purchaseId}: ${difference}`);
  }

  #surplus(purchase: PurchaseRecord, place: string): void {
    const { purchaseId, state } = purchase;
    const { findings, fold, deadLetters } = this.#context;
    const known = fold.purchases.get(purchaseId);
    if (known !== undefined) {
      if (differs(known, purchase) === undefined || isLegal(known.state, state)) {
        findings.violated('I7', place, `${purchaseId} has an outcome more than commands`);
      } else findings.violated('I5', place, `${purchaseId} is ${state} after ${known.state}`);
      return;
    }
    const refusedAt = this.#refused.get(purchaseId);
    if (refusedAt !== undefined) {
      const rule: Rule = deadLetters.has(refusedAt) ? 'I22' : 'I9';
      findings.violated(rule, place, `${purchaseId} is ${state}; its command cannot be used`);
    } else if (this.#aborted.has(purchaseId)) {
      findings.violated('I13', place, `${purchaseId} is ${state}; its command was aborted`);
    } else findings.violated('I7', place, `${purchaseId} is ${state}; nobody asked for it`);
  }
}

function blame({ purchase, before, isRepeat }: Expected, announced: PurchaseRecord): Rule {
  if (isRepeat) return 'I6';
  if (announced.state !== purchase.state && !isLegal(before, announced.state)) return 'I4';
  return 'I9';
}

function isLegal(from: string, to: string): boolean {
  return LEGAL[from]?.includes(to) === true;
}

/** The first field that differs, in words. */
export function differs(expected: PurchaseRecord, found: PurchaseRecord): string | undefined {
  if (expected === found) return undefined;
  for (const field of FIELDS) {
    if (expected[field] === found[field]) continue;
    return `${field} is ${found[field]}, and should be ${expected[field]}`;
  }
  if (samePrice(expected.price, found.price)) return undefined;
  return `price is ${found.price?.amountMinor}, and should be ${expected.price?.amountMinor}`;
}

const FIELDS = [
  'state',
  'reason',
  'quantity',
  'commandOffset',
  'decidedAtMs',
  'requestedAtMs',
  'purchaseId',
  'buyerId',
  'eventId',
  'zoneId',
] as const satisfies readonly (keyof PurchaseRecord)[];
