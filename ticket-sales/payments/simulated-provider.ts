/**
 * A provider that is not one: takes every payment over and answers by dice, late, twice or never, as
 * its settings say. What it answers follows from its seed and the request's id alone, so that it
 * keeps its promises (R1, R2) without remembering anything: asked again it says the same again.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { PaymentUpdate } from '../domain/command.ts';
import type { PaymentRequest, RefundRequest } from '../domain/payment.ts';
import type { PaymentProvider, ReportPayment } from './payment-provider.ts';

/** Shares in percent of the payments. */
export interface SimulationSettings {
  readonly seed: number;
  /** Mean time from the request to the result. */
  readonly delayMs: number;
  readonly declined: number;
  /** Told after the hold is over. */
  readonly late: number;
  /** Told twice. */
  readonly doubled: number;
  /** Never told. */
  readonly lost: number;
}

export interface PaymentPlan {
  readonly paymentId: string;
  readonly status: 'succeeded' | 'failed';
  /** Wall clock of each telling; none = lost. */
  readonly toldAtMs: readonly number[];
}

export function planPayment(settings: SimulationSettings, request: PaymentRequest): PaymentPlan {
  const dice = diceOf(settings.seed, `payment ${request.purchaseId}`);
  const paymentId = `sim-${dice.id}`;
  const status = dice.below(settings.declined) ? 'failed' : 'succeeded';
  if (dice.below(settings.lost)) return { paymentId, status, toldAtMs: [] };
  const isLate = dice.below(settings.late);
  const firstMs = (isLate ? request.dueAtMs : request.requestedAtMs) + dice.delay(settings.delayMs);
  const toldAtMs = dice.below(settings.doubled)
    ? [firstMs, firstMs + dice.delay(settings.delayMs)]
    : [firstMs];
  return { paymentId, status, toldAtMs };
}

export class SimulatedProvider implements PaymentProvider {
  readonly #settings: SimulationSettings;
  readonly #report: ReportPayment;
  readonly #clock: Clock;

  constructor(settings: SimulationSettings, report: ReportPayment, clock: Clock) {
    this.#settings = settings;
    this.#report = report;
    this.#clock = clock;
  }

  /** Resolves when all is told: until then the job is open, and begun anew after a crash (R2). */
  async requestPayment(request: PaymentRequest, signal: AbortSignal): Promise<void> {
    const { paymentId, status, toldAtMs } = planPayment(this.#settings, request);
    const { purchaseId, eventId, zoneId, amountMinor, currency } = request;
    for (const atMs of toldAtMs) {
      await this.#until(atMs, signal);
      await this.#report({
        kind: 'payment',
        purchaseId,
        eventId,
        zoneId,
        paymentId,
        status,
        amountMinor,
        currency,
        refundId: null,
        detail: status === 'failed' ? 'declined' : null,
        occurredAtMs: atMs,
      });
    }
  }

  async refund(request: RefundRequest, signal: AbortSignal): Promise<void> {
    const { purchaseId, eventId, zoneId, refundId, paymentId, amountMinor, currency } = request;
    const dice = diceOf(this.#settings.seed, `refund ${refundId}`);
    const update: PaymentUpdate = {
      kind: 'payment',
      purchaseId,
      eventId,
      zoneId,
      paymentId,
      status: 'refunded',
      amountMinor,
      currency,
      refundId,
      detail: null,
      occurredAtMs: request.requestedAtMs + dice.delay(this.#settings.delayMs),
    };
    const times = dice.below(this.#settings.doubled) ? 2 : 1;
    for (let time = 0; time < times; time++) {
      await this.#until(update.occurredAtMs, signal);
      await this.#report(update);
    }
  }

  async #until(atMs: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(Math.max(0, atMs - this.#clock.nowMs()), signal);
    signal.throwIfAborted();
  }
}

interface Dice {
  readonly id: string;
  /** True in so many of a hundred cases. */
  below(percent: number): boolean;
  /** Half to one and a half of the mean. */
  delay(meanMs: number): number;
}

/** The same throws for the same name, in every process and however often. */
function diceOf(seed: number, name: string): Dice {
  const bytes = createHash('sha256').update(`${seed} ${name}`).digest();
  let position = 16;
  const next = () => {
    const word = bytes.readUInt16BE(position);
    position += 2;
    return word / 0x1_0000;
  };
  return {
    id: bytes.subarray(0, 12).toString('hex'),
    below: (percent) => next() * 100 < percent,
    delay: (meanMs) => Math.round(meanMs * (0.5 + next())),
  };
}
