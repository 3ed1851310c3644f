/**
 * Zones whose purchases are held and paid, in one partition. Commands and payments lie in two logs, and
 * holds end in none: in which order they were decided only the announced outcomes say. So each outcome is
 * explained: by the next command, by the next payment, or by time, as it would have to look then.
 *
 * A1. What explains it exactly, has been its cause. Where nothing does, it is blamed on what comes next
 *     for its purchase, and the fold goes on with what should have been.
 * A2. Where a command and a payment explain it alike, both only have told again what was known. Which
 *     came first their times say; where these are the same, the other order is allowed, too.
 * A3. That a hold ended is the sale's to say; that it had to have come is checked (I16).
 */
import type { Findings, Rule } from '../findings.ts';
import type { CommandFields, CommandKind, PaymentRecord, PurchaseRecord } from '../sale-records.ts';
import { differsInLife } from './differences.ts';
import { type LifePurchase, LifeZone, type ZoneFacts } from './life-zone.ts';
import type { Money } from './money.ts';
import {
  ended,
  flawOfSeats,
  isDue,
  type Owed,
  type Prediction,
  type PurchaseKind,
  predictCommand,
} from './predict-command.ts';
import { type LifePayment, predictPayment, refundIdOf } from './predict-payment.ts';
import { alterZone, type ZoneKind } from './zone-commands.ts';

export type LetterState = 'none' | 'same' | 'different';

interface LifeCommand {
  readonly kind: CommandKind;
  readonly fields: CommandFields;
  readonly offset: number;
  readonly timeMs: number;
  readonly letter: LetterState;
}

interface QueuedPayment extends LifePayment {
  readonly letter: LetterState;
  readonly place: string;
}

/** What explains an outcome. */
interface Explanation {
  readonly prediction: Extract<Prediction, { kind: 'outcome' }>;
  /** undefined = a payment or time. */
  readonly commandOffset: number | undefined;
  /** Log time of the command or payment. */
  readonly timeMs?: number;
  readonly placement?: string | undefined;
  readonly take: () => void;
}

export interface LifeContext {
  readonly findings: Findings;
  readonly commandPlace: (offset: number) => string;
  readonly money: Money;
}

/** Where an outcome was announced. */
export interface Announcement {
  readonly place: string;
  /** Of its record: that of its cause. */
  readonly timeMs: number;
  readonly transaction: object | undefined;
  /** Broker's time when its transaction ended; undefined = it was written in none, or the clock went back. */
  readonly endedAtMs: number | undefined;
}

const QUEUE_MAX = 4_096;
const WINDOW = 1_024;
const LEGAL: Readonly<Record<string, readonly string[]>> = {
  requested: ['held', 'confirmed', 'rejected'],
  held: ['confirmed', 'expired', 'released', 'payment_failed'],
  expired: ['confirmed'],
  confirmed: ['cancelled'],
  cancelled: ['refunded'],
};
/** So long after its end a hold may be found alive. */
const GRACE_MS = 5_000;

export class LifeAudit {
  readonly zones = new Map<string, LifeZone>();
  readonly purchases = new Map<string, LifePurchase>();
  readonly #keys = new Set<string>();
  readonly #context: LifeContext;
  readonly #commands: LifeCommand[] = [];
  readonly #payments: QueuedPayment[] = [];
  /** By purchase: payments that may have been taken for commands, and outcomes that then come later. */
  readonly #mistakable = new Map<string, number>();
  readonly #comeLater = new Map<string, number>();
  #paymentsDone = 0;
  #lastTimeMs = 0;
  #explained = 0;
  #repeats = 0;
  #seated = 0;
  #timed = 0;

  constructor(context: LifeContext) {
    this.#context = context;
  }

  /** All commands up to here have been followed; undefined = all that came. */
  get followedOffset(): number | undefined {
    const [command] = this.#commands;
    return command === undefined ? undefined : command.offset - 1;
  }

  /** True when outcomes should be read before more commands are. */
  get isFarAhead(): boolean {
    return this.#commands.length > QUEUE_MAX;
  }

  get isAhead(): boolean {
    return this.#commands.length > WINDOW;
  }

  isOurs(key: string): boolean {
    return this.#keys.has(key);
  }

