/**
 * Ordered bytes in LevelDB; the only file that names it.
 * Its errors are turned into ours here. After a failed write LevelDB acknowledges later ones and
 * loses them: whoever sees STORE_IO or STORE_DISK_FULL must stop writing (task-state.ts does).
 */
import { mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Level } from 'level';
import { isMillraceError, MillraceError } from '../base/errors.ts';
import type {
  BytesBatch,
  BytesRange,
  BytesScan,
  BytesStore,
  BytesStoreEngine,
} from './bytes-store.ts';
import { checkDatabaseFiles } from './leveldb-files/check-files.ts';
import { lockAsOwner, lockAsReader, type OwnerLock } from './task-lock.ts';

export interface LevelDbBudget {
  /** LRU cache of uncompressed blocks. */
  readonly cacheBytes: number;
  /** Size of the log and of each of up to two tables in memory. Above 4 MB writes become slower. */
  readonly writeBufferBytes: number;
  readonly openFilesMax: number;
}

const MB = 1 << 20;
const NOTHING_ABOVE = Buffer.of(0xff, 0xff);
/** How much a scan may hold beside the page it returns. */
const SCAN_BUFFER_BYTES = 256 * 1024;

/** Shares a process' memory and files out over the databases it expects to have open at once. */
export function divideBudget(
  totalBytes: number,
  databases: number,
  openFiles: number = 4096,
): LevelDbBudget {
  const each = totalBytes / Math.max(1, databases);
  const writeBufferBytes = Math.floor(clamp(each / 4, MB / 4, 4 * MB));
  return {
    writeBufferBytes,
    cacheBytes: Math.floor(Math.max(each - 2 * writeBufferBytes, MB / 2)),
    openFilesMax: Math.floor(clamp(openFiles / Math.max(1, databases), 64, 1000)),
  };
}

export function levelDbEngine(budget: LevelDbBudget = divideBudget(16 * MB, 1)): BytesStoreEngine {
  return {
    open: async (directory, role) => {
      const path = resolve(directory);
      try {
        return await (role === 'owner' ? openOwner(path, budget) : openReader(path, budget));
      } catch (error) {
        throw storeError(error, `cannot open the state in ${path}`);
      }
    },
    destroy: (directory) => rm(directory, { recursive: true, force: true }),
  };
}

