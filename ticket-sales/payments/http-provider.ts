/**
 * A provider that is asked by HTTP and answers by the callback endpoint. What it must do is in
 * docs/how-to/payment-provider.md; a real provider with an API of its own gets a file like this one.
 */
import type { Clock } from '../../base/clock.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';
import { SIGNATURE_HEADER, sign } from '../signature.ts';
import { type PaymentProvider, PaymentRefused } from './payment-provider.ts';

export interface HttpProviderOptions {
  readonly url: string;
  readonly secret: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** They say "not now", or "you cannot know": everything else below 500 is a no. */
const ASK_AGAIN: ReadonlySet<number> = new Set([401, 403, 404, 408, 409, 425, 429]);

export function httpProvider(options: HttpProviderOptions): PaymentProvider {
  return {
    requestPayment: ({ requestedAtMs, dueAtMs, ...request }: PaymentRequest, signal) =>
      ask(options, 'payments', request.purchaseId, { ...request, dueAt: time(dueAtMs) }, signal),
    refund: ({ requestedAtMs, ...request }: RefundRequest, signal) =>
      ask(options, 'refunds', request.refundId, request, signal),
  };
}

async function ask(
  { url, secret, timeoutMs, clock }: HttpProviderOptions,
  what: 'payments' | 'refunds',
  idempotencyKey: string,
  request: object,
  stopping: AbortSignal,
): Promise<void> {
  const body = JSON.stringify(request);
  const answer = await fetch(`${url.replace(/\/$/, '')}/${what}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey,
      [SIGNATURE_HEADER]: sign([secret], body, clock.nowMs()),
    },
    body,
    redirect: 'manual',
    signal: AbortSignal.any([stopping, AbortSignal.timeout(timeoutMs)]),
  });
  await answer.body?.cancel();
  if (answer.ok) return;
  const said = `the provider answered ${answer.status}`;
  const isNo = answer.status >= 400 && answer.status < 500 && !ASK_AGAIN.has(answer.status);
  throw isNo ? new PaymentRefused(said) : new Error(said);
}

function time(atMs: number): string {
  return new Date(atMs).toISOString();
}
