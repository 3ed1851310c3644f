/**
 * The festival's guests and its payment side: what they write stands in any partition, under any key, in
 * capitals or not; payments come before their purchase, after it, twice, or for nothing at all.
 */
import { fromBytes } from '../../../schemas/serde.ts';
import type { SimulatedRun } from '../../../simulation/scenario.ts';
import { between, chance, pick } from '../../../simulation/world/draw.ts';
import type { CreateZoneCommand } from '../../../ticket-sales/domain/command.ts';
import { purchaseIdFor } from '../../../ticket-sales/domain/purchase-id.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { TICKET_TYPES } from '../../../ticket-sales/festival/festival.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { Follower } from '../orders/follower.ts';
import { Sender } from '../orders/sender.ts';
import { PARTITIONS, serdes } from '../sale.ts';
import { FESTIVAL, type PurchaseRequested, theirs } from './app.ts';

const { eventId } = FESTIVAL;
const HOLD_MS_MAX = 3_000;
const LOOK_MS = 200;

export class Guests {
  readonly zones: readonly CreateZoneCommand[];
  /** By canonical id. */
  readonly asked = new Map<string, PurchaseRequested>();
  readonly failures: string[] = [];
  readonly sender: Sender;
  readonly #run: SimulatedRun;
  readonly #follower: Follower;
  readonly #purchases: number;
  readonly #unsettled = new Set<string>();

  constructor(run: SimulatedRun) {
    this.#run = run;
    this.sender = new Sender(run);
    this.zones = TICKET_TYPES.map((zoneId) => this.#zone(zoneId));
    this.#purchases = pick(run.random, 3, 8 + Math.min(20, run.faultsMs / 1_000));
    this.#follower = new Follower(run, {
      [TOPICS.purchaseStatus]: (value) => {
        const { purchaseId, state } = fromBytes(serdes.purchase, value);
        if (state === 'held') this.#unsettled.add(purchaseId);
        else this.#unsettled.delete(purchaseId);
      },
    });
  }

  /** Until each purchase has come to its end. */
  async feed(): Promise<void> {
    const { clock, random, faultsMs } = this.#run;
    const followed = this.#follower.follow().catch((error: Error) => {
      this.failures.push(`what was announced cannot be followed: ${error.message}`);
    });
    const running = this.zones.map((zone) =>
      this.sender.send(TOPICS.commands, serdes.command, zoneKey(eventId, zone.zoneId), zone),
    );
    if (this.#chance(0.7)) await Promise.all(running);
    for (let number = 0; number < this.#purchases; number++) {
      await clock.sleep(between(random, 0, (2 * faultsMs) / this.#purchases));
      running.push(this.#guest(number));
    }
    await Promise.all(running);
    while (this.#unsettled.size > 0 && this.failures.length === 0) await clock.sleep(LOOK_MS);
    this.#follower.stop();
    await followed;
  }

  async #guest(number: number): Promise<void> {
    const request = this.#request(number);
    const { purchaseId } = request;
    this.asked.set(purchaseId.toLowerCase(), request);
    this.#unsettled.add(purchaseId.toLowerCase());
    const isEarly = this.#chance(0.2);
    if (isEarly) await this.#pay(purchaseId, 'SUCCEEDED');
    await this.#ask(request);
    if (this.#chance(0.2)) await this.#ask(request);
    await this.#pause(HOLD_MS_MAX * 1.2);
    if (this.#chance(0.2)) await this.#pay(purchaseId, 'FAILED');
    if (isEarly || this.#chance(0.7)) await this.#pay(purchaseId, 'SUCCEEDED');
    if (this.#chance(0.2)) await this.#pay(purchaseId, 'succeeded');
  }

  #ask(request: PurchaseRequested): Promise<void> {
    return this.sender.send(TOPICS.commands, theirs.purchase, 'any', request, this.#anywhere());
  }

  #pay(purchaseId: string, status: string): Promise<void> {
    const timestamp = this.#run.clock.nowMs();
    const payment = { purchaseId, timestamp, status };
    return this.sender.send(TOPICS.payments, theirs.payment, 'any', payment, this.#anywhere());
  }

  #request(number: number): PurchaseRequested {
    const ticketType = TICKET_TYPES[pick(this.#run.random, 0, TICKET_TYPES.length - 1)]!;
    const userId = `00000000-0000-4000-8000-${String(pick(this.#run.random, 1, 5)).padStart(12, 'a')}`;
    const ours = purchaseIdFor({
      eventId,
      zoneId: ticketType,
      buyerId: userId,
      idempotencyKey: `${number}`,
    });
    // Theirs tell nothing of a zone.
    const id = this.#chance(0.5) ? ours : `${String(number).padStart(8, 'f')}${ours.slice(8)}`;
    return {
      purchaseId: this.#chance(0.3) ? id.toUpperCase() : id,
      userId: this.#chance(0.3) ? userId.toUpperCase() : userId,
      ticketType,
      quantity: pick(this.#run.random, 1, 3),
      timestamp: this.#run.clock.nowMs(),
    };
  }

  #zone(zoneId: string): CreateZoneCommand {
    const { random } = this.#run;
    return {
      kind: 'createZone',
      eventId,
      zoneId,
      capacity: pick(random, 3, 14),
      quantityMax: 4,
      price: { amountMinor: 4_500, currency: 'EUR' },
      terms: this.#chance(0.2)
        ? null
        : {
            ...PLAIN_TERMS,
            checkout: 'hold',
            holdMs: pick(random, 1_000, HOLD_MS_MAX),
            latePayment: this.#chance(0.5) ? 'retake' : 'refund',
          },
      blockedSeats: [],
    };
  }

  #anywhere(): number {
    return pick(this.#run.random, 0, PARTITIONS - 1);
  }

  #chance(probability: number): boolean {
    return chance(this.#run.random, probability);
  }

  #pause(maxMs: number): Promise<void> {
    return this.#run.clock.sleep(between(this.#run.random, 0, maxMs));
  }
}
