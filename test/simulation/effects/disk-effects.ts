/** Every call to the disks: of the engine, where its stores are, and of the broker, where the logs are. */
import { MillraceError } from '../../../base/errors.ts';
import { osError } from '../../../embedded-kafka/disk/memory-disk.ts';
import type { Disk, DiskFile } from '../../../embedded-kafka/ports.ts';
import type { BytesScan, BytesStore, BytesStoreEngine } from '../../../stores/bytes-store.ts';
import type { Injector } from './injector.ts';

const STORE_ERRORS = {
  EIO: 'STORE_IO',
  ENOSPC: 'STORE_DISK_FULL',
  damage: 'STORE_CORRUPT',
} as const;
type StoreFault = keyof typeof STORE_ERRORS;

const READS: readonly StoreFault[] = ['EIO', 'damage'];
const WRITES: readonly StoreFault[] = ['EIO', 'ENOSPC'];

function storeMeets(injector: Injector, operation: string, faults: readonly StoreFault[]): void {
  const fault = injector.meet(`state disk: ${operation}`, faults) as StoreFault | undefined;
  if (fault !== undefined) throw new MillraceError(STORE_ERRORS[fault], `injected ${fault}`);
}

/** Whose directory: a task's, or the one that says who this process is. */
const TASK = /\/\d+_\d+$/;

export function failingStoreEngine(engine: BytesStoreEngine, injector: Injector): BytesStoreEngine {
  return {
    ...engine,
    open: async (directory, role) => {
      const whose = TASK.test(directory) ? `task, ${role}` : 'identity';
      const meet = (operation: string, faults: readonly StoreFault[]) =>
        storeMeets(injector, `${operation} (${whose})`, faults);
      meet('open', [...WRITES, 'damage']);
      return failingStore(await engine.open(directory, role), meet);
    },
    destroy: async (directory) => {
      storeMeets(injector, 'destroy', ['EIO']);
      await engine.destroy(directory);
    },
  };
}

function failingStore(
  store: BytesStore,
  meet: (operation: string, faults: readonly StoreFault[]) => void,
): BytesStore {
  return {
    get: (key) => {
      meet('get', READS);
      return store.get(key);
    },
    scan: (range) => failingScan(store.scan(range), () => meet('scan', READS)),
    batch: () => {
      const batch = store.batch();
      return {
        put: (key, value) => batch.put(key, value),
        delete: (key) => batch.delete(key),
        write: async (options) => {
          meet(options?.sync === true ? 'write, synced' : 'write', WRITES);
          await batch.write(options);
        },
      };
    },
    estimateBytes: async (range) => {
      meet('estimate', ['EIO']);
      return store.estimateBytes(range);
    },
    flush: async () => {
      meet('flush', WRITES);
      await store.flush();
    },
    close: async () => {
      await store.close();
      meet('close', ['EIO']);
    },
  };
}

function failingScan(scan: BytesScan, meet: () => void): BytesScan {
  return {
    next: async (max) => {
      meet();
      return scan.next(max);
    },
    close: () => scan.close(),
  };
}

// ── The broker's ─────────────────────────────────────────────────────────────────────────────────

type DiskFault = 'EIO' | 'ENOSPC';

/** Which kind of file it is; ids and offsets in names tell nothing. */
function kindOf(path: string): string {
  const parts = path.split('/');
  if (parts.length === 1) return path;
  const [folder] = parts;
  const extension = /\.\w+$/.exec(path)?.[0];
  if (folder !== 'topics') return `${folder} file`;
  return extension === undefined ? 'topic directory' : `topic ${extension}`;
}

export function failingDisk(disk: Disk, injector: Injector): Disk {
  const meet = (operation: string, path: string, faults: readonly DiskFault[]) => {
    const effect = `broker disk: ${operation} ${kindOf(path)}`;
    const fault = injector.meet(effect, faults) as DiskFault | undefined;
    if (fault !== undefined) throw osError(fault);
  };
  return {
    open: (path, options) => {
      meet('open', path, ['EIO']);
      return failingFile(disk.open(path, options), path, meet);
    },
    list: (directory) => disk.list(directory),
    exists: (path) => disk.exists(path),
    makeDirectory: (path) => {
      meet('make', path, ['EIO', 'ENOSPC']);
      disk.makeDirectory(path);
    },
    remove: (path) => {
      meet('remove', path, ['EIO']);
      disk.remove(path);
    },
    rename: (from, to) => {
      meet('rename', to, ['EIO']);
      disk.rename(from, to);
    },
    writeAtomically: (path, bytes) => {
      meet('write', path, ['EIO', 'ENOSPC']);
      disk.writeAtomically(path, bytes);
    },
  };
}

function failingFile(
  file: DiskFile,
  path: string,
  meet: (operation: string, path: string, faults: readonly DiskFault[]) => void,
): DiskFile {
  return {
    append: (bytes) => {
      meet('append to', path, ['EIO', 'ENOSPC']);
      file.append(bytes);
    },
    sync: async () => {
      meet('sync', path, ['EIO']);
      await file.sync();
    },
    read: (position, length) => {
      meet('read', path, ['EIO']);
      return file.read(position, length);
    },
    truncate: (sizeBytes) => {
      meet('truncate', path, ['EIO']);
      file.truncate(sizeBytes);
    },
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  };
}
