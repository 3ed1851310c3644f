/**
 * The journal of all logs: a group of appends to many partitions becomes durable by one fdatasync
 * here instead of one for each of their files.
 *
 * J1. A frame is a group. It counts whole or not at all, and so does what follows it.
 * J2. Files are removed only once every log that is in them has synced its own files.
 */
import { crc32c } from '../../base/crc32c.ts';
import { isMillraceError } from '../../base/errors.ts';
import type { Disk, DiskFile } from '../ports.ts';

export interface JournalEntry {
  /** Of the log. It names one log for all times: it carries the topic's id. */
  readonly directory: string;
  /** Whole ones, in the order of their offsets. */
  readonly batches: readonly Buffer[];
}

const DIRECTORY = 'journal';
/** 20 digits, so that names sort like numbers. */
const NAME = /^\d{20}$/;
/** Size of the payload, its checksum; then the entries. */
const FRAME_HEADER_BYTES = 8;
/** Length of the directory, size of the batches; then both. */
const ENTRY_HEADER_BYTES = 6;

export class Journal {
  readonly #disk: Disk;
  /** What the last process left, by directory. */
  #found = new Map<string, Buffer[]>();
  #names: string[];
  #number: number;
  #file: DiskFile | undefined;
  /** Grows with the largest frame; nobody keeps parts of it. */
  #frame = Buffer.alloc(0);

  /** Reads what the last process left. Throws STORE_IO. */
  constructor(disk: Disk) {
    this.#disk = disk;
    disk.makeDirectory(DIRECTORY);
    this.#names = disk.list(DIRECTORY).filter((name) => NAME.test(name));
    this.#number = Number(this.#names.at(-1) ?? 0);
    for (const name of this.#names) this.#read(name);
  }

  /** Of the file that is written now. */
  get sizeBytes(): number {
    return this.#file?.sizeBytes() ?? 0;
  }

  /** Runs of batches in the order of their offsets; the log may have some or all of them itself. */
  foundFor(directory: string): readonly Buffer[] {
    return this.#found.get(directory) ?? [];
  }

  /** Durable when it resolves with true; false when there is no room. Rejects with STORE_IO: the end. */
  async write(entries: readonly JournalEntry[]): Promise<boolean> {
    const frame = this.#encode(entries);
    this.#file ??= this.#open();
    const before = this.#file.sizeBytes();
    try {
      this.#file.append([frame]);
    } catch (error) {
      // Nobody would read what stands behind half a frame.
      this.#file.truncate(before);
      if (isMillraceError(error, 'STORE_DISK_FULL')) return false;
      throw error;
    }
    await this.#file.sync();
    return true;
  }

  /** Goes on in a new file. The returned function removes the ones before: see J2. */
  rotate(): () => void {
    const names = this.#names;
    this.#file?.close();
    this.#file = undefined;
    this.#names = [];
    this.#found = new Map();
    return () => {
      for (const name of names) this.#disk.remove(`${DIRECTORY}/${name}`);
    };
  }

  #open(): DiskFile {
    const name = String(++this.#number).padStart(20, '0');
    const file = this.#disk.open(`${DIRECTORY}/${name}`, { create: true });
    this.#names.push(name);
    return file;
  }

  #encode(entries: readonly JournalEntry[]): Buffer {
    const sizeBytes = entries.reduce((sum, entry) => sum + sizeOf(entry), FRAME_HEADER_BYTES);
    if (this.#frame.length < sizeBytes) this.#frame = Buffer.allocUnsafeSlow(2 * sizeBytes);
    const frame = this.#frame.subarray(0, sizeBytes);
    let at = FRAME_HEADER_BYTES;
    for (const entry of entries) at = putEntry(frame, at, entry);
    frame.writeUInt32LE(at - FRAME_HEADER_BYTES, 0);
    frame.writeUInt32LE(crc32c(frame, FRAME_HEADER_BYTES), 4);
    return frame;
  }

  #read(name: string): void {
    const file = this.#disk.open(`${DIRECTORY}/${name}`, { create: false });
    const bytes = file.read(0, file.sizeBytes());
    file.close();
    for (let at = 0; at + FRAME_HEADER_BYTES < bytes.length; ) {
      const start = at + FRAME_HEADER_BYTES;
      const end = start + bytes.readUInt32LE(at);
      // Torn, or zeros where nothing arrived: nobody was told that it is durable.
      if (end === start || end > bytes.length) return;
      if (crc32c(bytes, start, end) !== bytes.readUInt32LE(at + 4)) return;
      this.#readEntries(bytes.subarray(start, end));
      at = end;
    }
  }

  #readEntries(payload: Buffer): void {
    for (let at = 0; at < payload.length; ) {
      const pathAt = at + ENTRY_HEADER_BYTES;
      const batchesAt = pathAt + payload.readUInt16LE(at);
      const end = batchesAt + payload.readUInt32LE(at + 2);
      const directory = payload.toString('utf8', pathAt, batchesAt);
      const batches = payload.subarray(batchesAt, end);
      const before = this.#found.get(directory);
      if (before === undefined) this.#found.set(directory, [batches]);
      else before.push(batches);
      at = end;
    }
  }
}

function sizeOf({ directory, batches }: JournalEntry): number {
  const batchBytes = batches.reduce((sum, { length }) => sum + length, 0);
  return ENTRY_HEADER_BYTES + Buffer.byteLength(directory) + batchBytes;
}

/** Returns where the next one goes. */
function putEntry(frame: Buffer, start: number, { directory, batches }: JournalEntry): number {
  const pathAt = start + ENTRY_HEADER_BYTES;
  const batchesAt = pathAt + frame.write(directory, pathAt);
  let at = batchesAt;
  for (const batch of batches) {
    frame.set(batch, at);
    at += batch.length;
  }
  frame.writeUInt16LE(batchesAt - pathAt, start);
  frame.writeUInt32LE(at - batchesAt, start + 2);
  return at;
}
