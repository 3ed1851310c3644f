/**
 * LevelDB's log format, in which both its write-ahead logs and its manifests are written: blocks of
 * 32 KB, records cut into fragments, each `crc(4) length(2) type(1) data`.
 *
 * LevelDB itself skips what is damaged and reads on behind it. Here it is told apart: a torn end is
 * what a killed process leaves, damage before something sound is a hole.
 */
import { maskedCrc } from './masked-crc.ts';

export interface LogContents {
  readonly records: readonly Buffer[];
  /** Something sound lies behind something damaged. */
  readonly hasHole: boolean;
}

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const FULL = 1;
const FIRST = 2;
const LAST = 4;

interface Fragment {
  readonly type: number;
  readonly data: Buffer;
  readonly end: number;
}

export function readLogFile(file: Buffer): LogContents {
  const records: Buffer[] = [];
  let started: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const blockEnd = Math.min(file.length, (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES);
    if (blockEnd - at < HEADER_BYTES) {
      at = blockEnd;
      continue;
    }
    const fragment = readFragment(file, at, blockEnd);
    if (fragment === undefined || !isExpected(fragment.type, started.length > 0)) {
      return { records, hasHole: hasSoundBlock(file, blockEnd) };
    }
    at = fragment.end;
    started.push(fragment.data);
    if (fragment.type === FULL || fragment.type === LAST) {
      records.push(started.length === 1 ? started[0]! : Buffer.concat(started));
      started = [];
    }
  }
  return { records, hasHole: false };
}

function readFragment(file: Buffer, at: number, blockEnd: number): Fragment | undefined {
  const end = at + HEADER_BYTES + file.readUInt16LE(at + 4);
  const type = file[at + 6]!;
  if (end > blockEnd || type < FULL || type > LAST) return undefined;
  if (file.readUInt32LE(at) !== maskedCrc(file, at + 6, end)) return undefined;
  return { type, data: file.subarray(at + HEADER_BYTES, end), end };
}

function isExpected(type: number, insideRecord: boolean): boolean {
  return (type === FULL || type === FIRST) !== insideRecord;
}

function hasSoundBlock(file: Buffer, fromBlock: number): boolean {
  for (let at = fromBlock; at + HEADER_BYTES <= file.length; at += BLOCK_BYTES) {
    if (readFragment(file, at, Math.min(file.length, at + BLOCK_BYTES)) !== undefined) return true;
  }
  return false;
}
