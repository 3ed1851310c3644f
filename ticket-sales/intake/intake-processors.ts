/**
 * Carries admissions out, one key per buyer: counts, and sends what was asked on to its zone. Four
 * nodes that share their stores: what buyers ask for, what their orders do, what zones say became of it,
 * and what is known of events.
 */
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import { CATALOG_STORES } from '../catalog/catalog-tables.ts';
import type { Customer } from '../domain/catalog.ts';
import type { PurchaseCommand, TicketCommand } from '../domain/command.ts';
import type { EventDefinition } from '../domain/event.ts';
import type { Purchase } from '../domain/purchase.ts';
import { isPurchaseId } from '../domain/purchase-id.ts';
import { isId, zoneKey } from '../domain/zone.ts';
import { CommandRefused, mustBelongTo } from '../sale/command-refused.ts';
import { EVENTS_STORE } from '../sale/events-table.ts';
import { admit, type CustomerTickets, counted, rejection } from './admission.ts';

export const INTAKE_STORES = { tickets: 'customer-tickets', events: 'intake-events' } as const;

const COPY_ALL_AFTER_MS = 100;

const OPTIONS = { seats: [], placement: 'any', voucher: null, orderId: null } as const;

/** What is counted here, and what of it a purchase meets. */
class Admissions {
  readonly #tickets: KeyValueStore<string, CustomerTickets>;
  readonly #events: KeyValueStore<string, EventDefinition>;
  readonly #customers: KeyValueStore<string, Customer>;

  constructor(context: ProcessorContext<string, TicketCommand>) {
    this.#tickets = context.getStateStore(INTAKE_STORES.tickets);
    this.#events = context.getStateStore(INTAKE_STORES.events);
    this.#customers = context.getStateStore(CATALOG_STORES.customers);
  }

  /** Counts it if it is admitted. What its zone is sent. */
  take(command: PurchaseCommand): TicketCommand {
    const { buyerId, eventId, options } = command;
    const key = keyOf(buyerId, eventId);
    const admission = admit(
      {
        event: this.#events.get(eventId),
        isRegistered: this.#customers.get(buyerId) !== undefined,
        tickets: this.#tickets.get(key),
      },
      command,
    );
    if (admission.kind === 'rejected') return rejection(command, admission.reason);
    if (admission.tickets !== undefined) this.#tickets.put(key, admission.tickets);
    return { ...command, options: { ...(options ?? OPTIONS), viaIntake: true } };
  }
}

export class IntakeProcessor implements Processor<string, TicketCommand, string, TicketCommand> {
  readonly #partitions: number;
  #context!: ProcessorContext<string, TicketCommand>;
  #admissions!: Admissions;

  /** `partitions`: how many the topic of the intake has. */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  init(context: ProcessorContext<string, TicketCommand>): void {
    this.#context = context;
    this.#admissions = new Admissions(context);
  }

  process({ key, value: command, timestampMs }: StreamRecord<string, TicketCommand>): void {
    if (command.kind !== 'purchase') {
      throw new CommandRefused(`${command.kind} is not for the intake: send it to its zone`);
    }
    this.#mustBelongHere(key, command);
    const value = this.#admissions.take(command);
    const zone = zoneKey(command.eventId, command.zoneId);
    this.#context.forward({ key: zone, value, timestampMs, headers: [] });
  }

  /** What a zone could not keep an outcome of, and what would be counted twice. */
  #mustBelongHere(key: string, command: PurchaseCommand): void {
    const { buyerId, eventId, zoneId, purchaseId, options } = command;
    if (key !== buyerId) throw new CommandRefused('the key is not the buyerId of the value');
    if (!isId(buyerId) || !isId(eventId) || !isId(zoneId)) {
      throw new CommandRefused('buyerId, eventId and zoneId are 1 to 64 of A-Z a-z 0-9 . _ ~ -');
    }
    if (!isPurchaseId(purchaseId)) throw new CommandRefused('purchaseId is not a UUID');
    if ((options?.orderId ?? null) !== null) {
      throw new CommandRefused('a line of an order is sent by its order');
    }
    mustBelongTo(this.#context.partition, key, this.#partitions);
  }
}