  /** From now on this zone is followed here. */
  own(key: string, facts?: ZoneFacts, purchases: Iterable<PurchaseRecord> = []): void {
    this.#keys.add(key);
    if (facts === undefined) return;
    this.zones.set(key, new LifeZone(facts));
    for (const record of purchases) {
      this.purchases.set(record.purchaseId, newPurchase(record, '', undefined, 0));
    }
  }

  payment(payment: QueuedPayment): void {
    this.#payments.push(payment);
    this.#keys.add(keyOf(payment.payment));
  }

  command(command: LifeCommand): void {
    this.#commands.push(command);
  }

  announced(found: PurchaseRecord, at: Announcement): { readonly isRepeat: boolean } | undefined {
    this.settle();
    let [explanations, exact] = this.#exactFor(found, at);
    if (exact === undefined && this.#undoMistakes()) {
      [explanations, exact] = this.#exactFor(found, at);
    }
    if (exact === undefined && this.#cameLater(found)) return REPEATED;
    const explanation = exact ?? explanations[0] ?? this.#later(found);
    if (explanation === undefined) {
      this.#surplus(found, at.place);
      return undefined;
    }
    this.#explained++;
    explanation.take();
    const isRight = this.#compare(explanation, found, at);
    this.#carryOver(explanation, at);
    return isRight ? explanation.prediction : undefined;
  }

  #exactFor(
    found: PurchaseRecord,
    { timeMs }: Announcement,
  ): [explanations: Explanation[], exact: Explanation | undefined] {
    const explanations = this.#explanationsOf(found);
    const exact = explanations.filter(
      ({ prediction }) => differsInLife(prediction.purchase, found) === undefined,
    );
    const best = exact.find((each) => each.timeMs === timeMs) ?? exact[0];
    if (exact.length > 1 && best?.commandOffset !== undefined) {
      const { purchaseId } = found;
      this.#mistakable.set(purchaseId, (this.#mistakable.get(purchaseId) ?? 0) + 1);
    }
    return [explanations, best];
  }

