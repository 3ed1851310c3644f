/**
 * A crowd that lives the whole life of a sale: tickets held, paid, paid late or twice, declined, given
 * back, expired. The guests of `npm run demo`, judged by its books: topics, payment desk, stock and the
 * sale's own queries must agree to the cent.
 */
import type { GuestSurroundings, Visit } from '../../../bench/evening/guest.ts';
import { openDoors, receive, settle } from '../../../bench/evening/house.ts';
import { PaymentDesk } from '../../../bench/evening/payment-desk.ts';
import { type Evening, planEvening } from '../../../bench/evening/programme.ts';
import type { JournalWriter } from '../../../bench/kit/journal-writer.ts';
import type { SaleClient } from '../../../bench/sale-client.ts';
import { expect } from '../scenario.ts';
import { type Crowd, type Judgement, untilStuck } from './crowd.ts';

export interface LifeOptions {
  readonly guests: number;
  readonly guestsPerSecond: number;
  readonly holdMs: number;
}

export interface LifeSurroundings {
  readonly client: SaleClient;
  readonly journal: JournalWriter;
  readonly httpUrl: string;
  /** Apart from other lives on the same Kafka. */
  readonly name: string;
}

const DEFAULTS: LifeOptions = { guests: 1_200, guestsPerSecond: 40, holdMs: 8_000 };
const STUCK_AFTER_MS = 240_000;
const SETTLED_WITHIN_MS = 180_000;
/** Each must have come to be, else the life was not a whole one. */
const STATES = ['confirmed', 'expired', 'payment_failed', 'refunded', 'released'] as const;

export class LifeCrowd implements Crowd {
  readonly #evening: Evening;
  readonly #around: GuestSurroundings;
  readonly #client: SaleClient;
  readonly #desk: PaymentDesk;
  readonly #visits: Visit[] = [];
  readonly #givenUp = new AbortController();
  readonly #forMs: number;
  #receiving: Promise<void> = Promise.resolve();
  #hasFailed: Error | undefined;

  constructor(surroundings: LifeSurroundings, options: Partial<LifeOptions>) {
    const { guests, guestsPerSecond, holdMs } = { ...DEFAULTS, ...options };
    const { client, journal, httpUrl, name } = surroundings;
    this.#evening = planEvening({ buyers: guests, seed: Date.now() % 1_000_000, holdMs, name });
    this.#forMs = (guests / guestsPerSecond) * 1_000;
    this.#client = client;
    this.#desk = new PaymentDesk(client);
    const { signal } = this.#givenUp;
    this.#around = { httpUrl, desk: this.#desk, journal, name, holdMs, signal };
  }

  /** Opens the doors, and lets the guests come. */
  async begin(): Promise<void> {
    await this.#desk.open();
    await openDoors(this.#around.httpUrl, this.#evening);
    this.#receiving = receive(this.#evening, this.#around, this.#forMs, this.#visits);
    this.#receiving.catch((error: unknown) => {
      this.#hasFailed = error instanceof Error ? error : new Error(String(error));
    });
  }

  /** Guests who have done what they meant to do. */
  get gone(): number {
    return this.#visits.length;
  }

  /** Resolves when so many of all guests are gone, 0 to 1. Rejects when nobody goes for long. */
  async isGone(share: number): Promise<void> {
    const count = Math.floor(this.#evening.buyers.length * share);
    const holds = () => this.gone >= count || this.#hasFailed !== undefined;
    await untilStuck(`${count} guests`, holds, () => this.gone, STUCK_AFTER_MS);
    if (this.#hasFailed !== undefined) throw this.#hasFailed;
  }

  async judge(): Promise<Judgement> {
    await this.isGone(1);
    await this.#receiving;
    const evening = { evening: this.#evening, client: this.#client, desk: this.#desk };
    const books = await settle(
      { ...evening, around: this.#around },
      this.#visits,
      SETTLED_WITHIN_MS,
    );
    await this.#desk.close();
    const { problems, states, desk, ticketsSold } = books;
    if (problems.length > 0) {
      throw new Error(`the books do not agree: ${problems.slice(0, 5).join('; ')}`);
    }
    for (const state of STATES) expect((states.get(state) ?? 0) > 0, `purchases ${state}`);
    const evidence = {
      ...Object.fromEntries([...states].sort()),
      payments: desk.payments,
      'given back': desk.refunds,
    };
    return { asked: this.#visits.length, sold: ticketsSold, evidence };
  }

  abandon(): void {
    this.#givenUp.abort(new Error('the evening is given up'));
    void this.#desk.close();
  }
}
