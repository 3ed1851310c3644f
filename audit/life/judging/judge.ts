/** Holds an announced outcome against what it should have been, and names the rule that it breaks. */
import type { Findings, Rule } from '../../findings.ts';
import type { PurchaseRecord } from '../../records/sale-records.ts';
import { keyOf, type LifeState } from '../life-state.ts';
import { differsInLife } from './differences.ts';
import type { Explanation } from './explain.ts';
import { flawOfSeats, isDue } from './predict-command.ts';

/** Where an outcome was announced. */
export interface Announcement {
  readonly place: string;
  /** Of its record: that of its cause. */
  readonly timeMs: number;
  readonly transaction: object | undefined;
  /** Broker's time when its transaction ended; undefined = it was written in none, or the clock went back. */
  readonly endedAtMs: number | undefined;
}

const LEGAL: Readonly<Record<string, readonly string[]>> = {
  requested: ['held', 'confirmed', 'rejected'],
  held: ['confirmed', 'expired', 'released', 'payment_failed'],
  expired: ['confirmed'],
  confirmed: ['cancelled'],
  cancelled: ['refunded'],
};

export class Judge {
  readonly #findings: Findings;
  readonly #state: LifeState;
  #explained = 0;
  #repeats = 0;
  #seated = 0;
  #timed = 0;

  constructor(findings: Findings, state: LifeState) {
    this.#findings = findings;
    this.#state = state;
  }

  /** True when it is right. */
  compare(explanation: Explanation, found: PurchaseRecord, at: Announcement): boolean {
    const { prediction } = explanation;
    const { purchase, isRepeat } = prediction;
    this.#explained++;
    if (isRepeat) this.#repeats++;
    const before = this.#state.purchases.get(found.purchaseId)?.record;
    const told = (rule: Rule, what: string) => {
      this.#findings.violated(rule, at.place, `${found.purchaseId}: ${what}`);
      return false;
    };
    const flaw = isRepeat ? undefined : this.#flawOfSeats(explanation, found);
    if (flaw !== undefined) return told(flaw.isTaken ? 'I2' : 'I9', flaw.what);
    const difference = differsInLife(purchase, found);
    if (difference !== undefined) return told(blame(purchase, found, before, isRepeat), difference);
    if (found.state !== 'expired' || before?.state !== 'held') return true;
    this.#timed++;
    const untilMs = before.checkout?.heldUntilMs ?? 0;
    if (at.endedAtMs === undefined || at.endedAtMs >= untilMs) return true;
    return told('I16', `its hold ends at ${untilMs}, and was ended by ${at.endedAtMs}`);
  }

  /** Neither a command, nor a payment, nor time has led to it. */
  surplus(found: PurchaseRecord, place: string): void {
    const { purchaseId, state } = found;
    const known = this.#state.purchases.get(purchaseId)?.record;
    const told = (rule: Rule, what: string) => this.#findings.violated(rule, place, what);
    if (known === undefined) told('I7', `${purchaseId} is ${state}; nobody asked for it`);
    else if (known.state === state && differsInLife(known, found) === undefined) {
      told('I7', `${purchaseId} has an outcome more than it has causes`);
    } else if (known.state === 'held' && state === 'confirmed') {
      told('I15', `${purchaseId} is confirmed, and nobody paid for it`);
    } else if (known.state === 'expired' && state === 'confirmed') {
      told('I16', `${purchaseId} is confirmed after its hold has ended`);
    } else told('I5', `${purchaseId} is ${state} after ${known.state}`);
  }

  /** A hold at the end of the log; `untilMs`: to when it may be found alive. */
  stillHeld({ purchaseId, checkout }: PurchaseRecord, place: string, untilMs: number): void {
    this.#timed++;
    if (this.#state.timeMs <= untilMs) return;
    const what = `${purchaseId} is held, though its time was over at ${checkout?.heldUntilMs}`;
    this.#findings.violated('I16', place, what);
  }

  end(): void {
    for (const rule of ['I4', 'I5', 'I7', 'I9', 'I24'] as const) {
      this.#findings.checked(rule, this.#explained);
    }
    this.#findings.checked('I6', this.#repeats);
    if (this.#seated > 0) this.#findings.checked('I2', this.#seated);
    if (this.#timed > 0) this.#findings.checked('I16', this.#timed);
  }

  #flawOfSeats({ placement }: Explanation, found: PurchaseRecord) {
    const zone = this.#state.zones.get(keyOf(found));
    const isGranted = found.state === 'held' || found.state === 'confirmed';
    const hasSeats = placement !== undefined && isGranted && found.seats.length > 0;
    if (zone === undefined || !hasSeats) return undefined;
    this.#seated++;
    return flawOfSeats(zone, found, placement);
  }
}

function blame(
  expected: PurchaseRecord,
  found: PurchaseRecord,
  before: PurchaseRecord | undefined,
  isRepeat: boolean,
): Rule {
  const isLate = before !== undefined && (before.state === 'expired' || isOver(expected, found));
  if (isLate && found.state === 'confirmed') return 'I16';
  if (isRepeat) return 'I6';
  const from = before?.state ?? 'requested';
  const isLegal = found.state === from || LEGAL[from]?.includes(found.state) === true;
  if (found.state !== expected.state) return isLegal ? 'I9' : 'I4';
  return ruleOfField(differsInLife(expected, found)!);
}

function isOver(expected: PurchaseRecord, found: PurchaseRecord): boolean {
  return expected.state === 'expired' && isDue({ ...expected, state: 'held' }, found.decidedAtMs);
}

const MONEY = /^(paidMinor|refundRequestedMinor|refundedMinor|paymentId|paymentOffset) /;

function ruleOfField(difference: string): Rule {
  if (difference.startsWith('price ')) return 'I24';
  if (difference.startsWith('heldUntilMs ')) return 'I16';
  return MONEY.test(difference) ? 'I15' : 'I9';
}
