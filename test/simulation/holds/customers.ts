/**
 * Customers of zones that hold: they choose seats or leave it to the sale, pay in time, late, twice, too
 * little or not at all, give back what they have, and hear of refunds. What they send goes over the bad
 * network and is repeated until it is taken.
 */
import { partitionForKey } from '../../../kafka/murmur2.ts';
import { toBytes } from '../../../schemas/serde.ts';
import type { SimulatedRun } from '../../../simulation/scenario.ts';
import { between, chance, pick } from '../../../simulation/world/draw.ts';
import type {
  CreateZoneCommand,
  PaymentUpdate,
  PurchaseCommand,
  PurchaseOptions,
  TicketCommand,
} from '../../../ticket-sales/domain/command.ts';
import { refundIdFor } from '../../../ticket-sales/domain/payment.ts';
import { purchaseIdFor } from '../../../ticket-sales/domain/purchase-id.ts';
import { seatName } from '../../../ticket-sales/domain/seats/seat-name.ts';
import type { ZoneTerms } from '../../../ticket-sales/domain/zone.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { SEND_HEADER, type Send } from '../buyers.ts';
import { PARTITIONS, serdes } from '../sale.ts';

/** After the faults, everybody is at work again by then, and no hold is left that could live. */
const RECOVERY_MS = 25_000;
const HOLD_MS_MAX = 3_000;
const ROWS_MAX = 3;
const COLUMNS_MAX = 5;
const PRICE_MINOR = 4_500;
const CURRENCY = 'EUR';
const VOUCHER = 'FRIENDS';

type Update = Pick<PaymentUpdate, 'paymentId' | 'status'> &
  Partial<Pick<PaymentUpdate, 'amountMinor' | 'refundId'>>;

export class Customers {
  /** By number of the send: commands only, payments have none. */
  readonly journal: Send[] = [];
  readonly zones: readonly CreateZoneCommand[];
  readonly #run: SimulatedRun;
  readonly #purchases: number;