/**
 * What orders ask of zones. Their purchases are admitted as everybody's are; whatever an order does with
 * one later comes the same way, and so behind it.
 */
export class LineProcessor implements Processor<string, TicketCommand, string, TicketCommand> {
  #context!: ProcessorContext<string, TicketCommand>;
  #admissions!: Admissions;

  init(context: ProcessorContext<string, TicketCommand>): void {
    this.#context = context;
    this.#admissions = new Admissions(context);
  }

  process({ value: command, timestampMs }: StreamRecord<string, TicketCommand>): void {
    const value = command.kind === 'purchase' ? this.#admissions.take(command) : command;
    const zone = zoneKey(command.eventId, command.zoneId);
    this.#context.forward({ key: zone, value, timestampMs, headers: [] });
  }
}

/** What zones say of purchases that came through the intake. */
export class OutcomeCounter implements Processor<string, Purchase> {
  #tickets!: KeyValueStore<string, CustomerTickets>;
  #events!: KeyValueStore<string, EventDefinition>;

  init(context: ProcessorContext): void {
    this.#tickets = context.getStateStore(INTAKE_STORES.tickets);
    this.#events = context.getStateStore(INTAKE_STORES.events);
  }

  process({ value: purchase }: StreamRecord<string, Purchase>): void {
    const { buyerId, eventId } = purchase;
    const key = keyOf(buyerId, eventId);
    const isLimited = (this.#events.get(eventId)?.customerMax ?? 0) > 0;
    const tickets = counted(this.#tickets.get(key), purchase, isLimited);
    if (tickets === undefined) return;
    if (tickets.purchases.length === 0) this.#tickets.delete(key);
    else this.#tickets.put(key, tickets);
  }
}

/** Every partition knows every event: definitions are few, and come to each of them. */
export class EventKeeper implements Processor<string, EventDefinition | null> {
  #events!: KeyValueStore<string, EventDefinition>;

  init(context: ProcessorContext): void {
    this.#events = context.getStateStore(INTAKE_STORES.events);
  }

  process({ key, value }: StreamRecord<string, EventDefinition | null>): void {
    const { eventId } = addressOf(key);
    if (value === null) this.#events.delete(eventId);
    else this.#events.put(eventId, value);
  }
}

/**
 * Copies a definition for every partition of the intake. Once after each start it copies all that are
 * known: those that were defined before there was an intake are not forgotten.
 */
export class EventCopier implements Processor<string, EventDefinition | null> {
  readonly #partitions: number;
  #context!: ProcessorContext<string, EventDefinition | null>;
  #events!: KeyValueStore<string, EventDefinition>;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  init(context: ProcessorContext<string, EventDefinition | null>): void {
    this.#context = context;
    this.#events = context.getStateStore(EVENTS_STORE);
    const once = context.schedule(COPY_ALL_AFTER_MS, 'wall-clock-time', async () => {
      once.cancel();
      const nowMs = Math.max(0, context.currentStreamTimeMs());
      for await (const [eventId, event] of this.#events.range()) {
        this.#copy(eventId, event, nowMs);
      }
    });
  }

  process({ key, value, timestampMs }: StreamRecord<string, EventDefinition | null>): void {
    this.#copy(key, value, timestampMs);
  }

  #copy(eventId: string, value: EventDefinition | null, timestampMs: number): void {
    for (let partition = 0; partition < this.#partitions; partition++) {
      this.#context.forward({ key: `${partition}/${eventId}`, value, timestampMs, headers: [] });
    }
  }
}

/** Of a copy's key, `<partition>/<eventId>`. */
export function addressOf(key: string): { readonly partition: number; readonly eventId: string } {
  const cut = key.indexOf('/');
  return { partition: Number(key.slice(0, cut)), eventId: key.slice(cut + 1) };
}

function keyOf(buyerId: string, eventId: string): string {
  return `${buyerId}/${eventId}`;
}
