import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../base/manual-clock.ts';
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { PaymentRequest } from '../../../ticket-sales/domain/payment.ts';
import {
  planPayment,
  SimulatedProvider,
  type SimulationSettings,
} from '../../../ticket-sales/payments/simulated-provider.ts';
import { drive, settle } from '../../kit/drive.ts';

const START_MS = 1_790_000_000_000;
const settings: SimulationSettings = {
  seed: 7,
  delayMs: 1_000,
  declined: 0,
  late: 0,
  doubled: 0,
  lost: 0,
};

function request(purchaseId = 'p1'): PaymentRequest {
  return {
    purchaseId,
    eventId: 'gala',
    zoneId: 'floor',
    buyerId: 'ada',
    amountMinor: 2_000,
    currency: 'EUR',
    dueAtMs: START_MS + 600_000,
    requestedAtMs: START_MS,
  };
}

const refund = {
  ...request(),
  refundId: 'r1',
  paymentId: 'pay-1',
  reason: 'cancelled',
} as const;

function share(
  change: Partial<SimulationSettings>,
  of: (plan: ReturnType<typeof planPayment>) => boolean,
) {
  const plans = Array.from({ length: 2_000 }, (_, number) =>
    planPayment({ ...settings, ...change }, request(`p${number}`)),
  );
  return (100 * plans.filter(of).length) / plans.length;
}

describe('the dice', () => {
  test('fall the same for the same seed and purchase, and differently for others', () => {
    const seen = new Set<string>();
    for (const seed of [1, 2]) {
      for (const purchaseId of ['p1', 'p2']) {
        const plan = planPayment({ ...settings, seed }, request(purchaseId));
        expect(planPayment({ ...settings, seed }, request(purchaseId))).toEqual(plan);
        seen.add(plan.paymentId);
      }
    }
    expect(seen.size).toBe(4);
  });

  test('decline, tell late, twice or never as often as the settings say', () => {
    const dueAtMs = request().dueAtMs;
    const told = ({ toldAtMs }: { toldAtMs: readonly number[] }) => toldAtMs.length;
    expect(share({ declined: 30 }, ({ status }) => status === 'failed')).toBeCloseTo(30, -1);
    expect(share({ lost: 30 }, (plan) => told(plan) === 0)).toBeCloseTo(30, -1);
    expect(share({ doubled: 30 }, (plan) => told(plan) === 2)).toBeCloseTo(30, -1);
    expect(share({ late: 30 }, ({ toldAtMs }) => toldAtMs[0]! >= dueAtMs)).toBeCloseTo(30, -1);
  });

  test('decline, tell late, twice or never always at 100, and never at 0', () => {
    const all = { declined: 100, late: 100, doubled: 100 };
    const isAll = ({ status, toldAtMs }: ReturnType<typeof planPayment>) =>
      status === 'failed' &&
      toldAtMs.length === 2 &&
      toldAtMs.every((at) => at >= request().dueAtMs);
    expect(share(all, isAll)).toBe(100);
    const isPlain = ({ status, toldAtMs }: ReturnType<typeof planPayment>) =>
      status === 'succeeded' && toldAtMs.length === 1 && toldAtMs[0]! < START_MS + 1_500;
    expect(share({}, isPlain)).toBe(100);
  });
});

class Sale {
  readonly clock = new ManualClock(START_MS);
  readonly told: PaymentUpdate[] = [];
  readonly stopping = new AbortController();
  provider(change: Partial<SimulationSettings> = {}): SimulatedProvider {
    const report = async (update: PaymentUpdate) => void this.told.push(update);
    return new SimulatedProvider({ ...settings, ...change }, report, this.clock);
  }
}

describe('the simulated provider', () => {
  test('tells of a payment once its time has come, and is done then', async () => {
    const sale = new Sale();
    let isDone = false;
    const asked = sale.provider().requestPayment(request(), sale.stopping.signal);
    void asked.then(() => {
      isDone = true;
    });
    await settle();
    expect([sale.told, isDone]).toEqual([[], false]);
    sale.clock.advance(1_500);
    await asked;
    expect(sale.told).toEqual([
      expect.objectContaining({ purchaseId: 'p1', status: 'succeeded', amountMinor: 2_000 }),
    ]);
  });

  test('asked again after a crash tells of the same payment', async () => {
    const sale = new Sale();
    const first = sale.provider().requestPayment(request(), sale.stopping.signal);
    await drive(sale.clock, first);
    await drive(sale.clock, sale.provider().requestPayment(request(), sale.stopping.signal));
    expect(sale.told).toHaveLength(2);
    expect(sale.told[1]).toEqual(sale.told[0]);
  });

  test('tells of a refund by its own id, and twice of the same', async () => {
    const sale = new Sale();
    const asked = sale.provider({ doubled: 100 }).refund(refund, sale.stopping.signal);
    await drive(sale.clock, asked);
    const told = { status: 'refunded', refundId: 'r1', paymentId: 'pay-1', amountMinor: 2_000 };
    expect(sale.told).toEqual([expect.objectContaining(told), expect.objectContaining(told)]);
  });

  test('gives up when it is to stop: the job is begun anew then', async () => {
    const sale = new Sale();
    const asked = sale.provider().requestPayment(request(), sale.stopping.signal);
    sale.stopping.abort();
    await expect(asked).rejects.toThrow();
    expect(sale.told).toEqual([]);
  });
});
