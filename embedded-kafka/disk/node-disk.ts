/**
 * The Disk port over node:fs. Writes and small metadata operations are synchronous; only fdatasync
 * goes through the thread pool. Paths are relative to the root directory.
 *
 * Durability: sync() covers the file's bytes and, the first time, its directory entry. Renames,
 * removals and new directories are durable when the call returns.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Disk, DiskFile } from '../ports.ts';
import { diskError } from './disk-error.ts';

const TEMPORARY_SUFFIX = '.tmp';

export function nodeDisk(rootDirectory: string): Disk {
  fs.mkdirSync(rootDirectory, { recursive: true });
  return new NodeDisk(rootDirectory);
}

class NodeDisk implements Disk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  open(relative: string, options: { readonly create: boolean }): DiskFile {
    return this.#guard('opening', relative, (full) => {
      const isNew = options.create && !fs.existsSync(full);
      const flags = fs.constants.O_RDWR | (options.create ? fs.constants.O_CREAT : 0);
      return new NodeDiskFile(full, fs.openSync(full, flags), isNew);
    });
  }

  list(relative: string): readonly string[] {
    return this.#guard('listing', relative, (full) =>
      fs.existsSync(full) ? fs.readdirSync(full).sort() : [],
    );
  }

  exists(relative: string): boolean {
    return fs.existsSync(path.join(this.#root, relative));
  }

  makeDirectory(relative: string): void {
    this.#guard('making', relative, (full) => {
      const firstMade = fs.mkdirSync(full, { recursive: true });
      if (firstMade === undefined) return;
      for (let made = full; made.length >= firstMade.length; made = path.dirname(made)) {
        syncDirectory(path.dirname(made));
      }
    });
  }

  remove(relative: string): void {
    this.#guard('removing', relative, (full) => {
      fs.rmSync(full, { recursive: true, force: true });
      syncDirectory(path.dirname(full));
    });
  }

  rename(from: string, to: string): void {
    this.#guard('renaming', from, (full) => {
      const target = path.join(this.#root, to);
      fs.renameSync(full, target);
      syncDirectory(path.dirname(target));
    });
  }

  writeAtomically(relative: string, bytes: Uint8Array): void {
    this.#guard('writing', relative, (full) => {
      const temporary = `${full}${TEMPORARY_SUFFIX}`;
      const descriptor = fs.openSync(temporary, 'w');
      try {
        writeFully(descriptor, [bytes], 0, () => {});
        fs.fdatasyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
      fs.renameSync(temporary, full);
      syncDirectory(path.dirname(full));
    });
  }

  #guard<Result>(doing: string, relative: string, action: (full: string) => Result): Result {
    try {
      return action(path.join(this.#root, relative));
    } catch (error) {
      throw diskError(error, `${doing} ${relative}`);
    }
  }
}

class NodeDiskFile implements DiskFile {
  readonly #path: string;
  readonly #descriptor: number;
  #sizeBytes: number;
  #isEntrySynced: boolean;
  #syncsOut = 0;
  #isClosed = false;

  constructor(fullPath: string, descriptor: number, isNew: boolean) {
    this.#path = fullPath;
    this.#descriptor = descriptor;
    this.#sizeBytes = fs.fstatSync(descriptor).size;
    this.#isEntrySynced = !isNew;
  }

  append(bytes: readonly Uint8Array[]): void {
    try {
      writeFully(this.#descriptor, bytes, this.#sizeBytes, (written) => {
        this.#sizeBytes += written;
      });
    } catch (error) {
      throw diskError(error, `appending to ${this.#path}`);
    }
  }

  async sync(): Promise<void> {
    this.#syncsOut++;
    try {
      await fdatasync(this.#descriptor);
      if (!this.#isEntrySynced) {
        await syncDirectoryLater(path.dirname(this.#path));
        this.#isEntrySynced = true;
      }
    } catch (error) {
      throw diskError(error, `syncing ${this.#path}`);
    } finally {
      this.#syncsOut--;
      this.#closeWhenIdle();
    }
  }

  read(position: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.#sizeBytes - position)));
    let filled = 0;
    try {
      while (filled < buffer.length) {
        const rest = buffer.length - filled;
        const count = fs.readSync(this.#descriptor, buffer, filled, rest, position + filled);
        if (count === 0) break;
        filled += count;
      }
    } catch (error) {
      throw diskError(error, `reading ${this.#path}`);
    }
    return filled === buffer.length ? buffer : buffer.subarray(0, filled);
  }

  truncate(sizeBytes: number): void {
    try {
      fs.ftruncateSync(this.#descriptor, sizeBytes);
      this.#sizeBytes = sizeBytes;
    } catch (error) {
      throw diskError(error, `truncating ${this.#path}`);
    }
  }

  sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The descriptor stays open while a sync is out: its number must not name another file then. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#isClosed && this.#syncsOut === 0) fs.closeSync(this.#descriptor);
  }
}

/** The system may take less than it is given; `onWritten` hears of every part, for honest sizes. */
function writeFully(
  descriptor: number,
  bytes: readonly Uint8Array[],
  position: number,
  onWritten: (count: number) => void,
): void {
  let rest = bytes;
  let at = position;
  while (rest.length > 0) {
    const count =
      rest.length === 1
        ? fs.writeSync(descriptor, rest[0]!, 0, rest[0]!.length, at)
        : fs.writevSync(descriptor, rest, at);
    onWritten(count);
    at += count;
    rest = without(rest, count);
  }
}

function without(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (const [index, buffer] of buffers.entries()) {
    if (left < buffer.length) return [buffer.subarray(left), ...buffers.slice(index + 1)];
    left -= buffer.length;
  }
  return [];
}

function fdatasync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** Windows cannot sync a directory; there its journal alone must do. */
const DIRECTORIES_SYNC = process.platform !== 'win32';

function syncDirectory(full: string): void {
  if (!DIRECTORIES_SYNC) return;
  const descriptor = fs.openSync(full, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

async function syncDirectoryLater(full: string): Promise<void> {
  if (!DIRECTORIES_SYNC) return;
  const handle = await fs.promises.open(full, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
