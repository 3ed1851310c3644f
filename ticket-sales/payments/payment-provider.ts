/**
 * The port to whoever takes the money. Asking and being answered are two things: a request is taken
 * over at once, its result comes when it comes, by `ReportPayment` or the callback endpoint.
 *
 * What a provider must keep:
 * R1. The same purchaseId asked again is the same payment; the same refundId the same refund. A crash
 *     between the asking and our commit asks again.
 * R2. What it has taken over (the promise resolved) survives a crash of ours.
 * R3. A result is told until it is acknowledged; twice is as good as once.
 */
import type { PaymentUpdate } from '../domain/command.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';

export interface PaymentProvider {
  /** Rejects PaymentRefused when this can never be paid, anything else when it should be asked again. */
  requestPayment(request: PaymentRequest, signal: AbortSignal): Promise<void>;
  /** The same. A refund that is refused becomes a dead letter for people to look at. */
  refund(request: RefundRequest, signal: AbortSignal): Promise<void>;
}

/** Resolves when the update is durable in the log. */
export type ReportPayment = (update: PaymentUpdate) => Promise<void>;

/** The provider will not do this, however often it is asked. */
export class PaymentRefused extends Error {}
