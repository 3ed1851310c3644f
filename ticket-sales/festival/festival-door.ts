/**
 * Where the festival's records enter the sale. Ours pass through; theirs, which may stand anywhere,
 * become commands in the partition of their zone.
 *
 * D1. A purchase takes one hop: it is written again as our own command, under its zone's key, in the
 *     transaction that consumes it.
 * D2. A payment names no zone. It goes where its purchase may be, one zone of the festival after the
 *     other (first the one that an id of ours tells), and counts where the purchase is found.
 * D3. One that no zone has a purchase for may have overtaken it: it waits (early-payments.ts).
 * D4. What cannot be understood is a dead letter with the reason: the bytes are as they came.
 */
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import type { PaymentUpdate, PurchaseCommand, TicketCommand } from '../domain/command.ts';
import type { Purchase } from '../domain/purchase.ts';
import { isPurchaseId } from '../domain/purchase-id.ts';
import { zoneKey } from '../domain/zone.ts';
import { CommandRefused } from '../sale/command-refused.ts';
import { STORES } from '../sale/sale-stores.ts';
import { EarlyPayments } from './early-payments.ts';
import { canonicalUuid, purchaseIdPrefix, TICKET_TYPES } from './festival.ts';
import type { FestivalPayment, FestivalPurchase } from './festival-records.ts';

export const DOOR_SINKS = { commands: 'festival-commands', payments: 'festival-payments' } as const;

/** Zones that a payment has been to. Ours alone: a producer that sets it spoils its own record. */
const VISITED_HEADER = 'millrace.festival.visited';

type Incoming = TicketCommand | PaymentUpdate | FestivalPurchase | FestivalPayment;
type Outgoing = TicketCommand | PaymentUpdate | FestivalPayment;

export interface FestivalDoorOptions {
  readonly eventId: string;
  /** How long a payment waits for its purchase, ms of log time; 0 = not at all. */
  readonly paymentWaitMs: number;
  /** The node that decides. */
  readonly sale: string;
}

export class FestivalDoor implements Processor<string | null, Incoming, string, Outgoing> {
  readonly #eventId: string;
  readonly #sale: string;
  readonly #paymentWaitMs: number;
  readonly #zones: readonly { readonly key: string; readonly prefix: string }[];
  #context!: ProcessorContext<string, Outgoing>;
  #purchases!: KeyValueStore<string, Purchase>;
  #early!: EarlyPayments;

  constructor({ eventId, sale, paymentWaitMs }: FestivalDoorOptions) {
    this.#eventId = eventId;
    this.#sale = sale;
    this.#paymentWaitMs = paymentWaitMs;
    this.#zones = TICKET_TYPES.map((type) => ({
      key: zoneKey(eventId, type),
      prefix: purchaseIdPrefix(eventId, type),
    }));
  }

  init(context: ProcessorContext<string, Outgoing>): void {
    this.#context = context;
    this.#purchases = context.getStateStore(STORES.purchases);
    this.#early = new EarlyPayments(context as ProcessorContext<never, never>, {
      waitMs: this.#paymentWaitMs,
      anotherRound: ({ value, ...record }) =>
        this.#passOn(record, value, canonicalUuid(value.purchaseId)),
    });
  }

  process(record: StreamRecord<string | null, Incoming>): void | Promise<void> {
    const { value } = record;
    switch (value.kind) {
      case 'festivalPurchase':
        return this.#purchase(record, value);
      case 'festivalPayment':
        return this.#payment(record, value);
      default:
        if (record.key === null) throw new CommandRefused('the record has no key');
        return this.#context.forward(record as StreamRecord<string, Outgoing>, this.#sale);
    }
  }

  #purchase(
    { timestampMs, headers }: StreamRecord<unknown, unknown>,
    theirs: FestivalPurchase,
  ): void | Promise<void> {
    const command = this.#commandOf(theirs);
    const key = zoneKey(command.eventId, command.zoneId);
    return this.#context.forward(
      { key, value: command, timestampMs, headers },
      DOOR_SINKS.commands,
    );
  }

  #commandOf({ purchaseId, userId, ticketType, ...rest }: FestivalPurchase): PurchaseCommand {
    return {
      kind: 'purchase',
      purchaseId: mustBeUuid('purchaseId', purchaseId),
      eventId: this.#eventId,
      zoneId: ticketType,
      buyerId: mustBeUuid('userId', userId),
      quantity: rest.quantity,
      requestedAtMs: rest.timestamp,
      options: null,
    };
  }

  #payment(
    record: StreamRecord<string | null, unknown>,
    theirs: FestivalPayment,
  ): void | Promise<void> {
    const purchaseId = mustBeUuid('purchaseId', theirs.purchaseId);
    const status = statusOf(theirs);
    const purchase = this.#purchases.get(purchaseId);
    if (purchase === undefined || purchase.eventId !== this.#eventId) {
      return this.#passOn(record, theirs, purchaseId);
    }
    const { timestampMs, headers } = record;
    const key = zoneKey(purchase.eventId, purchase.zoneId);
    const value = paymentOf(purchase, status, theirs.timestamp);
    return this.#context.forward({ key, value, timestampMs, headers }, this.#sale);
  }

  /** To the next zone that may have the purchase; after the last one it waits. */
  #passOn(
    { headers, timestampMs }: Pick<StreamRecord<unknown, unknown>, 'headers' | 'timestampMs'>,
    theirs: FestivalPayment,
    purchaseId: string,
  ): void | Promise<void> {
    const visited = visitedBy(headers);
    const known = this.#zones.filter(({ prefix }) => purchaseId.startsWith(prefix));
    const candidates = known.length > 0 ? known : this.#zones;
    const next = candidates[visited.length];
    const others = headers.filter(({ key }) => key !== VISITED_HEADER);
    if (next === undefined) {
      const { offset = 0 } = this.#context.recordMetadata() ?? {};
      return this.#early.keep(theirs, others, { timestampMs, offset });
    }
    const path = [...visited, next.key].join(',');
    const marked = [...others, { key: VISITED_HEADER, value: Buffer.from(path) }];
    return this.#context.forward(
      { key: next.key, value: theirs, timestampMs, headers: marked },
      DOOR_SINKS.payments,
    );
  }
}

function visitedBy(headers: StreamRecord<unknown, unknown>['headers']): readonly string[] {
  const path = headers.find(({ key }) => key === VISITED_HEADER)?.value ?? null;
  return path === null ? [] : path.toString('utf8').split(',');
}

function mustBeUuid(field: string, text: string): string {
  const id = canonicalUuid(text);
  if (isPurchaseId(id)) return id;
  throw new CommandRefused(`${field} is not a UUID`);
}

function statusOf({ status }: FestivalPayment): 'succeeded' | 'failed' {
  const known = status.toLowerCase();
  if (known === 'succeeded' || known === 'failed') return known;
  throw new CommandRefused('the status of a payment is SUCCEEDED or FAILED');
}

/** The record has no amount: it counts as what the purchase costs, and one payment is all there is. */
function paymentOf(
  { purchaseId, eventId, zoneId, price, checkout }: Purchase,
  status: 'succeeded' | 'failed',
  occurredAtMs: number,
): PaymentUpdate {
  const isToBePaid = checkout !== null && checkout.heldUntilMs > 0;
  if (!isToBePaid || price === null) throw new CommandRefused('the purchase was not to be paid');
  return {
    kind: 'payment',
    purchaseId,
    eventId,
    zoneId,
    paymentId: `festival:${purchaseId}`,
    status,
    amountMinor: price.amountMinor,
    currency: price.currency,
    refundId: null,
    detail: null,
    occurredAtMs,
  };
}
