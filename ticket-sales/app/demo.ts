/** A demo event, made through the API like any other: repeating it changes nothing. */
import { MillraceError } from '../../base/errors.ts';

export const DEMO = {
  eventId: 'summer-night',
  name: 'Summer Night in the Stadium',
  zones: [
    { zoneId: 'standing', capacity: 20_000, price: { amountMinor: 4_900, currency: 'EUR' } },
    { zoneId: 'north-stand', capacity: 8_000, price: { amountMinor: 6_900, currency: 'EUR' } },
    { zoneId: 'south-stand', capacity: 8_000, price: { amountMinor: 6_900, currency: 'EUR' } },
    { zoneId: 'vip', capacity: 400, price: { amountMinor: 24_900, currency: 'EUR' } },
  ],
} as const;

/**
 * With AUTH=jwt the token must be an operator's. Rejects when the API refuses, or does not become
 * ready within a minute.
 */
export async function createDemoEvent(
  httpUrl: string,
  signal: AbortSignal,
  token?: string,
): Promise<void> {
  const { eventId, name, zones } = DEMO;
  await put(`${httpUrl}/v1/events/${eventId}`, { name }, signal, token);
  await Promise.all(
    zones.map(({ zoneId, ...zone }) =>
      put(`${httpUrl}/v1/events/${eventId}/zones/${zoneId}`, zone, signal, token),
    ),
  );
}

async function put(
  url: string,
  body: object,
  signal: AbortSignal,
  token: string | undefined,
): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const answer = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...bearer(token) },
      body: JSON.stringify(body),
      signal,
    });
    const text = await answer.text();
    if (answer.ok) return;
    if (answer.status < 500 || performance.now() > deadlineMs) {
      throw new MillraceError(
        'INTERNAL',
        `the demo event could not be made: ${answer.status} ${text}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The header that a token is sent in; none without one. */
export function bearer(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
