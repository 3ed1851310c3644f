/** What a LevelDB manifest says should be there: its records are edits, folded here. */
import { ByteCursor } from './byte-cursor.ts';

export interface Manifest {
  /** Logs below this are gone for good; 0 = none was ever written. */
  readonly logNumber: number;
  readonly lastSequence: number;
  /** File number -> size. */
  readonly tables: ReadonlyMap<number, number>;
}

/** Throws RangeError when a record is not a sequence of edits. */
export function foldManifest(records: readonly Buffer[]): Manifest {
  const tables = new Map<number, number>();
  let logNumber = 0;
  let lastSequence = 0;
  for (const record of records) {
    const deleted: number[] = [];
    const added: [fileNumber: number, sizeBytes: number][] = [];
    for (const cursor = new ByteCursor(record); !cursor.atEnd; ) {
      const tag = cursor.varint();
      switch (tag) {
        case 1: // comparator
          cursor.lengthPrefixed();
          break;
        case 2:
          logNumber = cursor.varint();
          break;
        case 3: // next file number
        case 9: // previous log number, always 0 today
          cursor.varint();
          break;
        case 4:
          lastSequence = cursor.varint();
          break;
        case 5: // compaction pointer: level, key
          cursor.varint();
          cursor.lengthPrefixed();
          break;
        case 6: // deleted file: level, number
          cursor.varint();
          deleted.push(cursor.varint());
          break;
        case 7: // new file: level, number, size, smallest key, largest key
          cursor.varint();
          added.push([cursor.varint(), cursor.varint()]);
          cursor.lengthPrefixed();
          cursor.lengthPrefixed();
          break;
        default:
          throw new RangeError(`unknown tag ${tag} in the manifest`);
      }
    }
    // A table that only moves to another level is deleted and added in one edit.
    for (const fileNumber of deleted) tables.delete(fileNumber);
    for (const [fileNumber, sizeBytes] of added) tables.set(fileNumber, sizeBytes);
  }
  return { logNumber, lastSequence, tables };
}
