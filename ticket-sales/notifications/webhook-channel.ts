/**
 * Notifications as signed POSTs to somebody's URL. The receiver knows a notification again by its
 * id, so an attempt in doubt is simply made again. One URL never waits for another; to one URL they
 * go one after the other.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { NotificationRequest } from '../domain/notification.ts';
import type { JobPolicy } from '../jobs/job.ts';
import { isOrderId } from '../orders/order.ts';
import { SIGNATURE_HEADER, sign } from '../signature.ts';
import type { Channel } from './channel.ts';

export interface WebhookOptions {
  readonly url: string;
  /** More than one while it is being changed: signed with each. */
  readonly secrets: readonly string[];
  readonly attemptsMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export function webhookChannel(options: WebhookOptions): Channel {
  const { url, attemptsMax } = options;
  const policy: JobPolicy = {
    attemptsMax,
    backoff: { initialMs: 1_000, maxMs: 30 * 60_000 },
    isRepeatable: true,
    parallelMax: 1,
    underwayMax: 200,
    leaseMs: 60_000,
  };
  // Not the URL itself: it may have a token in it, and names are in ids, logs and metrics.
  const name = `webhook-${createHash('sha256').update(url).digest('hex').slice(0, 12)}`;
  return {
    name,
    policy,
    deliver: (notification, signal) => post(options, notification, signal),
    close: async () => {},
  };
}

async function post(
  { url, secrets, timeoutMs, clock }: WebhookOptions,
  notification: NotificationRequest,
  stopping: AbortSignal,
): Promise<void> {
  const body = JSON.stringify(webhookBody(notification));
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'millrace',
      'millrace-notification-id': notification.notificationId,
      [SIGNATURE_HEADER]: sign(secrets, body, clock.nowMs()),
    },
    body,
    // Whoever can answer with a redirect must not choose where our requests go.
    redirect: 'manual',
    signal: AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)]),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the receiver answered ${answer.status}`);
}

/** Times as HTTP has them everywhere here: RFC 3339. */
export function webhookBody(notification: NotificationRequest): Record<string, unknown> {
  const { notificationId, what, requestedAtMs, amountMinor, currency, ...rest } = notification;
  return {
    notificationId,
    type: `${isOrderId(rest.purchaseId) ? 'order' : 'purchase'}.${what}`,
    ...rest,
    ...(amountMinor === null || currency === null ? {} : { amount: { amountMinor, currency } }),
    occurredAt: new Date(requestedAtMs).toISOString(),
  };
}
