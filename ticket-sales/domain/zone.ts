/**
 * The zone: the unit that is serialized. Plain data and what follows from it; no I/O.
 * Invariant 1: 0 <= held + sold <= capacity, in every Zone that exists.
 */
import { assert } from '../../base/assert.ts';
import type { LogPlace } from './command.ts';
import type { Money } from './money.ts';

export interface Zone {
  readonly eventId: string;
  readonly zoneId: string;
  readonly capacity: number;
  readonly held: number;
  readonly sold: number;
  /** Grows by one with every change. */
  readonly version: number;
  readonly sale: 'open' | 'closed' | 'paused';
  /** Tickets per purchase. */
  readonly quantityMax: number;
  /** Per ticket. */
  readonly price: Money | null;
  readonly updatedAtMs: number;
  /** Offset of the last command that is contained. */
  readonly commandOffset: number;
  /** Prices of what is sold, fees included, in the currency of `price`. */
  readonly revenueMinor: number;
  /** null = sells for good at a fixed price, without limits but quantityMax. */
  readonly terms: ZoneTerms | null;
}

/** How a zone sells when it does more than sell for good at a fixed price. */
export interface ZoneTerms {
  readonly checkout: 'immediate' | 'hold';
  /** How long a hold lives, in ms of log time. */
  readonly holdMs: number;
  /** A payment after the hold expired: refund it, or take the tickets again if they are free. */
  readonly latePayment: 'refund' | 'retake';
  /** Tickets of one buyer in this zone, over all purchases; 0 = no limit. */
  readonly customerMax: number;
  /** Log times; null = no bound. */
  readonly opensAtMs: number | null;
  readonly closesAtMs: number | null;
  readonly fees: Fees | null;
  /** By rising share; empty = always `price`. */
  readonly tiers: readonly PriceTier[];
  /** null = general admission. */
  readonly layout: SeatLayout | null;
  /** Ask for a notification at each change that the buyer should hear of. */
  readonly notify: boolean;
  /** Refuse purchases that have not come through the intake: its event limits what a buyer may have. */
  readonly intakeOnly: boolean;
}

export interface Fees {
  readonly perTicketMinor: number;
  readonly perPurchaseMinor: number;
}

/** From this share of the capacity held and sold, a ticket costs this. */
export interface PriceTier {
  readonly fromSoldPermille: number;
  readonly amountMinor: number;
}

/** Numbered seats: A1 is row 1, seat 1. */
export interface SeatLayout {
  readonly rows: number;
  /** Seats per row. */
  readonly columns: number;
}

export function available(zone: Zone): number {
  return zone.capacity - zone.held - zone.sold;
}

/** A zone after a command: the only way a zone changes, so that version and place never lag behind. */
export function changed(zone: Zone, place: LogPlace, changes: Partial<Zone>): Zone {
  const next = {
    ...zone,
    ...changes,
    version: zone.version + 1,
    updatedAtMs: place.nowMs,
    commandOffset: place.offset,
  };
  const taken = next.held + next.sold;
  assert(
    next.held >= 0 && next.sold >= 0 && taken <= next.capacity,
    `zone ${zoneKey(zone.eventId, zone.zoneId)} would have ${taken} of ${next.capacity} taken`,
  );
  return next;
}

/** `<eventId>/<zoneId>`: the key of commands, stock and outcomes, hence what decides the partition. */
export function zoneKey(eventId: string, zoneId: string): string {
  return `${eventId}/${zoneId}`;
}

/** One path segment: what an event, zone or buyer may be called. */
export const ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$';
const idPattern = new RegExp(ID_PATTERN);

export function isId(text: string): boolean {
  return idPattern.test(text);
}

export const CAPACITY_MAX = 1_000_000;
export const QUANTITY_MAX = 1_000;
