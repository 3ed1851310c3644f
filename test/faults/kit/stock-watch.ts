/**
 * Somebody who asks every instance about every zone all the time. An answer may be 503 or 504 while
 * partitions move; it may never be impossible, and what is sold never becomes less. What was seen goes
 * to the journal: the auditor holds its versions to be monotone (I19).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalWriter } from '../../../bench/kit/journal-writer.ts';
import type { Sale } from '../../../bench/sale-client.ts';
import type { SaleProcess } from '../../kit/sale-process.ts';
import { expect } from '../scenario.ts';

interface Stock {
  readonly available: number;
  readonly held: number;
  readonly sold: number;
  readonly capacity: number;
  readonly version: number;
}

const PAUSE_MS = 5;
const ANSWER_WITHIN_MS = 10_000;

export class StockWatch {
  right = 0;
  unavailable = 0;
  readonly wrong: string[] = [];
  readonly #sale: Sale;
  readonly #journal: JournalWriter;
  readonly #stopping = new AbortController();
  readonly #watching: Promise<unknown>;

  constructor(instances: readonly SaleProcess[], sale: Sale, journal: JournalWriter) {
    this.#sale = sale;
    this.#journal = journal;
    this.#watching = Promise.all(instances.map((instance) => this.#watch(instance)));
  }

  /** Throws when an answer was wrong, or when there was none at all. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    expect(this.wrong.length === 0, `only right answers: ${this.wrong.slice(0, 3).join('; ')}`);
    expect(this.right > 0, 'right answers about the stock');
  }

  /** Until it is stopped, or its instance has ended. */
  async #watch(instance: SaleProcess): Promise<void> {
    const lastSold = new Map<string, number>();
    for (let index = 0; !this.#stopping.signal.aborted && !instance.hasEnded; index++) {
      const { zoneId, capacity } = this.#sale.zones[index % this.#sale.zones.length]!;
      const path = `/v1/events/${this.#sale.eventId}/zones/${zoneId}/inventory`;
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const answer = await fetch(`${instance.httpUrl}${path}`, { signal }).catch(() => undefined);
      const body = await answer?.text().catch(() => undefined);
      if (answer?.status === 503 || answer?.status === 504) this.unavailable++;
      else if (answer !== undefined && body !== undefined) {
        const problem =
          answer.status === 200
            ? problemOf(JSON.parse(body) as Stock, capacity, lastSold.get(zoneId) ?? 0)
            : `${answer.status} ${body}`;
        if (problem === undefined) {
          const { sold, version } = JSON.parse(body) as Stock;
          this.right++;
          lastSold.set(zoneId, sold);
          const key = `${this.#sale.eventId}/${zoneId}`;
          this.#journal.read({ reader: instance.httpUrl, key, version });
        } else this.wrong.push(`${zoneId}: ${problem}`);
      }
      await sleep(PAUSE_MS);
    }
  }
}

function problemOf(stock: Stock, capacity: number, soldBefore: number): string | undefined {
  const { available, held, sold } = stock;
  const isSound =
    stock.capacity === capacity && available >= 0 && available + held + sold === capacity;
  if (!isSound) return `impossible stock ${JSON.stringify(stock)}`;
  return sold < soldBefore ? `sold went back from ${soldBefore} to ${sold}` : undefined;
}