  /** True when payments at the head were taken for commands before: their outcomes are there already. */
  #undoMistakes(): boolean {
    let isUndone = false;
    for (let [queued] = this.#payments; queued !== undefined; [queued] = this.#payments) {
      const { purchaseId } = queued.payment;
      const count = this.#mistakable.get(purchaseId) ?? 0;
      if (count === 0) break;
      this.#mistakable.set(purchaseId, count - 1);
      this.#comeLater.set(purchaseId, (this.#comeLater.get(purchaseId) ?? 0) + 1);
      this.#dropPayment();
      this.settle();
      isUndone = true;
    }
    return isUndone;
  }

  #cameLater(found: PurchaseRecord): boolean {
    const { purchaseId } = found;
    const count = this.#comeLater.get(purchaseId) ?? 0;
    const known = this.purchases.get(purchaseId)?.record;
    if (count === 0 || known === undefined || differsInLife(known, found) !== undefined)
      return false;
    this.#comeLater.set(purchaseId, count - 1);
    return true;
  }

  end(isSettled: boolean): void {
    const { findings, commandPlace } = this.#context;
    this.settle();
    this.#undoMistakes();
    for (const { kind, fields, offset } of this.#commands) {
      if (!isOfPurchase(kind)) continue;
      const what = `the command for ${fields.purchaseId} has no outcome`;
      findings.violated('I7', commandPlace(offset), what);
    }
    for (const queued of this.#payments) {
      if (this.#isOptional(queued)) continue;
      const what = `the payment for ${queued.payment.purchaseId} has no outcome`;
      findings.violated('I7', queued.place, what);
    }
    for (const rule of ['I4', 'I5', 'I7', 'I9', 'I24'] as const)
      findings.checked(rule, this.#explained);
    findings.checked('I6', this.#repeats);
    if (this.#seated > 0) findings.checked('I2', this.#seated);
    for (const { record, place } of this.purchases.values()) this.#endOf(record, place, isSettled);
    if (this.#timed > 0) findings.checked('I16', this.#timed);
  }

  #endOf(record: PurchaseRecord, place: string, isSettled: boolean): void {
    const { state, checkout, price, purchaseId } = record;
    if (checkout === null) return;
    const { findings } = this.#context;
    if (state === 'held') {
      this.#timed++;
      const isOver = this.#lastTimeMs > checkout.heldUntilMs + GRACE_MS;
      if (isSettled && isOver) {
        const what = `${purchaseId} is held, though its time was over at ${checkout.heldUntilMs}`;
        findings.violated('I16', place, what);
      }
    }
    this.#context.money.left(record, state === 'confirmed' ? (price?.amountMinor ?? 0) : 0, place);
  }

  /** Whatever comes before the next outcome and has none: operators' commands, dead letters, nobody's money. */
  settle(): void {
    for (;;) {
      const [command] = this.#commands;
      if (command === undefined || !this.#isSilent(command)) break;
      this.#commands.shift();
    }
    for (;;) {
      const [queued] = this.#payments;
      if (queued === undefined || !this.#isNobodys(queued)) break;
      this.#dropPayment();
    }
  }

  /** Followed here, and without an outcome. */
  #isSilent(command: LifeCommand): boolean {
    const { kind, fields, offset, timeMs, letter } = command;
    this.#lastTimeMs = Math.max(this.#lastTimeMs, timeMs);
    const zone = this.zones.get(keyOf(fields));
    if (!isOfPurchase(kind)) {
      const flaw = alterZone(this.zones, kind as ZoneKind, fields, offset, letter !== 'none');
      this.#letter(letter, flaw, offset);
      return true;
    }
    if (letter === 'none') return false;
    const prediction = this.#predictCommand(command, zone, undefined);
    this.#letter(letter, prediction.kind === 'dead-letter' ? prediction.why : undefined, offset);
    return true;
  }

  /** `why`: the command belongs with the dead letters. */
  #letter(letter: LetterState, why: string | undefined, offset: number): void {
    const { findings, commandPlace } = this.#context;
    const place = commandPlace(offset);
    findings.checked('I7');
    if (why !== undefined && letter === 'none') {
      findings.violated('I7', place, `the command has neither outcome nor dead letter (${why})`);
    } else if (why === undefined && letter !== 'none') {
      findings.violated('I9', place, 'the command is a dead letter, and could be used');
    } else if (letter === 'different') {
      findings.violated('I21', place, 'its dead letter has not its bytes');
    }
  }

  /** Has no outcome. Where it could have one, the dead letters and the refunds say. */
  #isNobodys({ payment, letter }: QueuedPayment): boolean {
    if (letter !== 'none') return true;
    const { purchaseId, paymentId, status } = payment;
    const { money } = this.#context;
    const refundId = refundIdOf(purchaseId, paymentId);
    if (money.askedFor(refundId)?.reason !== 'unknown_purchase') return false;
    if (this.purchases.has(purchaseId)) {
      return status === 'succeeded' && !money.refunds.has(refundId);
    }
    return status !== 'failed';
  }

  /** Followed here: money comes and goes, and nobody is told. */
  #passNobodys({ payment, letter, place }: QueuedPayment): void {
    const { findings, money } = this.#context;
    if (letter === 'different')
      findings.violated('I21', place, 'its dead letter has not its bytes');
    if (letter !== 'none') return;
    const { purchaseId, paymentId, amountMinor, currency } = payment;
    if (payment.status === 'refunded') money.paidBack(payment.refundId);
    if (payment.status !== 'succeeded') return;
    money.captured(payment);
    if (money.refunds.has(refundIdOf(purchaseId, paymentId))) return;
    money.owes(payment, { paymentId, amountMinor, currency, reason: 'unknown_purchase' });
  }

  #dropPayment(): void {
    const queued = this.#payments.shift();
    if (queued === undefined) return;
    if (this.#isNobodys(queued)) this.#passNobodys(queued);
    this.#paymentsDone++;
    this.#lastTimeMs = Math.max(this.#lastTimeMs, queued.timeMs);
  }

  /** Best first, exact or not. */
  #explanationsOf(found: PurchaseRecord): Explanation[] {
    const { purchaseId } = found;
    const explanations: Explanation[] = [];
    const [command] = this.#commands;
    if (command?.fields.purchaseId === purchaseId) {
      const explanation = this.#byCommand(command, found);
      if (explanation !== undefined) explanations.push(explanation);
    }
    const known = this.purchases.get(purchaseId)?.record;
    const isEnd = known?.state === 'held' && found.state === 'expired';
    if (isEnd && known !== undefined && found.commandOffset === known.commandOffset) {
      explanations.push({
        prediction: { kind: 'outcome', purchase: ended(known), isRepeat: false },
        commandOffset: undefined,
        take: () => {},
      });
    }
    for (const [index, queued] of this.#payments.entries()) {
      if (queued.payment.purchaseId === purchaseId) {
        const explanation = this.#byPayment(queued, index);
        if (explanation !== undefined) explanations.push(explanation);
      }
      if (!this.#isNobodys(queued) && !this.#isOptional(queued)) break;
    }
    return explanations;
  }

  #byCommand(command: LifeCommand, found: PurchaseRecord): Explanation | undefined {
    const zone = this.zones.get(keyOf(command.fields));
    const prediction = this.#predictCommand(command, zone, found);
    if (prediction.kind !== 'outcome') return undefined;
    return {
      prediction,
      commandOffset: command.offset,
      timeMs: command.timeMs,
      placement: command.fields.options?.placement,
      take: () => this.#commands.shift(),
    };
  }

  #byPayment(queued: QueuedPayment, index: number): Explanation | undefined {
    const prediction = this.#predictPayment(queued);
    if (prediction.kind !== 'outcome') return undefined;
    return {
      prediction,
      commandOffset: undefined,
      timeMs: queued.timeMs,
      take: () => {
        for (let passed = 0; passed <= index; passed++) this.#dropPayment();
        if (queued.payment.status === 'succeeded') this.#context.money.captured(queued.payment);
        if (queued.payment.status === 'refunded')
          this.#context.money.paidBack(queued.payment.refundId);
      },
    };
  }

  /** Something further on in a queue: what lies before it has no outcome, or had it too late. */
  #later(found: PurchaseRecord): Explanation | undefined {
    const { findings, commandPlace } = this.#context;
    const { purchaseId } = found;
    const index = this.#commands.findIndex(({ fields }) => fields.purchaseId === purchaseId);
    if (index < 0) return undefined;
    for (const { kind, fields, offset } of this.#commands.splice(0, index)) {
      if (!isOfPurchase(kind)) continue;
      const what = `the command for ${fields.purchaseId} has no outcome`;
      findings.violated('I7', commandPlace(offset), what);
    }
    return this.#byCommand(this.#commands[0]!, found);
  }

  /** Neither a command, nor a payment, nor time has led to it. */
  #surplus(found: PurchaseRecord, place: string): void {
    const { findings } = this.#context;
    const { purchaseId, state } = found;
    const known = this.purchases.get(purchaseId)?.record;
    if (known === undefined) {
      findings.violated('I7', place, `${purchaseId} is ${state}; nobody asked for it`);
    } else if (known.state === state && differsInLife(known, found) === undefined) {
      findings.violated('I7', place, `${purchaseId} has an outcome more than it has causes`);
    } else if (known.state === 'held' && state === 'confirmed') {
      findings.violated('I15', place, `${purchaseId} is confirmed, and nobody paid for it`);
    } else if (known.state === 'expired' && state === 'confirmed') {
      findings.violated('I16', place, `${purchaseId} is confirmed after its hold has ended`);
    } else findings.violated('I5', place, `${purchaseId} is ${state} after ${known.state}`);
  }

  #predictCommand(
    { kind, fields, offset, timeMs }: LifeCommand,
    zone: LifeZone | undefined,
    found: PurchaseRecord | undefined,
  ): Prediction {
    const known = this.purchases.get(fields.purchaseId)?.record;
    const command = { kind: kind as PurchaseKind, fields };
    return predictCommand(zone, known, command, { offset, timeMs }, found);
  }

  #predictPayment(queued: QueuedPayment): ReturnType<typeof predictPayment> {
    const { payment } = queued;
    const known = this.purchases.get(payment.purchaseId)?.record;
    return predictPayment(
      this.zones.get(keyOf(payment)),
      known,
      queued,
      this.#context.money.refunds,
    );
  }

  /** It may have been decided before its purchase was known, or have been what found the hold over. */
  #isOptional({ payment }: QueuedPayment): boolean {
    const { status, amountMinor, purchaseId } = payment;
    if (status !== 'failed' && !(status === 'succeeded' && amountMinor === 0)) return false;
    const purchase = this.purchases.get(purchaseId);
    if (purchase === undefined || purchase.hasEndedByItself) return true;
    return purchase.paymentsBefore === this.#paymentsDone;
  }

  #compare(
    { prediction, placement }: Explanation,
    found: PurchaseRecord,
    at: Announcement,
  ): boolean {
    const { findings } = this.#context;
    const { purchase, isRepeat } = prediction;
    if (isRepeat) this.#repeats++;
    const before = this.purchases.get(found.purchaseId)?.record;
    const told = (rule: Rule, what: string) =>
      findings.violated(rule, at.place, `${found.purchaseId}: ${what}`);
    const zone = this.zones.get(keyOf(found));
    const isGranted = placement !== undefined && !isRepeat && hasTickets(found);
    if (zone !== undefined && isGranted && found.seats.length > 0) {
      this.#seated++;
      const flaw = flawOfSeats(zone, found, placement);
      if (flaw !== undefined) {
        told(flaw.isTaken ? 'I2' : 'I9', flaw.what);
        return false;
      }
    }
    const difference = differsInLife(purchase, found);
    if (difference !== undefined) {
      told(this.#blame(purchase, found, before, isRepeat), difference);
      return false;
    }
    if (found.state !== 'expired' || before?.state !== 'held') return true;
    this.#timed++;
    const untilMs = before.checkout?.heldUntilMs ?? 0;
    if (at.endedAtMs === undefined || at.endedAtMs >= untilMs) return true;
    told('I16', `its hold ends at ${untilMs}, and was ended by ${at.endedAtMs}`);
    return false;
  }

  #blame(
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

  #carryOver({ prediction, commandOffset }: Explanation, at: Announcement): void {
    const { purchase, isRepeat, refund } = prediction;
    const before = this.purchases.get(purchase.purchaseId);
    if (refund !== undefined) this.#owe(purchase, refund);
    if (isRepeat && before !== undefined) return;
    const zone = this.zones.get(keyOf(purchase));
    zone?.moved(before?.record, purchase, commandOffset, at.place);
    if (purchase.state === 'held' && before === undefined)
      this.#context.money.held(purchase, at.place);
    const next = newPurchase(purchase, at.place, at.transaction, this.#paymentsDone);
    const isSelf = purchase.state === 'expired' && commandOffset === undefined;
    this.purchases.set(purchase.purchaseId, {
      ...next,
      paymentsBefore: before?.paymentsBefore ?? next.paymentsBefore,
      hasEndedByItself: isSelf || (before?.hasEndedByItself ?? false),
    });
  }

  #owe(purchase: PurchaseRecord, refund: Owed): void {
    this.#context.money.owes(purchase, refund);
  }
}

