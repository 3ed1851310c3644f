/**
 * The books of the evening: what the topics say became of every purchase, what the payment desk took
 * and gave back, what the sale's own query says it earned. They must agree to the cent.
 */
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import { patiently, type Visit } from './guest.ts';
import type { DeskBooks } from './payment-desk.ts';
import type { Evening } from './programme.ts';

export interface EveningBooks {
  /** Purchases by state. */
  readonly states: ReadonlyMap<string, number>;
  readonly ticketsSold: number;
  readonly revenueMinor: number;
  readonly desk: DeskBooks;
  readonly problems: readonly string[];
}

/** What cannot change any more without a new command or payment. */
const SETTLED = new Set([
  'confirmed',
  'rejected',
  'expired',
  'released',
  'payment_failed',
  'refunded',
]);

/** Nothing is held, and all money that was asked back is back. */
export function isSettled(purchases: ReadonlyMap<string, Purchase>): boolean {
  for (const { state, checkout, price } of purchases.values()) {
    if (checkout !== null && checkout.refundedMinor < checkout.refundRequestedMinor) return false;
    const isFree = checkout === null || (price?.amountMinor ?? 0) === 0 || checkout.paidMinor === 0;
    if (!SETTLED.has(state) && !(state === 'cancelled' && isFree)) return false;
  }
  return true;
}

export async function closeBooks(
  httpUrl: string,
  evening: Evening,
  purchases: ReadonlyMap<string, Purchase>,
  visits: readonly Visit[],
  desk: DeskBooks,
): Promise<EveningBooks> {
  const problems = [...desk.problems];
  const states = new Map<string, number>();
  let [ticketsSold, revenueMinor, paidForMinor] = [0, 0, 0];
  const revenueOf = new Map<string, number>();
  for (const purchase of purchases.values()) {
    const { purchaseId, eventId, state, checkout, quantity } = purchase;
    states.set(state, (states.get(state) ?? 0) + 1);
    const earned = state === 'confirmed' ? (purchase.price?.amountMinor ?? 0) : 0;
    if (state === 'confirmed') ticketsSold += quantity;
    revenueMinor += earned;
    revenueOf.set(eventId, (revenueOf.get(eventId) ?? 0) + earned);
    if (checkout === null) continue;
    if (checkout.heldUntilMs > 0) paidForMinor += earned;
    const kept = checkout.paidMinor - checkout.refundedMinor;
    const due = checkout.heldUntilMs > 0 ? earned : 0;
    if (kept !== due) problems.push(`${purchaseId} (${state}): ${kept} kept, ${due} due`);
  }
  const keptMinor = desk.capturedMinor - desk.refundedMinor;
  if (keptMinor !== paidForMinor) {
    problems.push(`the desk kept ${keptMinor}, the confirmed purchases cost ${paidForMinor}`);
  }
  for (const { purchaseId } of visits) {
    if (purchaseId !== undefined && !purchases.has(purchaseId)) {
      problems.push(`${purchaseId} was answered and is in no topic`);
    }
  }
  problems.push(...(await comparedWithQueries(httpUrl, evening, revenueOf)));
  problems.push(...(await comparedWithStock(httpUrl, evening, purchases)));
  problems.push(...doubleSeats(purchases));
  return { states, ticketsSold, revenueMinor, desk, problems };
}

/** What the sale's own query says of each event. */
async function comparedWithQueries(
  httpUrl: string,
  evening: Evening,
  revenueOf: ReadonlyMap<string, number>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { eventId } of evening.events) {
    const { status, body } = await patiently(
      `${httpUrl}/v1/events/${eventId}/sales`,
      'GET',
      undefined,
    );
    const revenue = (body['revenue'] ?? []) as { amountMinor: number }[];
    const told = revenue.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
    const counted = revenueOf.get(eventId) ?? 0;
    if (status !== 200 || told !== counted) {
      problems.push(`${eventId}: the query says ${told} (${status}), the purchases say ${counted}`);
    }
  }
  return problems;
}

/** Each zone's stock is what its purchases have, confirmed and held. */
async function comparedWithStock(
  httpUrl: string,
  { zones }: Evening,
  purchases: ReadonlyMap<string, Purchase>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { eventId, zoneId, body } of zones) {
    const ticketsIn = (state: Purchase['state']) =>
      [...purchases.values()]
        .filter((one) => one.eventId === eventId && one.zoneId === zoneId && one.state === state)
        .reduce((sum, { quantity }) => sum + quantity, 0);
    const [sold, held] = [ticketsIn('confirmed'), ticketsIn('held')];
    const counted = { available: Number(body['capacity']) - sold - held, held, sold };
    const path = `/v1/events/${eventId}/zones/${zoneId}/inventory`;
    const { body: told } = await patiently(`${httpUrl}${path}`, 'GET', undefined);
    for (const [name, count] of Object.entries(counted)) {
      if (told[name] === count) continue;
      problems.push(
        `${eventId}/${zoneId}: ${String(told[name])} ${name}, the purchases say ${count}`,
      );
    }
  }
  return problems;
}

function doubleSeats(purchases: ReadonlyMap<string, Purchase>): string[] {
  const owners = new Map<string, string>();
  const problems: string[] = [];
  for (const { purchaseId, eventId, zoneId, state, seats } of purchases.values()) {
    if (state !== 'confirmed' && state !== 'held') continue;
    for (const seat of seats) {
      const place = `${eventId}/${zoneId}/${seat}`;
      const owner = owners.get(place);
      if (owner !== undefined) problems.push(`${place} belongs to ${owner} and to ${purchaseId}`);
      owners.set(place, purchaseId);
    }
  }
  return problems;
}
