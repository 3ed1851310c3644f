/**
 * The four codecs of record batches, synchronous. gzip and zstd are Node's own; snappy and lz4 come
 * in the framings that Java writes. Output of decompress() is bounded by its caller; whatever
 * is wrong with the input is RECORD_CORRUPT.
 */
import zlib from 'node:zlib';
import { unreachable } from '../../../base/assert.ts';
import type { Compression } from '../../ports.ts';
import { recordCorrupt } from '../record-batch.ts';
import { compressLz4Frame, decompressLz4Frame } from './lz4-frame.ts';
import { compressSnappy, decompressSnappy } from './snappy.ts';

export type Codec = Exclude<Compression, 'none'>;

export function compress(codec: Codec, bytes: Buffer): Buffer {
  switch (codec) {
    case 'gzip':
      return zlib.gzipSync(bytes);
    case 'zstd':
      return zlib.zstdCompressSync(bytes);
    case 'snappy':
      return compressSnappy(bytes);
    case 'lz4':
      return compressLz4Frame(bytes);
    default:
      return unreachable(codec);
  }
}

/** Throws RECORD_CORRUPT when the bytes are not the codec's or unfold to more than `sizeBytesMax`. */
export function decompress(codec: Codec, bytes: Buffer, sizeBytesMax: number): Buffer {
  try {
    return unfold(codec, bytes, sizeBytesMax);
  } catch (error) {
    throw recordCorrupt(`${codec} data that cannot be decompressed: ${String(error)}`, error);
  }
}

function unfold(codec: Codec, bytes: Buffer, sizeBytesMax: number): Buffer {
  switch (codec) {
    case 'gzip':
      return zlib.gunzipSync(bytes, { maxOutputLength: sizeBytesMax });
    case 'zstd':
      return zlib.zstdDecompressSync(bytes, { maxOutputLength: sizeBytesMax });
    case 'snappy':
      return decompressSnappy(bytes, sizeBytesMax);
    case 'lz4':
      return decompressLz4Frame(bytes, sizeBytesMax);
    default:
      return unreachable(codec);
  }
}
