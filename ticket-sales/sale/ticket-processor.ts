/**
 * Carries the decisions out: reads zone and purchase, asks the pure functions, writes both back and
 * forwards what changed. Commands, payments and the end of holds come one after the other. One
 * instance per task; everything it touches lies in one partition.
 *
 * P1. Refusals without an outcome record (operators' commands, unusable ones) are thrown before any
 *     effect, so that the record goes to the dead letters whole.
 * P2. A zone's stock is announced once per commit, however often it changed.
 * P3. A zone lives in the partition of its key: elsewhere it is never created and never refused as
 *     unknown. Partition and names are looked at only where no zone is found: off the fast path.
 */
import { unreachable } from '../../base/assert.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import type {
  LogPlace,
  PaymentUpdate,
  PurchaseChange,
  TicketCommand,
  ZoneAddress,
  ZoneCommand,
} from '../domain/command.ts';
import { decide } from '../domain/decisions/decide.ts';
import { decideExpiry, isDue } from '../domain/decisions/decide-change.ts';
import { decidePayment, flawOfPayment } from '../domain/decisions/decide-payment.ts';
import type { PurchaseDecision } from '../domain/decisions/decide-purchase.ts';
import { decideZone } from '../domain/decisions/decide-zone.ts';
import type { NotificationRequest } from '../domain/notification.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';
import type { Checkout, Purchase } from '../domain/purchase.ts';
import { isPurchaseId } from '../domain/purchase-id.ts';
import { isId, type Zone, zoneKey } from '../domain/zone.ts';
import { isOrderId } from '../orders/order.ts';
import type { OrderProgress } from '../orders/order-command.ts';
import { type InventoryUpdated, inventoryOf } from '../records.ts';
import { CommandRefused, mustBelongTo } from './command-refused.ts';
import { ConsequenceWriter } from './consequence-writer.ts';
import { HoldExpiry } from './hold-expiry.ts';
import { SaleStores, StoredFacts } from './sale-stores.ts';

/** The children that it forwards to. */
export const SINKS = {
  purchaseStatus: 'purchase-status',
  inventory: 'inventory',
  paymentRequests: 'payment-requests',
  refundRequests: 'refund-requests',
  notificationRequests: 'notification-requests',
} as const;

type Request = PaymentRequest | RefundRequest | NotificationRequest;
type Output = Purchase | InventoryUpdated | Request | OrderProgress;

export interface TicketProcessorOptions {
  /** How many the topic of commands has, to know a zone's own partition. */
  readonly commandPartitions: number;
  /** The child that is told of lines and payments of orders; undefined = there are no orders. */
  readonly progressSink?: string | undefined;
  /** The child that hears of purchases that came through the intake; undefined = there is none. */
  readonly intakeSink?: string | undefined;
}