async function openOwner(path: string, budget: LevelDbBudget): Promise<BytesStore> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const lock = await lockAsOwner(path);
  try {
    // Without the check a lost CURRENT file would open as an empty database.
    const createIfMissing = !(await checkDatabaseFiles(path));
    const level = await openLevel(path, budget, createIfMissing);
    const store = new LevelDbStore(level, path, async () => {
      await lock.dismissReaders();
      await level.close();
      lock.release();
    });
    await admitReaders(lock, level);
    return store;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function admitReaders(lock: OwnerLock, level: LevelDb): Promise<void> {
  try {
    lock.admitReaders();
  } catch (error) {
    await level.close();
    throw error;
  }
}

async function openReader(path: string, budget: LevelDbBudget): Promise<BytesStore> {
  const lock = lockAsReader(path);
  try {
    const level = await openLevel(path, budget, false);
    return new LevelDbStore(level, path, () => level.close().finally(() => lock.release()));
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openLevel(
  path: string,
  budget: LevelDbBudget,
  createIfMissing: boolean,
): Promise<LevelDb> {
  const level = new Level<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing,
    // So that leveldb-files/ can read what it checks; small values gain little from compression.
    compression: false,
    cacheSize: budget.cacheBytes,
    writeBufferSize: budget.writeBufferBytes,
    maxOpenFiles: budget.openFilesMax,
    multithreading: true,
  });
  await level.open();
  return level as LevelDb;
}

/** `level` is typed for browsers, too; these two exist where there is a disk. */
type LevelDb = Level<Buffer, Buffer> & {
  approximateSize(start: Buffer, end: Buffer): Promise<number>;
  compactRange(start: Buffer, end: Buffer): Promise<void>;
};

class LevelDbStore implements BytesStore {
  readonly #level: LevelDb;
  readonly #directory: string;
  readonly #leave: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(level: LevelDb, directory: string, leave: () => Promise<void>) {
    this.#level = level;
    this.#directory = directory;
    this.#leave = leave;
  }

  get(key: Buffer): Buffer | undefined {
    try {
      return this.#level.getSync(key);
    } catch (error) {
      throw this.#error(error, 'cannot read from');
    }
  }

  scan(range: BytesRange): BytesScan {
    try {
      const iterator = this.#level.iterator({
        gte: range.gte,
        lt: range.lt,
        reverse: range.reverse ?? false,
        highWaterMarkBytes: SCAN_BUFFER_BYTES,
      });
      return {
        next: (max) =>
          iterator.nextv(max).catch((error) => {
            throw this.#error(error, 'cannot scan');
          }),
        close: () => iterator.close(),
      };
    } catch (error) {
      throw this.#error(error, 'cannot scan');
    }
  }

  batch(): BytesBatch {
    const batch = this.#chainedBatch();
    return {
      put: (key, value) => {
        batch.put(key, value);
      },
      delete: (key) => {
        batch.del(key);
      },
      write: (options) =>
        batch.write({ sync: options?.sync ?? false }).catch((error) => {
          throw this.#error(error, 'cannot write to');
        }),
    };
  }

  #chainedBatch() {
    try {
      return this.#level.batch();
    } catch (error) {
      throw this.#error(error, 'cannot write to');
    }
  }

  async estimateBytes(range: BytesRange): Promise<number> {
    try {
      return await this.#level.approximateSize(range.gte, range.lt);
    } catch (error) {
      throw this.#error(error, 'cannot measure');
    }
  }

  /** Compacting a range where nothing is first turns the log in memory into a synced table. */
  async flush(): Promise<void> {
    try {
      await this.#level.compactRange(NOTHING_ABOVE, NOTHING_ABOVE);
    } catch (error) {
      throw this.#error(error, 'cannot flush');
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  #error(error: unknown, what: string): MillraceError {
    return storeError(error, `${what} the state in ${this.#directory}`);
  }
}

function storeError(error: unknown, message: string): MillraceError {
  if (isMillraceError(error)) return error;
  const chain = causesOf(error);
  const has = (code: string) => chain.some((cause) => cause.code === code);
  if (has('LEVEL_LOCKED')) {
    return new MillraceError('STATE_DIR_LOCKED', message, {
      cause: error,
      hint: 'Another process has this state open; give each its own STREAMS_STATE_DIR.',
    });
  }
  if (has('LEVEL_DATABASE_NOT_OPEN') && !has('LEVEL_IO_ERROR') && !has('LEVEL_CORRUPTION')) {
    const code = chain.length === 1 ? 'STORE_CLOSED' : 'STORE_CORRUPT';
    return new MillraceError(code, message, { cause: error });
  }
  if (has('LEVEL_ITERATOR_NOT_OPEN') || has('LEVEL_BATCH_NOT_OPEN')) {
    return new MillraceError('STORE_CLOSED', message, { cause: error });
  }
  if (has('LEVEL_CORRUPTION')) return new MillraceError('STORE_CORRUPT', message, { cause: error });
  if (chain.some((cause) => /No space left on device|ENOSPC|Disk quota/.test(cause.message))) {
    return new MillraceError('STORE_DISK_FULL', message, {
      cause: error,
      hint: 'Free space where STREAMS_STATE_DIR is; what runs goes on by itself.',
    });
  }
  return new MillraceError('STORE_IO', message, { cause: error });
}

interface LevelError {
  readonly code: string | undefined;
  readonly message: string;
}

function causesOf(error: unknown): readonly LevelError[] {
  const chain: LevelError[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
    chain.push({ code, message: cause.message });
  }
  return chain;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
