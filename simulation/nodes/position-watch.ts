/**
 * Looks over the shoulder of the engine's stores: within one opening the position in a changelog never
 * goes back. If it did, a killed process would have to replay what it has long had (invariant 4).
 */
import type { BytesBatch, BytesStore, BytesStoreEngine } from '../../stores/bytes-store.ts';
import { readPositions } from '../../stores/entries/meta-records.ts';
import type { ChangelogPosition } from '../../stores/state-store.ts';

type Violated = (sentence: string) => void;

export function watchedPositions(engine: BytesStoreEngine, violated: Violated): BytesStoreEngine {
  return {
    ...engine,
    open: async (directory, role) => {
      const store = await engine.open(directory, role);
      return role === 'owner' ? watchedStore(store, directory, violated) : store;
    },
  };
}

function watchedStore(store: BytesStore, directory: string, violated: Violated): BytesStore {
  let before: ReadonlyMap<string, ChangelogPosition> = new Map();
  const look = () => {
    const { changelogs } = readPositions(store, 'positions');
    for (const [name, { offset, topicId }] of changelogs) {
      const old = before.get(name);
      if (old === undefined || old.topicId !== topicId || old.offset <= offset) continue;
      violated(`the position of ${name} in ${directory} went from ${old.offset} to ${offset}`);
    }
    before = changelogs;
  };
  return {
    get: (key) => store.get(key),
    scan: (range) => store.scan(range),
    batch: () => watchedBatch(store.batch(), look),
    estimateBytes: (range) => store.estimateBytes(range),
    flush: () => store.flush(),
    close: () => store.close(),
  };
}

function watchedBatch(batch: BytesBatch, look: () => void): BytesBatch {
  return {
    put: (key, value) => batch.put(key, value),
    delete: (key) => batch.delete(key),
    write: async (options) => {
      await batch.write(options);
      look();
    },
  };
}
