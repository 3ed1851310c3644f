/**
 * What one announcement of an order may say after the one before it, and by itself: this auditor's own
 * reading of the published rules. Pure.
 */
import type { Rule } from '../findings.ts';
import {
  isGone,
  isPending,
  isSameRequest,
  type LineRecord,
  type OrderRecord,
} from '../records/order-records.ts';

export interface Flaw {
  readonly rule: Rule;
  readonly what: string;
}

const LEGAL: Readonly<Record<string, readonly string[]>> = {
  requested: ['held', 'paid', 'rejected', 'expired', 'released'],
  held: ['paid', 'expired', 'released', 'payment_failed'],
  paid: ['confirmed', 'cancelled'],
  confirmed: ['cancelled'],
  cancelled: ['refunded'],
};
const LINE_LEGAL: Readonly<Record<string, readonly string[]>> = {
  requested: ['held', 'rejected'],
  held: ['confirmed', 'expired', 'released', 'payment_failed'],
  expired: ['confirmed'],
  confirmed: ['cancelled'],
  cancelled: ['refunded'],
};
/** A tenth of a hold before it ends, and at most so much, its order does. */
const MARGIN_MS_MAX = 30_000;
const MARGIN_PART = 10;

/** Whatever came before it. */
export function flawOfOrder(order: OrderRecord): Flaw | undefined {
  const { state, lines, price, deadlineMs, decidingLine, reason } = order;
  if (isPending(state) !== deadlineMs > 0) {
    return { rule: 'I16', what: `it is ${state}, and ends at ${deadlineMs}` };
  }
  const kept = lines.findIndex((line) => !isGone(line.state) && !line.isGivenBack);
  if (isGone(state) && kept >= 0) {
    return { rule: 'I27', what: `it is ${state}, and line ${kept} is not given back` };
  }
  const gone = lines.findIndex((line) => isGone(line.state));
  if ((state === 'held' || state === 'paid') && gone >= 0) {
    return { rule: 'I27', what: `it is ${state}, and line ${gone} is ${lines[gone]!.state}` };
  }
  if (price !== null && !isSumOf(price, lines)) {
    return { rule: 'I24', what: `it costs ${price.amountMinor}, and its lines cost another sum` };
  }
  if (decidingLine !== null && state === 'rejected' && lines[decidingLine]?.reason !== reason) {
    return { rule: 'I9', what: `it is rejected with ${reason}, and line ${decidingLine} is not` };
  }
  if ((state === 'paid' || state === 'confirmed') && isPriced(order) && order.paymentId === null) {
    return { rule: 'I15', what: `it is ${state}, and nobody paid for it` };
  }
  return undefined;
}

/** `hasHoles`: compaction may have removed what lay between. */
export function flawOfStep(
  before: OrderRecord,
  after: OrderRecord,
  hasHoles: boolean,
): Flaw | undefined {
  return (
    flawOfState(before, after, hasHoles) ??
    flawOfIdentity(before, after) ??
    flawOfLines(before, after, hasHoles) ??
    flawOfMoney(before, after) ??
    (hasHoles ? undefined : flawOfEntry(before, after))
  );
}

function flawOfState(
  { state: from }: OrderRecord,
  { state: to }: OrderRecord,
  hasHoles: boolean,
): Flaw | undefined {
  if (from === to || isReachable(LEGAL, from, to, hasHoles)) return undefined;
  return { rule: isGone(from) ? 'I5' : 'I4', what: `it is ${to} after ${from}` };
}

function flawOfIdentity(before: OrderRecord, after: OrderRecord): Flaw | undefined {
  const isSame =
    before.buyerId === after.buyerId &&
    before.requestedAtMs === after.requestedAtMs &&
    before.commandOffset === after.commandOffset &&
    before.lines.length === after.lines.length &&
    before.lines.every((line, number) => isSameLine(line, after.lines[number]!));
  return isSame ? undefined : { rule: 'I9', what: 'it is another order than before' };
}

function isSameLine(before: LineRecord, after: LineRecord): boolean {
  return before.purchaseId === after.purchaseId && isSameRequest(before, after);
}