const REPEATED = { isRepeat: true } as const;

function newPurchase(
  record: PurchaseRecord,
  place: string,
  transaction: object | undefined,
  paymentsBefore: number,
): LifePurchase {
  return { record, place, transaction, paymentsBefore, hasEndedByItself: false, isLogged: false };
}

function isOver(expected: PurchaseRecord, found: PurchaseRecord): boolean {
  return expected.state === 'expired' && isDue({ ...expected, state: 'held' }, found.decidedAtMs);
}

function hasTickets({ state }: PurchaseRecord): boolean {
  return state === 'held' || state === 'confirmed';
}

function isOfPurchase(kind: CommandKind): kind is PurchaseKind {
  return PURCHASE_KINDS.has(kind);
}

const PURCHASE_KINDS: ReadonlySet<CommandKind> = new Set([
  'Purchase',
  'CancelPurchase',
  'ExtendHold',
  'ConfirmHold',
  'RejectPurchase',
]);

const MONEY = /^(paidMinor|refundRequestedMinor|refundedMinor|paymentId|paymentOffset) /;

function ruleOfField(difference: string): Rule {
  if (difference.startsWith('price ')) return 'I24';
  if (difference.startsWith('heldUntilMs ')) return 'I16';
  return MONEY.test(difference) ? 'I15' : 'I9';
}

function keyOf({ eventId, zoneId }: Pick<PaymentRecord, 'eventId' | 'zoneId'>): string {
  return `${eventId}/${zoneId}`;
}
