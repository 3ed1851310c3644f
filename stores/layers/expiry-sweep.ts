/** Walks a store with a TTL round and round, a few entries at a time, and deletes what has expired. */
import { timestampOf } from '../entries/entry-format.ts';
import type { CommittedStore } from './committed-store.ts';
import type { LayeredStore } from './layered-store.ts';

const PAGE = 256;

export class ExpirySweep<K, V> {
  readonly #store: LayeredStore<K, V>;
  readonly #committed: CommittedStore<K, V>;
  /** The last db key seen; undefined = start over. */
  #last: Buffer | undefined;

  constructor(store: LayeredStore<K, V>, committed: CommittedStore<K, V>) {
    this.#store = store;
    this.#committed = committed;
  }

  /** Looks at up to `limit` entries; stops at the store's end. */
  async visit(limit: number, logTimeMs: number): Promise<{ visited: number; expired: number }> {
    const scan = this.#committed.scanAfter(this.#last);
    let visited = 0;
    let expired = 0;
    try {
      while (visited < limit) {
        const page = await scan.next(Math.min(PAGE, limit - visited));
        if (page.length === 0) {
          this.#last = undefined;
          break;
        }
        for (const [key, value] of page) {
          if (!this.#committed.isExpired(timestampOf(value), logTimeMs)) continue;
          // The scan is a snapshot: the store decides by what is newest now.
          if (this.#store.expire(this.#committed.keys.decode(key))) expired++;
        }
        visited += page.length;
        this.#last = page.at(-1)![0];
      }
      return { visited, expired };
    } finally {
      await scan.close();
    }
  }
}