function flawOfLines(before: OrderRecord, after: OrderRecord, hasHoles: boolean): Flaw | undefined {
  for (const [number, line] of after.lines.entries()) {
    const was = before.lines[number]!;
    const isLegal = was.state === line.state || mayBecome(was.state, line.state);
    if (!isLegal) {
      return { rule: 'I4', what: `line ${number} is ${line.state} after ${was.state}` };
    }
    if (was.isGivenBack && !line.isGivenBack) {
      return { rule: 'I27', what: `line ${number} was given back, and is not any more` };
    }
    const isPriceKept =
      was.price === null ||
      (was.price.amountMinor === line.price?.amountMinor &&
        was.price.currency === line.price.currency);
    if (!isPriceKept) return { rule: 'I24', what: `line ${number} has another price than before` };
  }
  const changed = after.lines.filter(({ state }, number) => state !== before.lines[number]!.state);
  if (hasHoles || changed.length <= 1) return undefined;
  return { rule: 'I9', what: `${changed.length} lines are heard of at once` };
}

/** What a zone decides quickly one after the other is not told one by one where the first was ignored. */
function mayBecome(from: string, to: string): boolean {
  return isReachable(LINE_LEGAL, from, to, true);
}

function flawOfMoney(before: OrderRecord, after: OrderRecord): Flaw | undefined {
  if (after.paidMinor < before.paidMinor) {
    return { rule: 'I15', what: `${after.paidMinor} is paid for it after ${before.paidMinor}` };
  }
  if (before.paymentId !== null && after.paymentId !== before.paymentId) {
    return { rule: 'I15', what: 'it is paid by another payment than before' };
  }
  const lost = before.refunds.find(({ refundId, amountMinor, isDone }, index) => {
    const now = after.refunds[index];
    return now?.refundId !== refundId || now.amountMinor !== amountMinor || (isDone && !now.isDone);
  });
  if (lost === undefined) return undefined;
  return { rule: 'I15', what: `its refund ${lost.refundId} is not what it was` };
}

/** When it enters a state: what must be so at that moment. */
function flawOfEntry(before: OrderRecord, after: OrderRecord): Flaw | undefined {
  const { state, lines } = after;
  if (state === before.state) return undefined;
  const among = (...states: readonly string[]) =>
    lines.findIndex((line) => !states.includes(line.state));
  if (state === 'held' || state === 'paid') {
    const other = among('held');
    if (other >= 0) return { rule: 'I27', what: `it is ${state}, and line ${other} is not held` };
  }
  if (state === 'confirmed') {
    const other = among('confirmed');
    if (other >= 0) return { rule: 'I27', what: `it is confirmed, and line ${other} is not` };
  }
  if (state !== 'expired' || after.decidingLine !== null) return undefined;
  const dueMs = dueOf(before, after);
  if (after.decidedAtMs >= dueMs) return undefined;
  return { rule: 'I16', what: `it ends at ${dueMs}, and was ended at ${after.decidedAtMs}` };
}

/** By when it had to be paid. The last line to be held may have brought that forward just now. */
function dueOf(before: OrderRecord, { lines, decidedAtMs }: OrderRecord): number {
  const times = lines.flatMap(({ state, heldUntilMs }, number) => {
    if (state !== 'held' || before.lines[number]!.state === 'held') return [];
    const leftMs = Math.max(0, heldUntilMs - decidedAtMs);
    return [heldUntilMs - Math.min(MARGIN_MS_MAX, Math.floor(leftMs / MARGIN_PART))];
  });
  return Math.min(before.deadlineMs, ...times);
}

function isPriced({ price }: OrderRecord): boolean {
  return price !== null && price.amountMinor > 0;
}

function isSumOf(price: NonNullable<OrderRecord['price']>, lines: readonly LineRecord[]): boolean {
  let sumMinor = 0;
  for (const line of lines) {
    if (line.price === null) continue;
    if (line.price.currency !== price.currency) return false;
    sumMinor += line.price.amountMinor;
  }
  return sumMinor === price.amountMinor;
}

function isReachable(
  legal: Readonly<Record<string, readonly string[]>>,
  from: string,
  to: string,
  inSteps: boolean,
): boolean {
  const next = legal[from] ?? [];
  return next.includes(to) || (inSteps && next.some((each) => isReachable(legal, each, to, true)));
}
