/**
 * The payment service: every request for a payment or a refund is one job, done when the provider has
 * taken it over. Knows no provider; holds no money's truth: that is in the provider's books and in
 * the sale's log.
 */

import { unreachable } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import type { PaymentUpdate } from '../domain/command.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';
import type { Attempt, JobPolicy } from '../jobs/job.ts';
import type { JobServiceOptions } from '../jobs/job-service.ts';
import type { JobSource } from '../jobs/job-topology.ts';
import { JobRefused } from '../jobs/job-worker.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import { type PaymentProvider, PaymentRefused, type ReportPayment } from './payment-provider.ts';

export type PaymentJob =
  | { readonly kind: 'payment'; readonly request: PaymentRequest }
  | { readonly kind: 'refund'; readonly request: RefundRequest };

const DAY_MS = 24 * 60 * 60 * 1000;

/** The provider knows both by their ids, so nothing is lost by asking again; nobody gives up a refund. */
const POLICY: JobPolicy = {
  attemptsMax: Number.MAX_SAFE_INTEGER,
  backoff: { initialMs: 500, maxMs: 60_000 },
  isRepeatable: true,
  parallelMax: 10_000,
  underwayMax: 1_000,
  leaseMs: 30_000,
};

export interface PaymentServiceParts {
  readonly provider: PaymentProvider;
  readonly report: ReportPayment;
  readonly clock: Clock;
}

export function paymentService(
  serdes: TicketSerdes,
  parts: PaymentServiceParts,
): JobServiceOptions<PaymentJob> {
  const payments: JobSource<PaymentJob> = {
    topic: TOPICS.paymentRequests,
    serde: wrapped('payment', serdes.paymentRequest),
    toJobs: (request) => [{ jobId: idOf(request), way: request.kind, request }],
  };
  const refunds: JobSource<PaymentJob> = {
    ...payments,
    topic: TOPICS.refundRequests,
    serde: wrapped('refund', serdes.refundRequest),
  };
  return {
    sources: [payments, refunds],
    sourceOf: ({ request }) => (request.kind === 'payment' ? payments : refunds),
    policies: new Map([
      ['payment', POLICY],
      ['refund', POLICY],
    ]),
    retentionMs: 7 * DAY_MS,
    perform: (attempt, signal) => perform(parts, attempt, signal),
  };
}

function idOf(job: PaymentJob): string {
  switch (job.kind) {
    case 'payment':
      return `payment:${job.request.purchaseId}`;
    case 'refund':
      return `refund:${job.request.refundId}`;
    default:
      return unreachable(job);
  }
}

async function perform(
  { provider, report, clock }: PaymentServiceParts,
  { request: job, attempt }: Attempt<PaymentJob>,
  signal: AbortSignal,
): Promise<void> {
  switch (job.kind) {
    case 'payment': {
      // The hold is over before anybody was asked to pay. Asked before, the provider may know of it.
      if (attempt === 1 && clock.nowMs() >= job.request.dueAtMs) return;
      try {
        await provider.requestPayment(job.request, signal);
      } catch (error) {
        if (!(error instanceof PaymentRefused)) throw error;
        // For the buyer a payment that failed: the tickets are free again at once.
        await report(refused(job.request, error.message, clock.nowMs()));
      }
      return;
    }
    case 'refund':
      try {
        await provider.refund(job.request, signal);
      } catch (error) {
        throw error instanceof PaymentRefused ? new JobRefused(error.message) : error;
      }
      return;
    default:
      unreachable(job);
  }
}

function refused(request: PaymentRequest, detail: string, nowMs: number): PaymentUpdate {
  const { purchaseId, eventId, zoneId, amountMinor, currency } = request;
  return {
    kind: 'payment',
    purchaseId,
    eventId,
    zoneId,
    paymentId: `refused-${purchaseId}`,
    status: 'failed',
    amountMinor,
    currency,
    refundId: null,
    detail,
    occurredAtMs: nowMs,
  };
}

/** The topic says which kind a request is; here it is said by itself. */
function wrapped<K extends PaymentJob['kind']>(
  kind: K,
  serde: JobSource<Extract<PaymentJob, { kind: K }>['request']>['serde'],
): JobSource<PaymentJob>['serde'] {
  return {
    prepare: async (topic, part) => serde.prepare?.(topic, part),
    resolve: async (schemaId) => serde.resolve?.(schemaId),
    decode: (bytes, start, end) =>
      ({ kind, request: serde.decode(bytes, start, end) }) as PaymentJob,
    encode: (job, target, at) => serde.encode(job.request as never, target, at),
  };
}
