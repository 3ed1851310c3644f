/** Bugs in what is kept: by the stores, by the processors, by the broker's disk. */
import type { Clock } from '../../../base/clock.ts';
import { isMillraceError } from '../../../base/errors.ts';
import type { Disk } from '../../../embedded-kafka/ports.ts';
import type { BytesBatch, BytesStore, BytesStoreEngine } from '../../../stores/bytes-store.ts';
import type { KeyValueStore } from '../../../stores/state-store.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { chores } from '../chores/scenario.ts';
import { holds } from '../holds/scenario.ts';
import type { Mutant } from '../mutants.ts';
import { withContext } from './ticket-context.ts';

function storing(change: (store: BytesStore) => BytesStore): Mutant['mutation'] {
  return () => ({
    storeEngine: (engine): BytesStoreEngine => ({
      ...engine,
      open: async (directory, role) => change(await engine.open(directory, role)),
    }),
  });
}

function withBatches(store: BytesStore, batch: () => BytesBatch): BytesStore {
  return {
    get: (key) => store.get(key),
    scan: (range) => store.scan(range),
    batch,
    estimateBytes: (range) => store.estimateBytes(range),
    flush: () => store.flush(),
    close: () => store.close(),
  };
}

/** Each write is a batch of its own, the last one first: in a batch, positions come after the data. */
function torn(store: BytesStore): BytesStore {
  return withBatches(store, () => {
    const writes: ((batch: BytesBatch) => void)[] = [];
    return {
      put: (key, value) => {
        const [keyCopy, valueCopy] = [Buffer.from(key), Buffer.from(value)];
        writes.push((batch) => batch.put(keyCopy, valueCopy));
      },
      delete: (key) => {
        const copy = Buffer.from(key);
        writes.push((batch) => batch.delete(copy));
      },
      write: async (options) => {
        for (const add of [...writes.slice(-1), ...writes.slice(0, -1)]) {
          const batch = store.batch();
          add(batch);
          await batch.write(options);
        }
      },
    };
  });
}

/** A flush says that it is done, and is not. */
function neverFlushed(store: BytesStore): BytesStore {
  return { ...withBatches(store, () => store.batch()), flush: async () => {} };
}

type Stores = (
  store: KeyValueStore<string, unknown>,
  taskId: string,
) => KeyValueStore<string, unknown>;

/** The ticket processor, with another view of its stores; `change` is called once per life of a process. */
function processing(change: () => Stores): Mutant['mutation'] {
  return () => ({
    topology: (topology) => {
      const stores = change();
      return withContext(topology, (context) => ({
        getStateStore: ((store: string) =>
          stores(context.getStateStore(store), context.taskId)) as never,
      }));
    },
  });
}

