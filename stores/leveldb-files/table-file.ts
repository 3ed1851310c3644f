/**
 * Checks every block of a LevelDB table: data, filter, metaindex, index, each `bytes type(1) crc(4)`.
 * LevelDB does not do this when it reads, and a flipped bit in a key would make that key vanish.
 * Tables of ours are not compressed (leveldb-store.ts), so the index can be read without Snappy.
 */
import { ByteCursor } from './byte-cursor.ts';
import { maskedCrc } from './masked-crc.ts';

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');

interface BlockHandle {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Throws RangeError with the reason when anything in the table is not as it was written. */
export function checkTable(file: Buffer): void {
  if (file.length < FOOTER_BYTES) throw new RangeError('no footer');
  if (!file.subarray(-MAGIC.length).equals(MAGIC)) throw new RangeError('wrong magic number');
  const footer = new ByteCursor(file, file.length - FOOTER_BYTES);
  const metaindex = readHandle(footer);
  const index = readHandle(footer);
  let expectedOffset = 0;
  for (const handle of [...readIndex(file, index), ...readIndex(file, metaindex)]) {
    if (handle.offset !== expectedOffset) throw new RangeError('blocks do not follow each other');
    checkBlock(file, handle);
    expectedOffset = handle.offset + handle.sizeBytes + TRAILER_BYTES;
  }
}

function checkBlock(file: Buffer, { offset, sizeBytes }: BlockHandle): Buffer {
  const end = offset + sizeBytes;
  if (end + TRAILER_BYTES > file.length) throw new RangeError('a block ends outside the file');
  if (file.readUInt32LE(end + 1) !== maskedCrc(file, offset, end + 1)) {
    throw new RangeError(`wrong checksum of the block at ${offset}`);
  }
  if (file[end] !== 0) throw new RangeError(`unexpected compression of the block at ${offset}`);
  return file.subarray(offset, end);
}

/** The handles in an index block, in order; it is checked, too. */
function readIndex(file: Buffer, handle: BlockHandle): BlockHandle[] {
  const block = checkBlock(file, handle);
  const restartCount = block.readUInt32LE(block.length - 4);
  const handles: BlockHandle[] = [];
  const entries = new ByteCursor(block, 0, block.length - 4 - 4 * restartCount);
  while (!entries.atEnd) {
    entries.varint(); // bytes shared with the previous key
    const keyBytes = entries.varint();
    const valueBytes = entries.varint();
    entries.take(keyBytes);
    handles.push(readHandle(new ByteCursor(entries.take(valueBytes))));
  }
  return handles;
}

function readHandle(cursor: ByteCursor): BlockHandle {
  return { offset: cursor.varint(), sizeBytes: cursor.varint() };
}
