/**
 * I27, and what the zones say of orders: the commands that orders sent them, and how the purchases of
 * lines stand at the end. Memory by number of lines.
 */

import type { Findings } from '../findings.ts';
import type { CommittedLog } from '../log/committed-log.ts';
import {
  isAskable,
  isGone,
  isSameRequest,
  type LineRecord,
  type OrderRecord,
} from '../records/order-records.ts';
import {
  type CommandFields,
  type CommandKind,
  type Price,
  type PurchaseRecord,
  samePrice,
} from '../records/sale-records.ts';
import type { OrderBook, OrderEntry } from './order-book.ts';

interface LineFacts {
  readonly entry: OrderEntry;
  readonly orderId: string;
  readonly line: LineRecord;
  requests: number;
  confirmations: number;
  cancellations: number;
  /** A command for it was wrong, and has been told. */
  isBlamed: boolean;
  /** As its zone announced it last. */
  state: string;
  price: Price | null;
  place: string;
}

interface Stray {
  readonly orderId: string;
  readonly state: string;
  readonly place: string;
}

const PAID: ReadonlySet<string> = new Set(['paid', 'confirmed', 'cancelled', 'refunded']);

export class OrderLines {
  readonly #findings: Findings;
  readonly #lines = new Map<string, LineFacts>();
  /** Purchases with tickets whose order is none, or not theirs. */
  readonly #strays = new Map<string, Stray>();

  /** `book`: all orders have been read. */
  constructor(findings: Findings, book: OrderBook) {
    this.#findings = findings;
    for (const [orderId, entry] of book.entries) {
      for (const line of entry.order?.lines ?? []) {
        const nothing = { requests: 0, confirmations: 0, cancellations: 0, isBlamed: false };
        const unheard = { state: 'requested', price: null, place: '' };
        this.#lines.set(line.purchaseId, { entry, orderId, line, ...nothing, ...unheard });
      }
    }
  }

  has(purchaseId: string): boolean {
    return this.#lines.has(purchaseId);
  }

  /** A consumed command to a zone: the log's current record. */
  command(kind: CommandKind, fields: CommandFields, log: CommittedLog): void {
    if (kind === 'Purchase' && fields.options?.orderId == null) return;
    const facts = this.#lines.get(fields.purchaseId);
    if (facts === undefined) return;
    if (kind === 'CancelPurchase') facts.cancellations++;
    else if (kind === 'ConfirmHold') this.#confirmed(facts, fields, log);
    else if (kind === 'Purchase' || kind === 'RejectPurchase') this.#requested(facts, fields, log);
  }

  /** An announced outcome of a purchase that names this order. */
  outcome({ purchaseId, state, price }: PurchaseRecord, orderId: string, place: string): void {
    const facts = this.#lines.get(purchaseId);
    if (facts?.orderId === orderId) {
      facts.state = state;
      facts.price = price;
      facts.place = place;
    } else if (hasTickets(state)) this.#strays.set(purchaseId, { orderId, state, place });
    else this.#strays.delete(purchaseId);
  }

  /** The log is drained: every order has heard of all its lines. */
  end(): void {
    for (const facts of this.#lines.values()) {
      const { order } = facts.entry;
      if (order !== undefined) this.#end(facts, order);
    }
    for (const [purchaseId, { orderId, state, place }] of this.#strays) {
      const what = `${purchaseId} is ${state} for ${orderId}, which has no such line`;
      this.#findings.violated('I27', place, what);
    }
    const count = this.#lines.size + this.#strays.size;
    if (count > 0) this.#findings.checked('I27', count);
  }

  /** Asked of its zone, or refused by the intake, which leaves that at the zone, without the wishes. */
  #requested(facts: LineFacts, fields: CommandFields, log: CommittedLog): void {
    const { orderId, line, entry } = facts;
    const { options, eventId, zoneId, quantity, buyerId } = fields;
    if ((options ?? fields).orderId !== orderId) return;
    facts.requests++;
    const { seats, placement, voucher } = options ?? line;
    const asked = { eventId, zoneId, quantity, seats, placement, voucher };
    const isOnce = log.transaction !== undefined;
    const told = (rule: 'I6' | 'I9', what: string) => {
      facts.isBlamed = true;
      this.#findings.violated(rule, log.placeOf(log.lastOffset), `a line of ${orderId} ${what}`);
    };
    if (buyerId !== entry.request.buyerId || !isSameRequest(asked, line)) {
      told('I9', 'is asked for otherwise than it was ordered');
    } else if (isOnce && facts.requests > 1) told('I6', 'is asked for a second time');
  }

  #confirmed(facts: LineFacts, fields: CommandFields, log: CommittedLog): void {
    const { orderId, entry } = facts;
    if (fields.orderId !== orderId) return;
    facts.confirmations++;
    if (PAID.has(entry.order?.state ?? '')) return;
    facts.isBlamed = true;
    const what = `a line of ${orderId} is to be confirmed, and the order is ${entry.order?.state}`;
    this.#findings.violated('I27', log.placeOf(log.lastOffset), what);
  }

  #end(facts: LineFacts, order: OrderRecord): void {
    const { line, orderId, state, place, entry, requests, confirmations, cancellations } = facts;
    if (facts.isBlamed || order.state === 'paid' || !isAskable(entry.request)) return;
    const number = order.lines.indexOf(line);
    const told = (rule: 'I7' | 'I9' | 'I24' | 'I27', at: string, what: string) =>
      this.#findings.violated(rule, at, `line ${number} of ${orderId} ${what}`);
    const isOver = isGone(order.state);
    if (requests === 0) told('I7', entry.announcedAt, 'was never asked for');
    else if (isOver && hasTickets(state)) {
      told('I27', place, `is ${state}, and its order is ${order.state}`);
    } else if (order.state === 'confirmed' && !isGone(state) && state !== 'confirmed') {
      told('I27', place, `is ${state}, and its order is confirmed`);
    } else if (line.state !== state) {
      told('I9', entry.announcedAt, `is ${line.state} to its order, and ${state} to its zone`);
    } else if (line.price !== null && !samePrice(line.price, facts.price)) {
      told('I24', entry.announcedAt, 'has another price than in its zone');
    } else if (line.isGivenBack && cancellations === 0) {
      told('I27', entry.announcedAt, 'is given back, and its zone was never told');
    } else if (PAID.has(order.state) && confirmations === 0) {
      told('I27', entry.announcedAt, 'was paid, and its zone was never told');
    }
  }
}

function hasTickets(state: string): boolean {
  return state === 'held' || state === 'confirmed';
}
