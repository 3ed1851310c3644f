/**
 * The orders of a sale, as their own two topics have them: who was placed, and what was announced of
 * each. What zones and payments have to do with them is held against it later (order-lines.ts,
 * order-money.ts). Memory by number of orders.
 */
import type { Findings, Rule } from '../findings.ts';
import {
  isAskable,
  isPending,
  isSameRequest,
  type OrderRecord,
  type PlaceOrder,
  requestedLines,
} from '../records/order-records.ts';
import { type Flaw, flawOfOrder, flawOfStep } from './order-steps.ts';

export interface OrderEntry {
  readonly request: PlaceOrder;
  readonly offset: number;
  /** Log time of the command that placed it. */
  readonly timeMs: number;
  /** Of that command. */
  readonly place: string;
  /** Log time of its partition, at the end of it. */
  readonly clock: LogClock;
  /** Commands for it, the first one among them. */
  commandCount: number;
  announcedCount: number;
  /** Announcements that said again what was known. */
  repeatCount: number;
  /** As it was announced last. */
  order: OrderRecord | undefined;
  announcedAt: string;
  /** By when it was to be paid, while it was held; 0 = it was not, or that is not in the log any more. */
  dueAtMs: number;
  isLogged: boolean;
}

export interface LogClock {
  timeMs: number;
}

export interface OrderAnnouncement {
  readonly place: string;
  /** Compaction may have removed what lay before it. */
  readonly hasHoles: boolean;
}

/** The published time for which an order waits for zones that do not answer. */
const ANSWER_MS_MAX = 600_000;
/** So long after its end an order may be found waiting. */
const GRACE_MS = 5_000;

export class OrderBook {
  readonly entries = new Map<string, OrderEntry>();
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  placed(request: PlaceOrder, at: Pick<OrderEntry, 'offset' | 'timeMs' | 'place' | 'clock'>): void {
    const entry = this.entries.get(request.orderId);
    if (entry !== undefined) {
      entry.commandCount++;
      return;
    }
    this.entries.set(request.orderId, {
      ...at,
      request,
      commandCount: 1,
      announcedCount: 0,
      repeatCount: 0,
      order: undefined,
      announcedAt: at.place,
      dueAtMs: 0,
      isLogged: false,
    });
  }

  cancelled(orderId: string): void {
    const entry = this.entries.get(orderId);
    if (entry !== undefined) entry.commandCount++;
  }

  announced(order: OrderRecord, { place, hasHoles }: OrderAnnouncement): void {
    const { orderId, state } = order;
    const entry = this.entries.get(orderId);
    if (entry === undefined) {
      this.#findings.violated('I7', place, `${orderId} is ${state}; nobody placed it`);
      return;
    }
    const before = entry.order;
    entry.announcedCount++;
    entry.order = order;
    entry.announcedAt = place;
    if (state === 'held') entry.dueAtMs = order.deadlineMs;
    if (before !== undefined && isSame(before, order)) {
      entry.repeatCount++;
      return;
    }
    const flaw =
      (before === undefined ? flawOfFirst(entry, order) : flawOfStep(before, order, hasHoles)) ??
      (before === undefined && !hasHoles ? flawOfBeginning(entry, order) : undefined) ??
      flawOfOrder(order);
    if (flaw !== undefined) this.#findings.violated(flaw.rule, place, `${orderId}: ${flaw.what}`);
  }

  /** `hasHoles`: compaction has removed announcements; `isSettled`: it had time enough. */
  end(hasHoles: boolean, isSettled: boolean): void {
    for (const [orderId, entry] of this.entries) {
      const flaw = flawOfEnd(entry, hasHoles, isSettled);
      if (flaw === undefined) continue;
      this.#findings.violated(flaw.rule, entry.announcedAt, `${orderId} ${flaw.what}`);
    }
    const count = this.entries.size;
    if (count === 0) return;
    for (const rule of CHECKED) this.#findings.checked(rule, count);
  }
}

const CHECKED: readonly Rule[] = ['I4', 'I5', 'I6', 'I7', 'I9', 'I16', 'I24', 'I27'];

/** Is it the order that was placed? */
function flawOfFirst(
  { request, offset, timeMs }: OrderEntry,
  order: OrderRecord,
): Flaw | undefined {
  const wanted = requestedLines(request);
  const isTheOne =
    order.buyerId === request.buyerId &&
    order.requestedAtMs === timeMs &&
    order.commandOffset === offset &&
    order.lines.length === wanted.length &&
    order.lines.every((line, number) => isSameRequest(line, wanted[number]!));
  if (!isTheOne) return { rule: 'I9', what: 'it is not the order that was placed' };
  const ids = new Set(order.lines.map(({ purchaseId }) => purchaseId));
  return ids.size === order.lines.length
    ? undefined
    : { rule: 'I9', what: 'two of its lines are one purchase' };
}

/** Nothing is known yet but the command. */
function flawOfBeginning({ request, timeMs }: OrderEntry, order: OrderRecord): Flaw | undefined {
  const { state, reason, lines, deadlineMs, paidMinor, refunds } = order;
  const expected = isAskable(request) ? 'requested' : 'rejected';
  const isNew = lines.every((line) => line.state === expected) && paidMinor === 0;
  if (state !== expected || !isNew || refunds.length > 0) {
    return { rule: 'I4', what: `it begins as ${state}, and should be ${expected}` };
  }
  if (state === 'rejected') {
    return reason === 'invalid_command'
      ? undefined
      : { rule: 'I9', what: `it is rejected with ${reason}` };
  }
  const endMs = timeMs + ANSWER_MS_MAX;
  if (deadlineMs === endMs) return undefined;
  return { rule: 'I16', what: `it waits until ${deadlineMs}, and should until ${endMs}` };
}

function flawOfEnd(
  { order, commandCount, announcedCount, repeatCount, clock }: OrderEntry,
  hasHoles: boolean,
  isSettled: boolean,
): Flaw | undefined {
  if (order === undefined) return { rule: 'I7', what: 'was placed, and has no outcome' };
  if (repeatCount >= commandCount) {
    return { rule: 'I7', what: 'is announced again more often than it was asked for' };
  }
  if (!hasHoles && announcedCount < commandCount) {
    return {
      rule: 'I7',
      what: `is announced ${announcedCount} times after ${commandCount} commands`,
    };
  }
  const { state, deadlineMs } = order;
  if (state === 'paid') return { rule: 'I27', what: 'is paid, and its lines are not sold' };
  const isLate = isPending(state) && clock.timeMs > deadlineMs + GRACE_MS;
  if (!isSettled || !isLate) return undefined;
  return { rule: 'I16', what: `is ${state}, though its time was over at ${deadlineMs}` };
}

/** The quick ones first: announcements mostly differ. */
function isSame(one: OrderRecord, other: OrderRecord): boolean {
  return (
    one.state === other.state &&
    one.decidedAtMs === other.decidedAtMs &&
    one.paidMinor === other.paidMinor &&
    one.deadlineMs === other.deadlineMs &&
    JSON.stringify(one) === JSON.stringify(other)
  );
}
