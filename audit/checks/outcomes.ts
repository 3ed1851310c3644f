/**
 * I4-I9, I13, I22, I24 over one partition: the outcomes that the fold expects, beside the outcomes that
 * were announced, in step. Both are in the order of the commands, so a difference is judged where it
 * stands, with a window of expectations to tell a missing outcome from a surplus one.
 */

import type { Findings, Rule } from '../findings.ts';
import type { CommittedLog } from '../log/committed-log.ts';
import { type Price, type PurchaseRecord, samePrice } from '../records/sale-records.ts';
import type { Consequence, SaleFold } from '../sale-fold.ts';
import type { DeadLetters } from './dead-letters.ts';
import { DecidedRanges, Manifest } from './manifests.ts';

/** Expectations that are held back, to look an unexpected outcome up. */
const WINDOW = 1_024;
/** Read in so many at a time: to change between the logs costs a turn of the event loop. */
const READ_AHEAD = 4 * WINDOW;

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
  #compared = 0;
  #repeats = 0;
  #priced = 0;
  /** What the outcomes' transactions have to do with those of the other topics. */
  readonly manifest: Manifest;
  readonly ranges = new DecidedRanges();

  constructor(context: OutcomesContext) {
    this.#context = context;
    this.manifest = new Manifest(context.status);
  }

  /** True when it is time to read outcomes. */
  get isFarAhead(): boolean {
    return this.#expected.length - this.#head > WINDOW + READ_AHEAD;
  }

  /** True while there is more expected than the window needs. */
  get isAhead(): boolean {
    return this.#expected.length - this.#head > WINDOW;
  }

  /** Something is expected that was not announced yet. */
  get isWaiting(): boolean {
    return this.#expected.length > this.#head;
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
    const { findings } = this.#context;
    for (const rule of ['I4', 'I5', 'I7', 'I8', 'I9'] as const) {
      findings.checked(rule, this.#compared);
    }
    findings.checked('I6', this.#repeats);
    findings.checked('I24', this.#priced);
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
    if (this.#head >= READ_AHEAD || this.#head === this.#expected.length) {
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
    this.#compared++;
    if (expected.isRepeat) this.#repeats++;
    if (expected.purchase.price !== null) this.#priced++;
    if (deadLetters.take(expected.inputOffset)) {
      const what = `the command for ${purchase.purchaseId} has an outcome and a dead letter`;
      findings.violated('I22', deadLetters.placeOf(expected.inputOffset), what);
    }
    const difference = differs(expected.purchase, purchase);
    if (difference === undefined) {
      this.#effect(expected);
      return;
    }
    findings.violated(blame(expected, purchase), place, `${purchase.purchaseId}: ${difference}`);
  }

  #effect({ purchase, before, isRepeat, inputOffset }: Expected): void {
    const { transaction } = this.#context.status;
    const replaced = before?.commandOffset;
    if (!isRepeat) {
      this.manifest.effect(purchase.commandOffset);
      const isReplaced = replaced !== undefined && this.ranges.isInCurrent(replaced, transaction);
      if (isReplaced) this.manifest.replaced(replaced);
    }
    this.ranges.decided(inputOffset, transaction);
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
  const from = before?.state ?? 'requested';
  if (announced.state !== purchase.state && !isLegal(from, announced.state)) return 'I4';
  return differsInFields(purchase, announced) === undefined ? 'I24' : 'I9';
}

function isLegal(from: string, to: string): boolean {
  return LEGAL[from]?.includes(to) === true;
}

/** The first field that differs, in words. */
export function differs(expected: PurchaseRecord, found: PurchaseRecord): string | undefined {
  const difference = differsInFields(expected, found);
  if (difference !== undefined || samePrice(expected.price, found.price)) return difference;
  return `price is ${inWords(found.price)}, and should be ${inWords(expected.price)}`;
}

/** Written out: it is asked for every outcome. */
function differsInFields(expected: PurchaseRecord, found: PurchaseRecord): string | undefined {
  const isSame =
    expected.state === found.state &&
    expected.reason === found.reason &&
    expected.quantity === found.quantity &&
    expected.commandOffset === found.commandOffset &&
    expected.decidedAtMs === found.decidedAtMs &&
    expected.requestedAtMs === found.requestedAtMs &&
    expected.purchaseId === found.purchaseId &&
    expected.buyerId === found.buyerId &&
    expected.eventId === found.eventId &&
    expected.zoneId === found.zoneId;
  if (isSame) return undefined;
  const field = FIELDS.find((name) => expected[name] !== found[name])!;
  return `${field} is ${found[field]}, and should be ${expected[field]}`;
}

function inWords(price: Price | null): string {
  return price === null ? 'none' : `${price.amountMinor} ${price.currency}`;
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
