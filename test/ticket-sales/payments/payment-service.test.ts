import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../base/manual-clock.ts';
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { PaymentRequest, RefundRequest } from '../../../ticket-sales/domain/payment.ts';
import { JobRefused } from '../../../ticket-sales/jobs/job-worker.ts';
import { PaymentRefused } from '../../../ticket-sales/payments/payment-provider.ts';
import { type PaymentJob, paymentService } from '../../../ticket-sales/payments/payment-service.ts';
import { ticketSerdes } from '../../../ticket-sales/records.ts';

const START_MS = 1_790_000_000_000;
const serdes = ticketSerdes({ register: async () => 7, schemaById: async () => 'string' });
const { signal } = new AbortController();

const payment: PaymentRequest = {
  purchaseId: 'p1',
  eventId: 'gala',
  zoneId: 'floor',
  buyerId: 'ada',
  amountMinor: 2_000,
  currency: 'EUR',
  dueAtMs: START_MS + 600_000,
  requestedAtMs: START_MS,
};
const { dueAtMs: _, buyerId: __, ...paid } = payment;
const refund: RefundRequest = { ...paid, refundId: 'r1', paymentId: 'pay-1', reason: 'cancelled' };

function service(answer: () => Promise<void> = async () => {}) {
  const asked: string[] = [];
  const reported: PaymentUpdate[] = [];
  const clock = new ManualClock(START_MS);
  const options = paymentService(serdes, {
    provider: {
      requestPayment: ({ purchaseId }) => {
        asked.push(purchaseId);
        return answer();
      },
      refund: ({ refundId }) => {
        asked.push(refundId);
        return answer();
      },
    },
    report: async (update) => void reported.push(update),
    clock,
  });
  const perform = (request: PaymentJob, attempt = 1) =>
    options.perform({ jobId: 'j', way: request.kind, owner: 'me', attempt, request }, signal);
  return { options, asked, reported, clock, perform };
}

describe('the payment service', () => {
  test('asks the provider, and says nothing itself of what becomes of it', async () => {
    const { perform, asked, reported } = service();
    await perform({ kind: 'payment', request: payment });
    await perform({ kind: 'refund', request: refund });
    expect([asked, reported]).toEqual([['p1', 'r1'], []]);
  });

  test('asks for no payment of a hold that is over, unless it may have asked before', async () => {
    const { perform, asked, clock } = service();
    clock.advance(600_000);
    await perform({ kind: 'payment', request: payment });
    expect(asked).toEqual([]);
    await perform({ kind: 'payment', request: payment }, 2);
    await perform({ kind: 'refund', request: refund });
    expect(asked).toEqual(['p1', 'r1']);
  });

  test('takes a payment that the provider refuses for one that failed', async () => {
    const { perform, reported } = service(async () => {
      throw new PaymentRefused('no such currency');
    });
    await perform({ kind: 'payment', request: payment });
    const update = { purchaseId: 'p1', status: 'failed', detail: 'no such currency' };
    expect(reported).toEqual([expect.objectContaining(update)]);
  });

  test('takes a refund that the provider refuses for a job that failed: people must look', async () => {
    const { perform, reported } = service(async () => {
      throw new PaymentRefused('no such payment');
    });
    await expect(perform({ kind: 'refund', request: refund })).rejects.toBeInstanceOf(JobRefused);
    expect(reported).toEqual([]);
  });

  test('passes every other failure on, to be tried again', async () => {
    const { perform } = service(async () => {
      throw new Error('503');
    });
    await expect(perform({ kind: 'payment', request: payment })).rejects.not.toBeInstanceOf(
      JobRefused,
    );
    await expect(perform({ kind: 'refund', request: refund })).rejects.not.toBeInstanceOf(
      JobRefused,
    );
  });

  test('knows a payment and a refund by ids of their own, which a repetition shares', () => {
    const { sources } = service().options;
    const ids = (job: PaymentJob) => sources[0]!.toJobs(job).map(({ jobId, way }) => [jobId, way]);
    expect(ids({ kind: 'payment', request: payment })).toEqual([['payment:p1', 'payment']]);
    expect(ids({ kind: 'refund', request: refund })).toEqual([['refund:r1', 'refund']]);
  });
});
