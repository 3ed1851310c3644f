/**
 * The festival's view of the sale, as plain facts: one event is "the festival", its zones are the
 * ticket types. Pure; docs/how-to/festival.md explains it to users.
 */
import { hash } from 'node:crypto';
import { murmur2 } from '../../kafka/murmur2.ts';
import type { PurchaseState, Reason } from '../domain/purchase.ts';
import { zoneKey } from '../domain/zone.ts';

/** The zones that its contract knows. */
export const TICKET_TYPES = ['normal', 'vip'] as const;
export type TicketType = (typeof TICKET_TYPES)[number];

export const FESTIVAL_STATUSES = ['PENDING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
export type FestivalStatus = (typeof FESTIVAL_STATUSES)[number];

export interface FestivalPurchaseStatus {
  readonly purchaseId: string;
  readonly status: FestivalStatus;
  readonly paymentStatus?: string;
}

export interface TicketInventory {
  readonly ticketType: string;
  readonly availableCount: number;
}

const STATUSES = {
  requested: ['PENDING', 'PENDING'],
  held: ['PENDING', 'PENDING'],
  confirmed: ['COMPLETED', 'SUCCEEDED'],
  rejected: ['FAILED', 'REJECTED'],
  expired: ['FAILED', 'EXPIRED'],
  payment_failed: ['FAILED', 'FAILED'],
  released: ['FAILED', 'RELEASED'],
  cancelled: ['CANCELLED', 'CANCELLED'],
  refunded: ['CANCELLED', 'REFUNDED'],
} as const satisfies Record<PurchaseState, readonly [FestivalStatus, string]>;

/** What the festival calls a state. A rejected purchase's payment status is the reason. */
export function festivalStatus(
  purchaseId: string,
  state: PurchaseState,
  reason: Reason,
): FestivalPurchaseStatus {
  const [status, payment] = STATUSES[state];
  return { purchaseId, status, paymentStatus: reason === 'none' ? payment : reason };
}

/** RFC 9562, appendix A: the namespace of names that are URLs, URNs among them. */
const URL_NAMESPACE = Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex');

/** UUIDv5 of `urn:millrace:zone:<eventId>/<zoneId>`: anybody can work it out. */
export function ticketIdOf(eventId: string, zoneId: string): string {
  const name = Buffer.from(`urn:millrace:zone:${zoneKey(eventId, zoneId)}`);
  const digest = hash('sha1', Buffer.concat([URL_NAMESPACE, name]), 'buffer');
  digest[6] = (digest[6]! & 0x0f) | 0x50;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** How our own purchase ids of a zone begin: hexadecimal, 32 bits of the zone's key. */
export function purchaseIdPrefix(eventId: string, zoneId: string): string {
  const hashed = murmur2(Buffer.from(zoneKey(eventId, zoneId))) >>> 0;
  return hashed.toString(16).padStart(8, '0');
}

/** The one spelling that is a key; others' clients may send capitals. */
export function canonicalUuid(uuid: string): string {
  return uuid.toLowerCase();
}
