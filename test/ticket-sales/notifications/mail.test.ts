import { describe, expect, test } from 'vitest';
import type { NotificationRequest } from '../../../ticket-sales/domain/notification.ts';
import { JobRefused } from '../../../ticket-sales/jobs/job-worker.ts';
import { addressByTemplate, mailOf } from '../../../ticket-sales/notifications/mail.ts';
import { notification } from './samples.ts';

const options = {
  from: 'Box Office <box@fest.test>',
  addressOf: addressByTemplate('{buyerId}@fest.test'),
};
const mail = (change: Partial<NotificationRequest> = {}) =>
  mailOf({ ...notification, ...change }, options);

describe('a mail', () => {
  test('says what happened to which tickets, to the buyer', async () => {
    expect(await mail({ seats: ['A1', 'A2'] })).toEqual({
      messageId: `<${notification.purchaseId}.confirmed@fest.test>`,
      from: 'Box Office <box@fest.test>',
      to: 'ada@fest.test',
      subject: 'Your tickets: gala',
      text: [
        'They are yours. Enjoy the event!',
        '',
        'Event: gala',
        'Zone: floor',
        'Tickets: 2',
        'Seats: A1, A2',
        'Amount: 20.50 EUR',
        `Purchase: ${notification.purchaseId}`,
        '',
      ].join('\n'),
    });
  });

  test('of an order names the order, whose lines may be of several zones and events', async () => {
    const purchaseId = 'order-00000000-0000-8000-8000-000000000001';
    const { subject, text } = await mail({ purchaseId });
    expect(subject).toBe('Your tickets');
    expect(text.split('\n').slice(2)).toEqual([
      'Tickets: 2',
      'Amount: 20.50 EUR',
      `Order: ${purchaseId}`,
      '',
    ]);
  });

  test('has a subject of its own for each occasion', async () => {
    const occasions = ['held', 'confirmed', 'rejected', 'expired', 'released'] as const;
    const more = ['payment_failed', 'cancelled', 'refunded'] as const;
    const subjects = await Promise.all(
      [...occasions, ...more].map(async (what) => (await mail({ what })).subject),
    );
    expect(new Set(subjects).size).toBe(8);
  });

  test('tells amounts in the digits of their currency, and none where there is none', async () => {
    expect((await mail({ currency: 'JPY' })).text).toContain('Amount: 2050 JPY');
    expect((await mail({ currency: 'KWD' })).text).toContain('Amount: 2.050 KWD');
    expect((await mail({ amountMinor: null, currency: null })).text).not.toContain('Amount');
  });

  test('goes to nobody whose id could be more than a name', async () => {
    for (const buyerId of ['a@b.test', 'a\r\nBcc: x', 'a,b', '', '{buyerId}']) {
      await expect(mail({ buyerId })).rejects.toBeInstanceOf(JobRefused);
    }
  });
});
