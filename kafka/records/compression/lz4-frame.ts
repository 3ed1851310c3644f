/**
 * The LZ4 frame format around blocks, as Kafka's clients write and accept it for message format v2.
 *
 *   magic | flags | block size | [content size] | [dictionary id] | header checksum |
 *   (block size, high bit = stored | block | [checksum])* | 0 | [content checksum]
 *
 * Written: independent blocks of at most 64 KB, no optional parts (Java refuses linked blocks).
 * Read: everything but dictionaries; checksums of blocks and content are skipped, because the batch
 * has its own.
 */
import { compressLz4Block, decompressLz4Block, lz4BlockBound } from './lz4-block.ts';
import { xxhash32 } from './xxhash32.ts';

const MAGIC = 0x184d2204;
const VERSION_BITS = 0x40;
const VERSION_MASK = 0xc0;
const INDEPENDENT_BLOCKS = 0x20;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const DICTIONARY_ID = 0x01;
/** Block size code 4 = 64 KB, 5 = 256 KB, 6 = 1 MB, 7 = 4 MB. */
const BLOCK_SIZE_CODE = 4;
const BLOCK_SIZE_SHIFT = 4;
const BLOCK_BYTES = 64 * 1024;
const STORED_FLAG = 0x80000000;
const HEADER_BYTES = 7;

export function compressLz4Frame(bytes: Buffer): Buffer {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + blocks * (4 + lz4BlockBound(BLOCK_BYTES)) + 4);
  let at = writeFrameHeader(frame);
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const end = Math.min(start + BLOCK_BYTES, bytes.length);
    at = writeBlock(bytes, start, end, frame, at);
  }
  at = frame.writeUInt32LE(0, at);
  return frame.subarray(0, at);
}

function writeFrameHeader(frame: Buffer): number {
  frame.writeUInt32LE(MAGIC, 0);
  frame[4] = VERSION_BITS | INDEPENDENT_BLOCKS;
  frame[5] = BLOCK_SIZE_CODE << BLOCK_SIZE_SHIFT;
  frame[6] = headerChecksum(frame.subarray(4, 6));
  return HEADER_BYTES;
}

function headerChecksum(descriptor: Buffer): number {
  return (xxhash32(descriptor) >>> 8) & 0xff;
}

function writeBlock(bytes: Buffer, start: number, end: number, frame: Buffer, at: number): number {
  const blockStart = at + 4;
  const blockEnd = compressLz4Block(bytes, start, end, frame, blockStart);
  if (blockEnd - blockStart < end - start) {
    frame.writeUInt32LE(blockEnd - blockStart, at);
    return blockEnd;
  }
  frame.writeUInt32LE((end - start + STORED_FLAG) >>> 0, at);
  return blockStart + bytes.copy(frame, blockStart, start, end);
}

interface FrameHeader {
  readonly blocksStart: number;
  readonly blockBytesMax: number;
  readonly hasBlockChecksums: boolean;
  readonly hasLinkedBlocks: boolean;
}

/** Throws when the bytes are no LZ4 frame, or unfold to more than `sizeBytesMax`. */
export function decompressLz4Frame(bytes: Buffer, sizeBytesMax: number): Buffer {
  const header = readFrameHeader(bytes);
  let output: Buffer = Buffer.allocUnsafe(0);
  let size = 0;
  for (let at = header.blocksStart; ; ) {
    const word = bytes.readUInt32LE(at);
    at += 4;
    if (word === 0) return output.subarray(0, size);
    const blockEnd = at + (word & ~STORED_FLAG);
    if (blockEnd > bytes.length) throw new Error('an lz4 block is cut short');
    output = withRoom(output, size, header.blockBytesMax, sizeBytesMax);
    if (word >= STORED_FLAG) {
      if (size + blockEnd - at > output.length) throw new Error('an lz4 block is too large');
      size += bytes.copy(output, size, at, blockEnd);
    } else {
      const historyStart = header.hasLinkedBlocks ? 0 : size;
      size = decompressLz4Block(bytes, at, blockEnd, output, size, historyStart);
    }
    at = blockEnd + (header.hasBlockChecksums ? 4 : 0);
  }
}

function readFrameHeader(bytes: Buffer): FrameHeader {
  if (bytes.readUInt32LE(0) !== MAGIC) throw new Error('not an lz4 frame');
  const flags = bytes.readUInt8(4);
  if ((flags & VERSION_MASK) !== VERSION_BITS) throw new Error('unknown lz4 frame version');
  if ((flags & DICTIONARY_ID) !== 0) throw new Error('lz4 dictionaries are not supported');
  const blockSizeCode = (bytes.readUInt8(5) >>> BLOCK_SIZE_SHIFT) & 7;
  if (blockSizeCode < BLOCK_SIZE_CODE) throw new Error('unknown lz4 block size');
  const checksumAt = 6 + ((flags & CONTENT_SIZE) !== 0 ? 8 : 0);
  if (bytes.readUInt8(checksumAt) !== headerChecksum(bytes.subarray(4, checksumAt))) {
    throw new Error('the lz4 frame header does not fit its checksum');
  }
  return {
    blocksStart: checksumAt + 1,
    blockBytesMax: BLOCK_BYTES << (2 * (blockSizeCode - BLOCK_SIZE_CODE)),
    hasBlockChecksums: (flags & BLOCK_CHECKSUM) !== 0,
    hasLinkedBlocks: (flags & INDEPENDENT_BLOCKS) === 0,
  };
}

/** `output` with room for one more block after `size`, as far as the bound allows. */
function withRoom(output: Buffer, size: number, blockBytes: number, sizeBytesMax: number): Buffer {
  const needed = Math.min(size + blockBytes, sizeBytesMax);
  if (output.length >= needed) return output;
  const grown = Buffer.allocUnsafe(Math.min(Math.max(needed, output.length * 2), sizeBytesMax));
  output.copy(grown, 0, 0, size);
  return grown;
}
