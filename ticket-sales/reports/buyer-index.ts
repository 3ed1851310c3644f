/**
 * The purchases of each buyer, newest first: a sub-topology of its own that reads every outcome once
 * more, so that it can be left out (TICKETS_BUYER_QUERIES=off) where nobody asks for it.
 *
 * The index stays in the partition of the purchase; a query gathers a buyer's purchases from all of
 * them. To bring them to a partition of the buyer would write each outcome to one more topic and read
 * it from there, at every purchase; to gather costs something only when somebody asks. It is as exact:
 * each partition answers from one committed state and says which (Store-Position), and since each
 * gives its own newest ones, the newest of all are among them.
 */
import type { Serde } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { KeyValueStore } from '../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../topology/processor.ts';
import type { Topology } from '../../topology/topology.ts';
import type { Purchase } from '../domain/purchase.ts';
import { TOPICS } from '../records.ts';

export const BUYER_STORE = 'buyer-purchases';

/** Times count down from here in a key, so that the newest purchase comes first. */
const TIME_MAX = 999_999_999_999_999;
const TIME_DIGITS = 15;

/** The index is behind the sale anyway; it must not double its transactions. */
const INDEX_LINGER_MS = 100;

export function defineBuyerIndex(topology: Topology, purchase: Serde<Purchase>): Topology {
  return topology
    .addSource({
      name: 'outcomes',
      topics: [TOPICS.purchaseStatus],
      lingerMs: INDEX_LINGER_MS,
      keySerde: stringSerde,
      valueSerde: purchase,
      nullKeys: false,
      nullValues: false,
    })
    .addProcessor({
      name: 'index-buyers',
      supplier: () => new BuyerIndexer(),
      parents: ['outcomes'],
    })
    .addStateStore(
      {
        kind: 'keyValue',
        name: BUYER_STORE,
        keySerde: stringSerde,
        valueSerde: purchase,
        persistence: 'leveldb',
        changelog: { configs: {} },
        // Only ever written by the engine.
        cacheEntriesMax: 0,
      },
      'index-buyers',
    );
}

/** A purchase keeps its key for life, so that a later state replaces an earlier one. */
class BuyerIndexer implements Processor<string, Purchase> {
  #purchases!: KeyValueStore<string, Purchase>;

  init(context: ProcessorContext): void {
    this.#purchases = context.getStateStore(BUYER_STORE);
  }

  process({ value: purchase }: StreamRecord<string, Purchase>): void {
    const { buyerId, requestedAtMs, purchaseId } = purchase;
    this.#purchases.put(buyerPrefix(buyerId) + placeOf(requestedAtMs, purchaseId), purchase);
  }
}

export function buyerPrefix(buyerId: string): string {
  return `${buyerId}/`;
}

/** Where a purchase stands among those of its buyer. */
export function placeOf(requestedAtMs: number, purchaseId: string): string {
  return `${String(TIME_MAX - requestedAtMs).padStart(TIME_DIGITS, '0')}/${purchaseId}`;
}
