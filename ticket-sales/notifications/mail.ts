/** A notification as a mail: pure. Plain text; whoever wants another language or HTML replaces this. */

import type { NotificationRequest, Occasion } from '../domain/notification.ts';
import { isId } from '../domain/zone.ts';
import { JobRefused } from '../jobs/job-worker.ts';
import { isOrderId } from '../orders/order.ts';

export interface Mail {
  readonly messageId: string;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Where a buyer's mail goes; undefined = he has no address. */
export type AddressOf = (buyerId: string) => Promise<string | undefined>;

/** `{buyerId}@example.org`: ids have nothing in them that could change an address. */
export function addressByTemplate(template: string): AddressOf {
  return async (buyerId) => (isId(buyerId) ? template.replaceAll('{buyerId}', buyerId) : undefined);
}

const WHAT: Readonly<Record<Occasion, readonly [subject: string, sentence: string]>> = {
  held: ['Your tickets are held', 'We hold them for you until they are paid.'],
  confirmed: ['Your tickets', 'They are yours. Enjoy the event!'],
  rejected: ['Your tickets could not be sold', 'Nothing is reserved, and nothing is to be paid.'],
  expired: ['Your hold is over', 'They were not paid in time and are free for others again.'],
  released: ['Your hold is released', 'You have given them back before paying.'],
  payment_failed: ['Your payment failed', 'The tickets are free for others again.'],
  cancelled: ['Your tickets are cancelled', 'What you have paid is being refunded.'],
  refunded: ['Your refund', 'The money is on its way back to you.'],
};

/** Rejects JobRefused where the buyer has no address. */
export async function mailOf(
  notification: NotificationRequest,
  { from, addressOf }: { readonly from: string; readonly addressOf: AddressOf },
): Promise<Mail> {
  const { notificationId, what, purchaseId, buyerId, eventId, zoneId } = notification;
  const to = await addressOf(buyerId);
  if (to === undefined) throw new JobRefused('the buyer has no address');
  const [subject, sentence] = WHAT[what];
  const { quantity, seats, amountMinor, currency } = notification;
  // The lines of an order may be of several events.
  const isOrder = isOrderId(purchaseId);
  const facts: readonly (readonly [name: string, value: string | undefined])[] = [
    ['Event', isOrder ? undefined : eventId],
    ['Zone', isOrder ? undefined : zoneId],
    ['Tickets', String(quantity)],
    ['Seats', seats.length === 0 ? undefined : seats.join(', ')],
    ['Amount', amountMinor === null ? undefined : amount(amountMinor, currency)],
    [isOrder ? 'Order' : 'Purchase', purchaseId],
  ];
  const lines = facts.flatMap(([name, value]) => (value === undefined ? [] : `${name}: ${value}`));
  return {
    messageId: messageIdOf(notificationId, from),
    from,
    to,
    subject: isOrder ? subject : `${subject}: ${eventId}`,
    text: [sentence, '', ...lines, ''].join('\n'),
  };
}

/** The same notification is the same message: a mailbox that gets it twice can tell. */
function messageIdOf(notificationId: string, from: string): string {
  const [, domain = 'localhost'] = /@([A-Za-z0-9.-]+)/.exec(from) ?? [];
  return `<${notificationId.replace(/[^A-Za-z0-9-]/g, '.')}@${domain}>`;
}

/** In the currency's own units and digits: JPY has no cents. */
function amount(amountMinor: number, currency: string | null): string {
  if (currency === null) return String(amountMinor);
  const digits = digitsOf(currency);
  return `${(amountMinor / 10 ** digits).toFixed(digits)} ${currency}`;
}

/** A formatter costs more than everything else of a mail; there are a few hundred currencies. */
const digitsByCurrency = new Map<string, number>();
const CURRENCIES_MAX = 1_000;

function digitsOf(currency: string): number {
  const known = digitsByCurrency.get(currency);
  if (known !== undefined) return known;
  const format = new Intl.NumberFormat('en', { style: 'currency', currency });
  const { maximumFractionDigits: digits = 2 } = format.resolvedOptions();
  if (digitsByCurrency.size < CURRENCIES_MAX) digitsByCurrency.set(currency, digits);
  return digits;
}