export class TicketProcessor
  implements Processor<string, TicketCommand | PaymentUpdate, string, Output>
{
  #context!: ProcessorContext<string, Output>;
  #stores!: SaleStores;
  #facts!: StoredFacts;
  #writer!: ConsequenceWriter;
  #expiry!: HoldExpiry;
  readonly #options: TicketProcessorOptions;
  readonly #changedZones = new Set<string>();

  constructor(options: TicketProcessorOptions) {
    this.#options = options;
  }

  init(context: ProcessorContext<string, Output>): void {
    this.#context = context;
    this.#stores = new SaleStores(context);
    this.#facts = new StoredFacts(this.#stores);
    const expiry = new HoldExpiry(context, this.#stores.holds, (purchaseId, nowMs) =>
      this.#expire(purchaseId, nowMs),
    );
    this.#expiry = expiry;
    const sendTo = (sink: string) => (key: string, request: Request) =>
      this.#forward(key, request, request.requestedAtMs, sink);
    this.#writer = new ConsequenceWriter(this.#stores, {
      held: (heldUntilMs, purchaseId) => expiry.added(heldUntilMs, purchaseId),
      requestPayment: sendTo(SINKS.paymentRequests),
      requestRefund: sendTo(SINKS.refundRequests),
      requestNotification: sendTo(SINKS.notificationRequests),
    });
  }

  process(record: StreamRecord<string, TicketCommand | PaymentUpdate>): void {
    const command = record.value;
    if (record.key !== zoneKey(command.eventId, command.zoneId)) {
      throw new CommandRefused('the key is not <eventId>/<zoneId> of the value');
    }
    const place = {
      nowMs: record.timestampMs,
      offset: this.#context.recordMetadata()?.offset ?? -1,
    };
    const zone = this.#stores.zones.get(record.key);
    if (zone === undefined) this.#mustBelongHere(record.key, command);
    switch (command.kind) {
      case 'purchase':
      case 'cancel':
      case 'extendHold':
      case 'confirmHold':
      case 'rejectPurchase':
        this.#decide(record.key, zone, command, place);
        break;
      case 'payment':
        this.#settle(record.key, zone, command, place);
        break;
      default:
        this.#change(record.key, zone, command, place);
    }
  }

  flush(): void {
    this.#expiry.committing();
    for (const key of this.#changedZones) {
      const zone = this.#stores.zones.get(key);
      if (zone !== undefined)
        this.#forward(key, inventoryOf(zone), zone.updatedAtMs, SINKS.inventory);
    }
    this.#changedZones.clear();
  }

  #mustBelongHere(key: string, { eventId, zoneId }: ZoneAddress): void {
    if (!isId(eventId) || !isId(zoneId)) {
      throw new CommandRefused('eventId and zoneId are 1 to 64 of A-Z a-z 0-9 . _ ~ -');
    }
    mustBelongTo(this.#context.partition, key, this.#options.commandPartitions);
  }

  #decide(key: string, zone: Zone | undefined, command: PurchaseChange, place: LogPlace): void {
    if (!isPurchaseId(command.purchaseId)) throw new CommandRefused('purchaseId is not a UUID');
    const isNew = command.kind === 'purchase' || command.kind === 'rejectPurchase';
    if (isNew && !isId(command.buyerId)) {
      throw new CommandRefused('buyerId is 1 to 64 of A-Z a-z 0-9 . _ ~ -');
    }
    const previous = this.#stores.purchases.get(command.purchaseId);
    const decision = decide(zone, previous, command, place, this.#facts.of(key));
    this.#carryOut(key, zone, decision, place.nowMs);
  }

  #settle(key: string, zone: Zone | undefined, update: PaymentUpdate, place: LogPlace): void {
    const { progressSink } = this.#options;
    if (progressSink !== undefined && isOrderId(update.purchaseId)) {
      const flaw = flawOfPayment(update);
      if (flaw !== undefined) throw new CommandRefused(flaw);
      const progress = { kind: 'payment', payment: update } as const;
      this.#forward(update.purchaseId, progress, place.nowMs, progressSink);
      return;
    }
    const found = this.#stores.purchases.get(update.purchaseId);
    const decision = decidePayment(zone, found, update, place, this.#facts.of(key));
    this.#carryOut(key, zone, decision, place.nowMs);
  }

  #expire(purchaseId: string, nowMs: number): boolean {
    const purchase = this.#stores.purchases.get(purchaseId);
    const key = purchase && zoneKey(purchase.eventId, purchase.zoneId);
    const zone = key === undefined ? undefined : this.#stores.zones.get(key);
    if (purchase === undefined || key === undefined || zone === undefined) return false;
    // The purchase decides, not its entry in the index.
    if (!isDue(purchase, nowMs)) return false;
    const cause = { nowMs, commandOffset: undefined };
    this.#carryOut(key, zone, decideExpiry(zone, purchase, cause, this.#facts.of(key)), nowMs);
    return true;
  }

  /** `before`: the zone as it was decided on. */
  #carryOut(
    key: string,
    before: Zone | undefined,
    decision: PurchaseDecision,
    nowMs: number,
  ): void {
    switch (decision.kind) {
      case 'refused':
        throw new CommandRefused(decision.why);
      case 'unclaimed':
        if (decision.consequences !== undefined)
          this.#writer.write(key, decision.consequences, undefined, undefined);
        return;
      case 'decided': {
        const { purchase, zone, consequences } = decision;
        this.#stores.purchases.put(purchase.purchaseId, purchase);
        if (zone !== undefined) this.#putZone(key, zone);
        if (consequences !== undefined) this.#writer.write(key, consequences, purchase, zone);
        break;
      }
      case 'repeated':
      case 'conflict':
        break;
      default:
        unreachable(decision);
    }
    const { purchase } = decision;
    this.#forward(purchase.purchaseId, purchase, nowMs, SINKS.purchaseStatus);
    if (purchase.checkout === null) return;
    this.#tellWhoAsked(purchase, purchase.checkout, before?.terms?.notify === true, nowMs);
  }

  #tellWhoAsked(
    purchase: Purchase,
    { orderId, viaIntake }: Checkout,
    notify: boolean,
    nowMs: number,
  ): void {
    const { progressSink, intakeSink } = this.#options;
    if (orderId !== null && progressSink !== undefined) {
      this.#forward(orderId, { kind: 'line', purchase, notify }, nowMs, progressSink);
    }
    if (viaIntake && intakeSink !== undefined) {
      this.#forward(purchase.buyerId, purchase, nowMs, intakeSink);
    }
  }

  #change(key: string, zone: Zone | undefined, command: ZoneCommand, place: LogPlace): void {
    const decision = decideZone(zone, command, place, this.#facts.of(key));
    if (decision.kind === 'refused') throw new CommandRefused(decision.why);
    if (decision.kind === 'unchanged') return;
    const { zone: next, seats, voucher } = decision;
    if (next !== undefined) this.#putZone(key, next);
    if (seats !== undefined || voucher !== undefined) {
      this.#writer.write(key, { seats, voucher }, undefined, next);
    }
  }

  #putZone(key: string, zone: Zone): void {
    this.#stores.zones.put(key, zone);
    this.#changedZones.add(key);
  }

  #forward(key: string, value: Output, timestampMs: number, sink: string): void {
    this.#context.forward({ key, value, timestampMs, headers: [] }, sink);
  }
}
