/**
 * Decides, before LevelDB opens a database, whether its files are what was written to them. LevelDB
 * is lenient: it opens with a lost CURRENT, with a manifest whose end is missing, with holes in its
 * log, with flipped bits, and is silently wrong then. A torn end of a log is none of this: the state
 * is an earlier one, with the position that belongs to it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../../base/errors.ts';
import { WIPE_HINT } from '../entries/entry-format.ts';
import { type LogContents, readLogFile } from './log-file.ts';
import { foldManifest, type Manifest } from './manifest-file.ts';
import { checkTable } from './table-file.ts';

const DATABASE_FILE = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|log))$/;

/**
 * False when there is no database yet. Rejects STORE_CORRUPT when there is one that lost something.
 * Reads every byte once, file by file, at about 1 GB/s.
 */
export async function checkDatabaseFiles(directory: string): Promise<boolean> {
  const names = new Set((await readdir(directory)).filter((name) => DATABASE_FILE.test(name)));
  // A process killed while it created the database leaves a manifest without CURRENT.
  if (!names.has('CURRENT') && [...names].every((name) => name.startsWith('MANIFEST-'))) {
    return false;
  }
  try {
    const manifest = await readManifest(directory, names);
    await checkLogs(directory, names, manifest);
    for (const [fileNumber, sizeBytes] of manifest.tables) {
      await checkTableFile(directory, names, fileNumber, sizeBytes);
    }
    return true;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new MillraceError('STORE_CORRUPT', `the files in ${directory} are damaged`, {
      cause: error,
      hint: WIPE_HINT,
      facts: { reason: error.message },
    });
  }
}

async function readManifest(directory: string, names: ReadonlySet<string>): Promise<Manifest> {
  if (!names.has('CURRENT')) throw new RangeError('CURRENT is missing');
  const name = /^(MANIFEST-\d+)\n$/.exec(await readFile(join(directory, 'CURRENT'), 'utf8'))?.[1];
  if (name === undefined || !names.has(name)) throw new RangeError('CURRENT points nowhere');
  const { records, hasHole } = readLogFile(await readFile(join(directory, name)));
  if (hasHole || records.length === 0) throw new RangeError('the manifest is damaged');
  return foldManifest(records);
}

/**
 * The log that the manifest ends with must be there: it was made before that was written. If only
 * its end is missing the manifest names an older log, which has been deleted since.
 */
async function checkLogs(
  directory: string,
  names: ReadonlySet<string>,
  manifest: Manifest,
): Promise<void> {
  const numbers = [...names]
    .filter((name) => name.endsWith('.log'))
    .map((name) => Number.parseInt(name, 10))
    .filter((number) => number >= manifest.logNumber)
    .sort((a, b) => a - b);
  if (manifest.logNumber !== 0 && numbers[0] !== manifest.logNumber) {
    throw new RangeError('the log that the manifest names is missing');
  }
  let nextSequence: number | undefined;
  for (const number of numbers) {
    const log = readLogFile(await readFile(join(directory, fileName(number, 'log'))));
    const isOldest = number === numbers[0];
    nextSequence = followSequences(log, nextSequence, isOldest ? manifest.lastSequence + 1 : 0);
  }
}

/**
 * Batches are numbered without gaps, also from one log to the next. What the very first one follows
 * is in a table, under a number that the manifest knows only from above: whole batches cut off
 * neatly in front of the oldest log would not be seen. Numbers begin at 1, so a `firstMax` of 0
 * refuses any batch: no log but the oldest may begin without something to follow.
 */
function followSequences(
  log: LogContents,
  expected: number | undefined,
  firstMax: number,
): number | undefined {
  if (log.hasHole) throw new RangeError('a log has a hole');
  let next = expected;
  for (const record of log.records) {
    const sequence = Number(record.readBigUInt64LE(0));
    if (next === undefined ? sequence > firstMax : sequence !== next) {
      throw new RangeError('a log misses batches');
    }
    next = sequence + record.readUInt32LE(8);
  }
  return next;
}

async function checkTableFile(
  directory: string,
  names: ReadonlySet<string>,
  fileNumber: number,
  sizeBytes: number,
): Promise<void> {
  const name = fileName(fileNumber, 'ldb');
  if (!names.has(name)) throw new RangeError(`${name} is missing`);
  const file = await readFile(join(directory, name));
  if (file.length !== sizeBytes) throw new RangeError(`${name} has the wrong size`);
  checkTable(file);
}

function fileName(fileNumber: number, extension: 'ldb' | 'log'): string {
  return `${String(fileNumber).padStart(6, '0')}.${extension}`;
}
