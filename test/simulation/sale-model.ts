/**
 * What the sale must have come to: an independent fold over the commands of one partition, in log order.
 * It shares no reducer with the app and knows nothing of transactions: the log alone decides.
 */
import type { TicketCommand } from '../../ticket-sales/domain/command.ts';
import type { Purchase, Reason } from '../../ticket-sales/domain/purchase.ts';
import type { Zone } from '../../ticket-sales/domain/zone.ts';

export interface LoggedCommand {
  readonly offset: number;
  readonly timestampMs: number;
  readonly command: TicketCommand;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export class SaleModel {
  readonly zones = new Map<string, Mutable<Zone>>();
  readonly purchases = new Map<string, Purchase>();
  /** What the status topic must hold, in order. */
  readonly statuses: Purchase[] = [];
  /** Offsets of the commands that must be dead letters, in order. */
  readonly deadLetters: number[] = [];

  apply({ offset, timestampMs, command }: LoggedCommand): void {
    const key = `${command.eventId}/${command.zoneId}`;
    const zone = this.zones.get(key);
    if (command.kind === 'createZone') {
      if (zone === undefined) this.zones.set(key, newZone(command, offset, timestampMs));
      else if (zone.capacity !== command.capacity) this.deadLetters.push(offset);
    } else if (command.kind === 'purchase') {
      this.#buy(zone, command, offset, timestampMs);
    } else if (command.kind === 'cancel') {
      this.#cancel(zone, command, offset, timestampMs);
    } else if (zone === undefined) {
      this.deadLetters.push(offset);
    } else if (command.kind === 'openSale' || command.kind === 'closeSale') {
      const sale = command.kind === 'openSale' ? 'open' : 'closed';
      if (zone.sale !== sale) touch(zone, offset, timestampMs).sale = sale;
    } else {
      throw new Error(`the simulated buyers do not send ${command.kind}`);
    }
  }

  #buy(
    zone: Mutable<Zone> | undefined,
    command: TicketCommand & { kind: 'purchase' },
    offset: number,
    timestampMs: number,
  ): void {
    const known = this.purchases.get(command.purchaseId);
    if (known !== undefined) {
      this.statuses.push(known);
      return;
    }
    const { purchaseId, eventId, zoneId, buyerId, quantity } = command;
    const reason = refusal(zone, quantity);
    const price = zone?.price ?? null;
    const isGranted = reason === 'none' && zone !== undefined;
    if (isGranted) {
      touch(zone, offset, timestampMs).sold += quantity;
      zone.revenueMinor += quantity * (price?.amountMinor ?? 0);
    }
    this.#settle({
      purchaseId,
      eventId,
      zoneId,
      buyerId,
      quantity,
      state: isGranted ? 'confirmed' : 'rejected',
      reason,
      requestedAtMs: timestampMs,
      decidedAtMs: timestampMs,
      commandOffset: offset,
      price:
        isGranted && price !== null
          ? { amountMinor: price.amountMinor * quantity, currency: price.currency }
          : null,
      seats: [],
      checkout: null,
    });
  }

  #cancel(
    zone: Mutable<Zone> | undefined,
    { purchaseId, zoneId }: TicketCommand & { kind: 'cancel' },
    offset: number,
    timestampMs: number,
  ): void {
    const known = this.purchases.get(purchaseId);
    if (known === undefined || known.zoneId !== zoneId) {
      this.deadLetters.push(offset);
    } else if (zone !== undefined && known.state === 'confirmed') {
      touch(zone, offset, timestampMs).sold -= known.quantity;
      zone.revenueMinor -= known.price?.amountMinor ?? 0;
      this.#settle({
        ...known,
        state: 'cancelled',
        decidedAtMs: timestampMs,
        commandOffset: offset,
      });
    } else {
      this.statuses.push(known);
    }
  }

  #settle(purchase: Purchase): void {
    this.purchases.set(purchase.purchaseId, purchase);
    this.statuses.push(purchase);
  }
}

function newZone(
  command: TicketCommand & { kind: 'createZone' },
  offset: number,
  timestampMs: number,
): Mutable<Zone> {
  const { eventId, zoneId, capacity, quantityMax, price } = command;
  return {
    eventId,
    zoneId,
    capacity,
    held: 0,
    sold: 0,
    version: 1,
    sale: 'open',
    quantityMax,
    price,
    updatedAtMs: timestampMs,
    commandOffset: offset,
    revenueMinor: 0,
    terms: null,
  };
}

function touch(zone: Mutable<Zone>, offset: number, timestampMs: number): Mutable<Zone> {
  zone.version++;
  zone.updatedAtMs = timestampMs;
  zone.commandOffset = offset;
  return zone;
}

function refusal(zone: Zone | undefined, quantity: number): Reason {
  if (zone === undefined) return 'unknown_zone';
  if (zone.sale === 'closed') return 'sale_closed';
  if (quantity > zone.quantityMax) return 'quantity_over_limit';
  return zone.sold + quantity > zone.capacity ? 'sold_out' : 'none';
}
