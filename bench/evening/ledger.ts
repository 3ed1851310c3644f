/**
 * The last word of the topic on every purchase of the evening. Each record is read once: asked again,
 * it goes on where it was.
 */
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { readTopic, type SaleClient, type TopicReader } from '../sale-client.ts';
import type { Evening } from './programme.ts';

/** Without a record for so long, the end of the topic has been read. */
const IDLE_MS = 1_000;

export class Ledger {
  readonly #reader: TopicReader;
  readonly #client: SaleClient;
  readonly #events: ReadonlySet<string>;
  readonly #purchases = new Map<string, Purchase>();

  static async open(client: SaleClient, evening: Evening): Promise<Ledger> {
    return new Ledger(client, evening, await readTopic(client.kafka, TOPICS.purchaseStatus));
  }

  private constructor(client: SaleClient, { events }: Evening, reader: TopicReader) {
    this.#client = client;
    this.#events = new Set(events.map(({ eventId }) => eventId));
    this.#reader = reader;
  }

  get purchases(): ReadonlyMap<string, Purchase> {
    return this.#purchases;
  }

  /** Resolves when nothing more came for a while, or `isOver` says so. */
  async readOn(isOver: () => boolean): Promise<void> {
    const { purchase: serde } = this.#client.serdes;
    await this.#reader.read(
      ({ buffer, valueStart, valueEnd }) => {
        const purchase = serde.decode(buffer, valueStart, valueEnd);
        if (this.#events.has(purchase.eventId)) this.#purchases.set(purchase.purchaseId, purchase);
      },
      isOver,
      IDLE_MS,
    );
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}
