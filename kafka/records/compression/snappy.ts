/**
 * Snappy as Kafka writes it: Java frames blocks the way xerial's snappy-java does, librdkafka sends
 * one raw block. Both are read; the frame is written. Only file that names snappyjs.
 *
 *   magic (8 bytes) | version int32 | oldest compatible version int32 | (block length int32 | block)*
 */
import { compress, uncompress } from 'snappyjs';

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const VERSION = 1;
const FRAME_HEADER_BYTES = MAGIC.length + 8;
const BLOCK_BYTES = 32 * 1024;

export function compressSnappy(bytes: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeInt32BE(VERSION, MAGIC.length);
  header.writeInt32BE(VERSION, MAGIC.length + 4);
  const parts: Buffer[] = [header];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = compress(bytes.subarray(at, at + BLOCK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** Throws when the bytes are neither form, or unfold to more than `sizeBytesMax`. */
export function decompressSnappy(bytes: Buffer, sizeBytesMax: number): Buffer {
  const isFramed = bytes.length >= MAGIC.length && bytes.compare(MAGIC, 0, 8, 0, 8) === 0;
  if (!isFramed) return uncompress(bytes, sizeBytesMax);
  const blocks: Buffer[] = [];
  let remainingBytes = sizeBytesMax;
  for (let at = FRAME_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readInt32BE(at);
    const start = at + 4;
    if (length < 0 || start + length > bytes.length) throw new Error('a snappy block is cut short');
    const block = uncompress(bytes.subarray(start, start + length), remainingBytes);
    blocks.push(block);
    remainingBytes -= block.length;
    at = start + length;
  }
  return Buffer.concat(blocks);
}
