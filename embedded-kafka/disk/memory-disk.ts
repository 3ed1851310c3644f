/**
 * The Disk port in memory, for simulation and tests. It keeps apart what was synced and what only
 * sits in the "OS cache", so that it can lose power: unsynced tails are then cut, torn or zeroed.
 * A hook sees every operation before it happens and may throw: that is how faults and crashes come.
 */
import { MillraceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Disk, DiskFile } from '../ports.ts';
import { diskError } from './disk-error.ts';
import { FileContent } from './file-content.ts';

export interface DiskOperation {
  readonly kind:
    | 'open'
    | 'append'
    | 'sync'
    | 'read'
    | 'truncate'
    | 'makeDirectory'
    | 'remove'
    | 'rename'
    | 'writeAtomically';
  readonly path: string;
  /** Counts all operations of this disk from 1. */
  readonly number: number;
}

export interface MemoryDiskOptions {
  /** Called before every operation; what it throws, the operation throws (sync rejects). */
  readonly beforeOperation?: (operation: DiskOperation) => void;
  /** How long a sync takes; it covers what was appended before it was called. Default: a microtask. */
  readonly syncDelay?: () => Promise<void>;
}

/** An error as the operating system gives it, for hooks to throw. */
export function osError(code: 'ENOSPC' | 'EIO'): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export class MemoryDisk implements Disk {
  readonly #files: Map<string, FileContent>;
  /** The names in each: runs of a simulation ask for them by the thousand. */
  readonly #directories: Map<string, Set<string>>;
  readonly #options: MemoryDiskOptions;
  #operations = 0;
  #isGone = false;

  constructor(options: MemoryDiskOptions = {}, survivors?: Survivors) {
    this.#options = options;
    this.#files = survivors?.files ?? new Map();
    this.#directories = survivors?.directories ?? new Map();
  }

  get operationCount(): number {
    return this.#operations;
  }

  open(path: string, options: { readonly create: boolean }): DiskFile {
    this.#before('open', path);
    let content = this.#files.get(path);
    if (content === undefined) {
      if (!options.create || !this.#directories.has(parentOf(path))) throw missing(path);
      content = new FileContent();
      this.#put(path, content);
    }
    return new MemoryDiskFile(path, content, this.#options, (kind) => this.#before(kind, path));
  }

  list(directory: string): readonly string[] {
    return [...(this.#directories.get(directory) ?? [])].sort();
  }

  exists(path: string): boolean {
    return this.#files.has(path) || this.#directories.has(path);
  }

  makeDirectory(path: string): void {
    this.#before('makeDirectory', path);
    this.#namesIn(path);
    for (let made = path; made !== ''; made = parentOf(made)) {
      this.#namesIn(parentOf(made)).add(nameOf(made));
    }
  }

  remove(path: string): void {
    this.#before('remove', path);
    this.#removeAll(path);
    this.#directories.get(parentOf(path))?.delete(nameOf(path));
  }

  rename(from: string, to: string): void {
    this.#before('rename', from);
    const content = this.#files.get(from);
    if (content === undefined) throw missing(from);
    this.#files.delete(from);
    this.#directories.get(parentOf(from))?.delete(nameOf(from));
    this.#put(to, content);
    content.syncEntry();
  }

  writeAtomically(path: string, bytes: Uint8Array): void {
    this.#before('writeAtomically', path);
    if (!this.#directories.has(parentOf(path))) throw missing(path);
    const content = new FileContent();
    content.append(bytes);
    content.syncTo(content.sizeBytes);
    this.#put(path, content);
  }

  /** The process dies (kill -9): all that was written is there for the next one. This disk is gone. */
  killProcess(options: MemoryDiskOptions = {}): MemoryDisk {
    this.#isGone = true;
    return new MemoryDisk(options, { files: this.#files, directories: this.#directories });
  }

  /** The power fails: what was not synced is cut, torn, zeroed, or lucky. This disk is gone. */
  powerLoss(random: Random, options: MemoryDiskOptions = {}): MemoryDisk {
    this.#isGone = true;
    const directories = new Map(
      [...this.#directories].map(([path, names]) => [path, new Set(names)]),
    );
    const files = new Map<string, FileContent>();
    for (const [path, content] of this.#files) {
      const survivor = content.afterPowerLoss(random);
      if (survivor !== undefined) files.set(path, survivor);
      else directories.get(parentOf(path))?.delete(nameOf(path));
    }
    return new MemoryDisk(options, { files, directories });
  }

  /** Flips one bit of a stored byte: what a bad disk does. */
  flipBit(path: string, position: number): void {
    this.#files.get(path)!.flipBit(position);
  }

  #put(path: string, content: FileContent): void {
    this.#files.set(path, content);
    this.#namesIn(parentOf(path)).add(nameOf(path));
  }

  #namesIn(directory: string): Set<string> {
    let names = this.#directories.get(directory);
    if (names === undefined) {
      names = new Set();
      this.#directories.set(directory, names);
    }
    return names;
  }

  #removeAll(path: string): void {
    for (const name of this.#directories.get(path) ?? []) this.#removeAll(`${path}/${name}`);
    this.#directories.delete(path);
    this.#files.delete(path);
  }

  #before(kind: DiskOperation['kind'], path: string): void {
    if (this.#isGone) throw new MillraceError('STORE_IO', 'this disk has lost its power');
    const operation = { kind, path, number: ++this.#operations };
    try {
      this.#options.beforeOperation?.(operation);
    } catch (error) {
      throw diskError(error, `${kind} of ${path}`);
    }
  }
}

interface Survivors {
  readonly files: Map<string, FileContent>;
  readonly directories: Map<string, Set<string>>;
}

class MemoryDiskFile implements DiskFile {
  readonly #path: string;
  readonly #content: FileContent;
  readonly #options: MemoryDiskOptions;
  readonly #before: (kind: DiskOperation['kind']) => void;

  constructor(
    path: string,
    content: FileContent,
    options: MemoryDiskOptions,
    before: (kind: DiskOperation['kind']) => void,
  ) {
    this.#path = path;
    this.#content = content;
    this.#options = options;
    this.#before = before;
  }

  append(bytes: readonly Uint8Array[]): void {
    try {
      this.#before('append');
    } catch (error) {
      // A real write may have come some of the way before it failed.
      const first = bytes[0];
      if (first !== undefined) this.#content.append(first.subarray(0, first.length >> 1));
      throw error;
    }
    for (const part of bytes) this.#content.append(part);
  }

  async sync(): Promise<void> {
    const covers = this.#content.sizeBytes;
    this.#before('sync');
    await this.#options.syncDelay?.();
    this.#content.syncTo(covers);
  }

  read(position: number, length: number): Buffer {
    this.#before('read');
    return this.#content.read(position, length);
  }

  truncate(sizeBytes: number): void {
    this.#before('truncate');
    if (sizeBytes > this.#content.sizeBytes) throw missing(this.#path);
    this.#content.truncate(sizeBytes);
  }

  sizeBytes(): number {
    return this.#content.sizeBytes;
  }

  close(): void {}
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function missing(path: string): MillraceError {
  return diskError(
    Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' }),
    `using ${path}`,
  );
}