  constructor(run: SimulatedRun) {
    this.#run = run;
    this.zones = Array.from({ length: pick(run.random, 1, 3) }, (_, index) => this.#zone(index));
    this.#purchases = pick(run.random, 4, 8 + Math.min(40, run.faultsMs / 200));
  }

  /** Until every command has been taken, and log time has moved on beyond the end of every hold. */
  async feed(): Promise<void> {
    const { clock, random, faultsMs } = this.#run;
    const endMs = clock.monotonicMs() + faultsMs;
    const running: Promise<void>[] = [];
    for (const zone of this.zones) running.push(this.#open(zone));
    for (let number = 0; number < this.#purchases; number++) {
      await clock.sleep(between(random, 0, (2 * faultsMs) / this.#purchases));
      running.push(this.#buy(number));
    }
    await Promise.all(running);
    await clock.sleep(Math.max(0, endMs - clock.monotonicMs()) + RECOVERY_MS);
    await Promise.all(this.zones.map((zone) => this.#operate('openSale', zone)));
  }

  async #open(zone: CreateZoneCommand): Promise<void> {
    await this.#send(zone);
    const { eventId, zoneId } = zone;
    const terms = { percentOff: 20, amountOffMinor: 100, usesMax: 3 };
    await this.#send({ kind: 'defineVoucher', eventId, zoneId, code: VOUCHER, ...terms });
    if (!this.#chance(0.2)) return;
    await this.#pause(this.#run.faultsMs / 2);
    await this.#operate('pauseSale', zone);
    await this.#pause(500);
    await this.#operate('openSale', zone);
  }

  async #buy(number: number): Promise<void> {
    const zone = this.zones[pick(this.#run.random, 0, this.zones.length - 1)]!;
    const command = this.#command(number, zone);
    await this.#send(command);
    if (this.#chance(0.2)) await this.#send(command);
    const { eventId, zoneId, purchaseId } = command;
    const change = (kind: 'cancel' | 'extendHold') =>
      this.#send({ kind, eventId, zoneId, purchaseId });
    if (this.#chance(0.15)) {
      await this.#pause(HOLD_MS_MAX);
      await change('extendHold');
    }
    const fate = this.#run.random.next();
    if (fate < 0.12) return;
    // Sometimes after the hold has ended.
    await this.#pause((zone.terms?.holdMs ?? 0) * 1.8);
    if (fate < 0.25) await change('cancel');
    else await this.#settle(command, zone, fate);
    if (this.#chance(0.25)) await change('cancel');
    if (this.#chance(0.4)) await this.#payBack(command, zone);
  }

  async #settle(command: PurchaseCommand, zone: CreateZoneCommand, fate: number): Promise<void> {
    const paymentId = `p-${command.purchaseId.slice(9, 18)}`;
    const pays = (update: Update) => this.#pay(command, zone, update);
    if (fate < 0.35) {
      await pays({ paymentId, status: 'failed' });
      if (this.#chance(0.5)) return;
    }
    const amountMinor = fate < 0.42 ? 1 : this.#owed(command, zone);
    await pays({ paymentId, status: 'succeeded', amountMinor });
    if (fate < 0.55) await pays({ paymentId, status: 'succeeded', amountMinor });
    if (fate > 0.85) await pays({ paymentId: `${paymentId}-b`, status: 'succeeded', amountMinor });
  }

  /** The payment side tells of a refund, asked for or not. */
  async #payBack(command: PurchaseCommand, zone: CreateZoneCommand): Promise<void> {
    await this.#pause(500);
    for (const suffix of ['', '-b']) {
      const paymentId = `p-${command.purchaseId.slice(9, 18)}${suffix}`;
      const refundId = refundIdFor(command.purchaseId, paymentId);
      const amountMinor = this.#owed(command, zone);
      await this.#pay(command, zone, { paymentId, status: 'refunded', refundId, amountMinor });
      if (this.#chance(0.5)) return;
    }
  }

  async #pay(command: PurchaseCommand, zone: CreateZoneCommand, update: Update): Promise<void> {
    const { eventId, zoneId } = zone;
    // Now and then for somebody whom the zone does not know.
    const isUnknown = update.status === 'succeeded' && this.#chance(0.05);
    const purchaseId = isUnknown ? `nobody-${command.purchaseId}` : command.purchaseId;
    const value = toBytes(serdes.payment, {
      kind: 'payment',
      eventId,
      zoneId,
      purchaseId,
      amountMinor: this.#owed(command, zone),
      currency: CURRENCY,
      refundId: null,
      detail: null,
      occurredAtMs: this.#run.clock.nowMs(),
      ...update,
    });
    await this.#untilTaken(TOPICS.payments, zone, () => ({ value, taken: () => {} }));
  }

  /** Where tickets have no tiers, that is what it costs. */
  #owed({ quantity, options }: PurchaseCommand, { terms }: CreateZoneCommand): number {
    const tickets = quantity * PRICE_MINOR;
    const off = options?.voucher === VOUCHER ? Math.floor(tickets / 5) + 100 : 0;
    const fees = terms?.fees ?? { perTicketMinor: 0, perPurchaseMinor: 0 };
    return tickets - off + fees.perTicketMinor * quantity + fees.perPurchaseMinor;
  }

  #operate(kind: 'openSale' | 'pauseSale', { eventId, zoneId }: CreateZoneCommand): Promise<void> {
    return this.#send({ kind, eventId, zoneId });
  }

  async #send(command: TicketCommand): Promise<void> {
    const value = toBytes(serdes.command, command);
    await this.#untilTaken(TOPICS.commands, command, () => {
      const send: Send = { command, outcome: 'sent' };
      const number = this.journal.push(send) - 1;
      const headers = [{ key: SEND_HEADER, value: Buffer.from(String(number)) }];
      const taken = (outcome: Send['outcome']) => {
        send.outcome = outcome;
      };
      return { value, headers, taken };
    });
  }

  /** As a client with an idempotency key: an unknown outcome means the same again. */
  async #untilTaken(
    topic: string,
    { eventId, zoneId }: { readonly eventId: string; readonly zoneId: string },
    next: () => {
      readonly value: Buffer;
      readonly headers?: readonly { key: string; value: Buffer }[];
      readonly taken: (outcome: Send['outcome']) => void;
    },
  ): Promise<void> {
    const key = Buffer.from(zoneKey(eventId, zoneId));
    const partition = partitionForKey(key, 0, key.length, PARTITIONS);
    for (;;) {
      const { taken, ...record } = next();
      const outcome = await this.#run.send(topic, partition, { key, ...record });
      taken(outcome);
      if (outcome === 'acknowledged') return;
      await this.#pause(300);
    }
  }

  #command(number: number, zone: CreateZoneCommand): PurchaseCommand {
    const { eventId, zoneId } = zone;
    const buyerId = `buyer-${pick(this.#run.random, 1, 5)}`;
    const options = this.#options(zone);
    const quantity = options?.seats.length || pick(this.#run.random, 1, 3);
    return {
      kind: 'purchase',
      eventId,
      zoneId,
      purchaseId: purchaseIdFor({ eventId, zoneId, buyerId, idempotencyKey: `${number}` }),
      buyerId,
      quantity,
      requestedAtMs: this.#run.clock.nowMs(),
      options,
    };
  }

  #options({ terms }: CreateZoneCommand): PurchaseOptions | null {
    const voucher = this.#chance(0.2) ? VOUCHER : null;
    const layout = terms?.layout ?? null;
    if (layout === null) {
      return voucher === null
        ? null
        : { seats: [], placement: 'any', voucher, orderId: null, viaIntake: false };
    }
    const placement = (['any', 'adjacent', 'adjacent_or_split'] as const)[
      pick(this.#run.random, 0, 2)
    ]!;
    if (this.#chance(0.5))
      return { seats: [], placement, voucher, orderId: null, viaIntake: false };
    const row = pick(this.#run.random, 0, layout.rows - 1);
    const column = pick(this.#run.random, 0, layout.columns - 1);
    const seats = [seatName(row, column)];
    if (this.#chance(0.5) && column + 1 < layout.columns) seats.push(seatName(row, column + 1));
    return { seats, placement: 'any', voucher, orderId: null, viaIntake: false };
  }

  #zone(index: number): CreateZoneCommand {
    const { random } = this.#run;
    const layout = this.#chance(0.5)
      ? { rows: pick(random, 1, ROWS_MAX), columns: pick(random, 2, COLUMNS_MAX) }
      : null;
    const blockedSeats = layout !== null && this.#chance(0.4) ? [seatName(0, 1)] : [];
    const capacity =
      layout === null ? pick(random, 3, 14) : layout.rows * layout.columns - blockedSeats.length;
    const terms: ZoneTerms = {
      checkout: this.#chance(0.9) ? 'hold' : 'immediate',
      holdMs: pick(random, 1_000, HOLD_MS_MAX),
      latePayment: this.#chance(0.5) ? 'retake' : 'refund',
      customerMax: this.#chance(0.3) ? 4 : 0,
      opensAtMs: null,
      closesAtMs: null,
      fees: this.#chance(0.4) ? { perTicketMinor: 150, perPurchaseMinor: 99 } : null,
      tiers: this.#chance(0.3) ? [{ fromSoldPermille: 500, amountMinor: 6_000 }] : [],
      layout,
      notify: this.#chance(0.5),
      intakeOnly: false,
    };
    return {
      kind: 'createZone',
      eventId: `event-${index % 2}`,
      zoneId: `zone-${index}`,
      capacity,
      quantityMax: 4,
      price: { amountMinor: PRICE_MINOR, currency: CURRENCY },
      terms,
      blockedSeats,
    };
  }

  #chance(probability: number): boolean {
    return chance(this.#run.random, probability);
  }

  #pause(maxMs: number): Promise<void> {
    return this.#run.clock.sleep(between(this.#run.random, 0, maxMs));
  }
}
