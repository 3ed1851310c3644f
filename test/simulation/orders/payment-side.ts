/**
 * The payment side: pays what it is asked to, declines, is late, pays the wrong amount, twice, or says
 * the same twice; and gives money back. What it captured is in what it says, nowhere else.
 */
import type { SimulatedRun } from '../../../simulation/scenario.ts';
import { between, chance } from '../../../simulation/world/draw.ts';
import type { PaymentUpdate } from '../../../ticket-sales/domain/command.ts';
import type { PaymentRequest, RefundRequest } from '../../../ticket-sales/domain/payment.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { IN_TOPICS, serdes } from './app.ts';
import type { Sender } from './sender.ts';

const DELAY_MS_MAX = 600;
const LATE_MS_MAX = 1_500;
/** What is due later than this would outlive the run, unpaid: it is paid, or declined. */
const PATIENCE_MS = 10_000;

type Asked = Omit<PaymentRequest, 'dueAtMs' | 'buyerId'>;
type Said = Pick<PaymentUpdate, 'paymentId' | 'status'> &
  Partial<Pick<PaymentUpdate, 'amountMinor' | 'currency' | 'refundId'>>;

export class PaymentSide {
  readonly #run: SimulatedRun;
  readonly #sender: Sender;
  readonly #known = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;

  constructor(run: SimulatedRun, sender: Sender) {
    this.#run = run;
    this.#sender = sender;
  }

  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** The same request again is the same payment. */
  asked(request: PaymentRequest): void {
    this.#once(request.purchaseId, () => this.#settle(request));
  }

  askedToRefund(request: RefundRequest): void {
    if (this.#chance(0.7)) this.#once(request.refundId, () => this.#giveBack(request));
  }

  /** A payment for what nobody has asked for. */
  async stray(asked: Asked): Promise<void> {
    const said: Said = { paymentId: `${asked.purchaseId}.stray`, status: 'succeeded' };
    await this.#say(asked, said);
    if (this.#chance(0.3)) await this.#say(asked, said);
  }

  /** Nothing new is begun; resolves when all that was begun is said. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#running);
  }

  #once(id: string, work: () => Promise<void>): void {
    if (this.#isClosed || this.#known.has(id)) return;
    this.#known.add(id);
    const done = work().finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #settle(request: PaymentRequest): Promise<void> {
    const { amountMinor, purchaseId, dueAtMs } = request;
    const id = (which: string) => `${purchaseId}.${which}`;
    const isDueSoon = dueAtMs - this.#run.clock.nowMs() < PATIENCE_MS;
    await this.#pause(DELAY_MS_MAX);
    if (this.#chance(0.12)) {
      await this.#say(request, { paymentId: id('declined'), status: 'failed' });
      if (this.#chance(0.6)) return;
    }
    if (isDueSoon && this.#chance(0.1)) return;
    if (isDueSoon && this.#chance(0.12)) await this.#untilLate(dueAtMs);
    if (this.#chance(0.12)) {
      const wrong = this.#chance(0.7)
        ? { amountMinor: amountMinor + (this.#chance(0.5) ? 1 : -1) }
        : { currency: 'CHF' };
      await this.#say(request, { paymentId: id('wrong'), status: 'succeeded', ...wrong });
      // Given back already, it says nothing of what is still to be paid.
      if (this.#chance(0.3)) await this.#say(request, { paymentId: id('wrong'), status: 'failed' });
    }
    await this.#say(request, { paymentId: id('a'), status: 'succeeded' });
    if (this.#chance(0.25)) await this.#say(request, { paymentId: id('a'), status: 'succeeded' });
    if (this.#chance(0.15)) await this.#say(request, { paymentId: id('b'), status: 'succeeded' });
  }

  async #untilLate(dueAtMs: number): Promise<void> {
    await this.#run.clock.sleep(Math.max(0, dueAtMs - this.#run.clock.nowMs()));
    await this.#pause(LATE_MS_MAX);
  }

  async #giveBack(request: RefundRequest): Promise<void> {
    const { paymentId, refundId, amountMinor, currency } = request;
    const said: Said = { paymentId, refundId, amountMinor, currency, status: 'refunded' };
    await this.#pause(DELAY_MS_MAX);
    await this.#say(request, said);
    if (this.#chance(0.2)) await this.#say(request, said);
  }

  #say({ purchaseId, eventId, zoneId, amountMinor, currency }: Asked, said: Said): Promise<void> {
    return this.#sender.send(IN_TOPICS.payments, serdes.payment, zoneKey(eventId, zoneId), {
      kind: 'payment',
      purchaseId,
      eventId,
      zoneId,
      amountMinor,
      currency,
      refundId: null,
      detail: null,
      occurredAtMs: this.#run.clock.nowMs(),
      ...said,
    });
  }

  #chance(probability: number): boolean {
    return chance(this.#run.random, probability);
  }

  #pause(maxMs: number): Promise<void> {
    return this.#run.clock.sleep(between(this.#run.random, 0, maxMs));
  }
}
