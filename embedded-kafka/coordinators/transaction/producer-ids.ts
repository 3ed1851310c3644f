/**
 * Producer ids, unique for the life of the data directory. Blocks are reserved on disk before their ids
 * are given out, so a crash wastes at most one block and never repeats an id.
 */

import { MillraceError } from '../../../base/errors.ts';
import type { Disk } from '../../ports.ts';

const BLOCK_SIZE = 1000;

export class ProducerIds {
  readonly #disk: Disk;
  readonly #path: string;
  #next: number;
  #reservedBelow: number;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#next = disk.exists(path) ? readNumber(disk, path) : 0;
    this.#reservedBelow = this.#next;
  }

  /** Throws when the block cannot be written. */
  allocate(): number {
    if (this.#next === this.#reservedBelow) {
      this.#reservedBelow += BLOCK_SIZE;
      this.#disk.writeAtomically(this.#path, Buffer.from(`${this.#reservedBelow}\n`));
    }
    return this.#next++;
  }
}

function readNumber(disk: Disk, path: string): number {
  const file = disk.open(path, { create: false });
  try {
    const text = file.read(0, file.sizeBytes()).toString('utf8').trim();
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw new MillraceError('STATE_DIR_UNUSABLE', `${path} does not hold a number`, {
      hint: 'Restore the file, or write a number into it that is above every producer id given out.',
    });
  } finally {
    file.close();
  }
}