function storeWith(
  store: KeyValueStore<string, unknown>,
  change: Partial<KeyValueStore<string, unknown>>,
): KeyValueStore<string, unknown> {
  return new Proxy(store, {
    get(target, name) {
      const value = (Reflect.get(change, name) ?? Reflect.get(target, name, target)) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** What was once put is believed for ever, whatever became of its transaction. */
function remembering(): Stores {
  const cached = new Map<string, unknown>();
  return (store, taskId) => {
    const nameOf = (key: string) => `${taskId}/${store.name}/${key}`;
    return storeWith(store, {
      get: (key) => cached.get(nameOf(key)) ?? store.get(key),
      put: (key, value) => {
        cached.set(nameOf(key), value);
        store.put(key, value);
      },
    });
  };
}

/** Acknowledged before it is on the platters. */
function unsynced(disk: Disk): Disk {
  return new Proxy(disk, {
    get(target, name) {
      if (name === 'open') {
        return (...asked: Parameters<Disk['open']>) => {
          const file = target.open(...asked);
          file.sync = () => Promise.resolve();
          return file;
        };
      }
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A write that fails is not told: the store goes on. */
function unfailing(store: BytesStore): BytesStore {
  return withBatches(store, () => {
    const batch = store.batch();
    return {
      put: (key, value) => batch.put(key, value),
      delete: (key) => batch.delete(key),
      write: (options) =>
        batch.write(options).catch((error) => {
          if (!isMillraceError(error, 'STORE_IO', 'STORE_DISK_FULL')) throw error;
        }),
    };
  });
}

const READS_LAG_MS = 5;

/** Readers see the stores as they were before the last batch, for a while. */
class LaggingReads {
  /** By directory and key: what was there before, and until when it is still seen. */
  readonly #before = new Map<
    string,
    { readonly value: Buffer | undefined; readonly untilMs: number }
  >();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  engine(engine: BytesStoreEngine): BytesStoreEngine {
    return {
      ...engine,
      open: async (directory, role) => {
        const store = await engine.open(directory, role);
        return role === 'owner' ? this.#written(store, directory) : this.#read(store, directory);
      },
    };
  }

  #written(store: BytesStore, directory: string): BytesStore {
    return withBatches(store, () => {
      const batch = store.batch();
      const keys: Buffer[] = [];
      return {
        put: (key, value) => {
          keys.push(Buffer.from(key));
          batch.put(key, value);
        },
        delete: (key) => batch.delete(key),
        write: async (options) => {
          const untilMs = this.#clock.monotonicMs() + READS_LAG_MS;
          for (const key of keys) {
            this.#before.set(nameOf(directory, key), { value: store.get(key), untilMs });
          }
          await batch.write(options);
        },
      };
    });
  }

  #read(store: BytesStore, directory: string): BytesStore {
    return {
      ...withBatches(store, () => store.batch()),
      get: (key) => {
        const before = this.#before.get(nameOf(directory, key));
        const isSeen = before !== undefined && this.#clock.monotonicMs() < before.untilMs;
        return isSeen ? before.value : store.get(key);
      },
    };
  }
}

function nameOf(directory: string, key: Buffer): string {
  return `${directory} ${key.toString('latin1')}`;
}

/** The time of the task's partition is what the machine's clock says, which jumps. */
const hostClock: Mutant['mutation'] = () => ({
  topology: (topology, process) =>
    withContext(topology, () => ({ currentStreamTimeMs: () => process.clock.nowMs() })),
});

export const STATE_MUTANTS: readonly Mutant[] = [
  {
    name: 'reads-lag',
    what: 'a read is served from before a decision that has been announced',
    scenario: chores,
    mutation: () => ({
      storeEngine: (engine, process) => new LaggingReads(process.clock).engine(engine),
    }),
  },
  {
    name: 'write-errors-ignored',
    what: 'a store goes on after a write that has failed',
    mutation: storing(unfailing),
  },
  {
    name: 'torn-batches',
    what: 'data and position are not written in one batch',
    mutation: storing(torn),
  },
  {
    name: 'never-flushed',
    what: 'the flushed position is noted without a flush',
    mutation: storing(neverFlushed),
  },
  {
    name: 'power-loss-unnoticed',
    what: 'after a power loss the store goes on from its position',
    mutation: () => ({
      storeEngine: (engine) => ({
        ...engine,
        machine: { ...engine.machine!, bootId: () => 'always the same' },
      }),
    }),
  },
  {
    name: 'no-dedupe',
    what: 'a purchase is decided again when its command is repeated',
    mutation: processing(
      () => (store) =>
        store.name === STORES.purchases ? storeWith(store, { get: () => undefined }) : store,
    ),
  },
  {
    name: 'cache-survives-abort',
    what: 'a cached value survives the abort of its transaction',
    mutation: processing(remembering),
  },
  {
    name: 'broker-never-syncs',
    what: 'the broker acknowledges before fdatasync',
    mutation: () => ({ disk: unsynced }),
  },
  {
    name: 'host-clock',
    what: "a hold expired by the host's clock",
    scenario: holds,
    mutation: hostClock,
  },
];
