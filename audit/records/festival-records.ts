/** The festival's records in the sale's topics, as its contract has them. */

export interface FestivalPurchaseRecord {
  readonly purchaseId: string;
  readonly userId: string;
  readonly ticketType: string;
  readonly quantity: number;
}

export interface FestivalPaymentRecord {
  readonly purchaseId: string;
  readonly timestamp: number;
  readonly status: string;
}

/** Zones that its contract knows. */
const TICKET_TYPES: readonly string[] = ['normal', 'vip'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Zones that a payment has been to, with commas between them. */
const VISITED_HEADER = 'millrace.festival.visited';
/** Of one that has waited for its purchase: since when, and its rounds through the zones so far. */
const WAITING_HEADER = 'millrace.festival.waiting';
const WAITING = /^(?<sinceMs>\d{1,15}),(?<rounds>\d{1,6})$/;

type Headers = readonly { readonly key: string; readonly value: Buffer | null }[];

/** On its way through the zones for the first time: round 0. */
export interface Round {
  readonly sinceMs: number;
  readonly number: number;
}

/** The changelog's value of a payment that waits. */
export interface EarlyPaymentRecord {
  readonly payment: FestivalPaymentRecord;
  readonly sinceMs: number;
  readonly rounds: number;
}

export function isTicketType(zoneId: string): boolean {
  return TICKET_TYPES.includes(zoneId);
}

export function isUuid(text: string): boolean {
  return UUID.test(text.toLowerCase());
}

/** undefined = a word that is none of a payment. */
export function statusOf({ status }: FestivalPaymentRecord): 'succeeded' | 'failed' | undefined {
  const known = status.toLowerCase();
  return known === 'succeeded' || known === 'failed' ? known : undefined;
}

/** The zones that it has been to; none before the first. */
export function visitedOf(headers: Headers): readonly string[] {
  const path = textOf(headers, VISITED_HEADER);
  return path === undefined || path === '' ? [] : path.split(',');
}

export function roundOf(headers: Headers): Round {
  const parts = WAITING.exec(textOf(headers, WAITING_HEADER) ?? '')?.groups;
  return { sinceMs: Number(parts?.['sinceMs'] ?? 0), number: Number(parts?.['rounds'] ?? 0) };
}

function textOf(headers: Headers, name: string): string | undefined {
  return headers.find(({ key }) => key === name)?.value?.toString('utf8');
}
