/**
 * Whatever happens to the files of a state: it says so, or it is the state of some earlier position
 * and says which. It is never silently wrong.
 */
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import type { BytesStoreEngine } from '../../stores/bytes-store.ts';
import { readLogFile } from '../../stores/leveldb-files/log-file.ts';
import { maskedCrc } from '../../stores/leveldb-files/masked-crc.ts';
import { levelDbEngine } from '../../stores/leveldb-store.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { toArray } from './fixtures.ts';
import { positionsAt, specOf, text } from './serdes.ts';
import { optionsOf } from './task-options.ts';

const BATCHES = 120;
const specs = [specOf('words', text, text, { cacheEntriesMax: 0 })];
let root: string;
/** Three tables, one of them flushed each time, and a log: the same every time. */
let pristine: string;
/** Flushes and compactions as they come. */
let busy: string;
let copies = 0;

function engineWith(writeBufferBytes: number) {
  return levelDbEngine({ cacheBytes: 1 << 20, writeBufferBytes, openFilesMax: 64 });
}

const engine = engineWith(1 << 20);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-damage-'));
  pristine = join(root, 'pristine');
  busy = join(root, 'busy');
  await writeState(pristine, engine, [40, 70, 100]);
  await writeState(busy, engineWith(1 << 16), [40]);
});

async function writeState(
  directory: string,
  writer: BytesStoreEngine,
  checkpoints: readonly number[],
): Promise<void> {
  const state = await openTaskState(optionsOf({ directory, specs, engine: writer }));
  const store = state.store<string, string>('words');
  for (let batch = 1; batch <= BATCHES; batch++) {
    for (const [key, value] of writesOf(batch)) {
      if (value === undefined) store.delete(key);
      else store.put(key, value);
    }
    state.freeze();
    await state.apply(positionsAt(batch));
    if (checkpoints.includes(batch)) await state.checkpointFlushed();
  }
  await state.close({ clean: false });
}

afterAll(() => rm(root, { recursive: true, force: true }));

/** Batch n, always the same: 20 keys out of 300, one of them deleted. */
function writesOf(batch: number): [string, string | undefined][] {
  return Array.from({ length: 20 }, (_, index) => {
    const key = `key-${1000 + ((batch * 37 + index * 11) % 300)}`;
    return [key, index === 7 ? undefined : `${batch}-${'x'.repeat(60 + (index % 5) * 40)}`];
  });
}

function contentsAt(offset: number): [string, string][] {
  const contents = new Map<string, string>();
  for (let batch = 1; batch <= offset; batch++) {
    for (const [key, value] of writesOf(batch)) {
      if (value === undefined) contents.delete(key);
      else contents.set(key, value);
    }
  }
  return [...contents].sort(([a], [b]) => (a < b ? -1 : 1));
}

type Outcome = { readonly error: string } | { readonly offset: number };

/** Opens a damaged copy, reads all of it in both ways, and insists that it is a state that was. */
async function openDamaged(
  damage: (directory: string) => void,
  original: string = pristine,
): Promise<Outcome> {
  const directory = join(root, `copy-${++copies}`);
  cpSync(original, directory, { recursive: true });
  damage(directory);
  try {
    return { offset: await readAll(directory) };
  } catch (error) {
    if (!isMillraceError(error, 'STORE_CORRUPT', 'STORE_IO')) throw error;
    return { error: error.code };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function readAll(directory: string): Promise<number> {
  const state = await openTaskState(optionsOf({ directory, specs, engine }));
  try {
    const offset = state.positions().changelogs.get('words')?.offset ?? 0;
    const expected = contentsAt(offset);
    const store = state.store<string, string>('words');
    expect(await toArray(store.range())).toEqual(expected);
    const byKey = new Map(expected);
    for (let key = 1000; key < 1300; key++) {
      expect(store.get(`key-${key}`)).toBe(byKey.get(`key-${key}`));
    }
    return offset;
  } finally {
    await state.close({ clean: false });
  }
}

const CORRUPT = { error: 'STORE_CORRUPT' };

function filesOf(directory: string, pattern: RegExp): string[] {
  const names = readdirSync(directory).filter((name) => pattern.test(name));
  expect(names.length).toBeGreaterThan(0);
  return names.sort().map((name) => join(directory, name));
}

const only = (directory: string, pattern: RegExp) => filesOf(directory, pattern).at(-1)!;

function edit(path: string, change: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, change(bytes) ?? bytes);
}

const flip = (at: (length: number) => number) => (bytes: Buffer) => {
  bytes[at(bytes.length)]! ^= 0x10;
  return bytes;
};

const cut = (path: string, by: number) => truncateSync(path, readFileSync(path).length - by);

const TABLE = /\.ldb$/;
const LOG = /\.log$/;
const MANIFEST = /^MANIFEST/;

describe('a damaged state', () => {
  test('is told apart from a sound one, which opens where it was', async () => {
    expect(await openDamaged(() => {})).toEqual({ offset: BATCHES });
    expect(await openDamaged(() => {}, busy)).toEqual({ offset: BATCHES });
    expect(filesOf(pristine, TABLE)).toHaveLength(3);
  });

  test.each<[string, (directory: string) => void]>([
    ['CURRENT is gone', (dir) => rmSync(join(dir, 'CURRENT'))],
    ['CURRENT is empty', (dir) => writeFileSync(join(dir, 'CURRENT'), '')],
    ['CURRENT points elsewhere', (dir) => writeFileSync(join(dir, 'CURRENT'), 'MANIFEST-9\n')],
    ['the manifest is gone', (dir) => rmSync(only(dir, MANIFEST))],
    ['the manifest is empty', (dir) => writeFileSync(only(dir, MANIFEST), '')],
    ['the end of the manifest is missing', (dir) => cut(only(dir, MANIFEST), 10)],
    [
      'a bit flips in the manifest',
      (dir) =>
        edit(
          only(dir, MANIFEST),
          flip((n) => n >> 1),
        ),
    ],
    ['the log is gone', (dir) => rmSync(only(dir, LOG))],
    [
      'the first block of the log is zero',
      (dir) => edit(only(dir, LOG), (b) => b.fill(0, 0, 32768)),
    ],
    [
      'a bit flips in front of the log',
      (dir) =>
        edit(
          only(dir, LOG),
          flip(() => 20),
        ),
    ],
    ['a table is gone', (dir) => rmSync(only(dir, TABLE))],
    ['a table is empty', (dir) => writeFileSync(only(dir, TABLE), '')],
    ['a table is cut', (dir) => cut(only(dir, TABLE), 4096)],
    [
      'a bit flips in a table',
      (dir) =>
        edit(
          only(dir, TABLE),
          flip((n) => n >> 2),
        ),
    ],
    [
      'a bit flips in the index of a table',
      (dir) =>
        edit(
          only(dir, TABLE),
          flip((n) => n - 60),
        ),
    ],
    [
      'a bit flips in the footer',
      (dir) =>
        edit(
          only(dir, TABLE),
          flip((n) => n - 48),
        ),
    ],
    ['a block of a table is zero', (dir) => edit(only(dir, TABLE), (b) => b.fill(0, 0, 4096))],
    [
      'two tables are swapped',
      (dir) => {
        const [first, second] = filesOf(dir, TABLE) as [string, string];
        const bytes = readFileSync(first);
        writeFileSync(first, readFileSync(second));
        writeFileSync(second, bytes);
      },
    ],
  ])('is STORE_CORRUPT when %s', async (_, damage) => {
    expect(await openDamaged(damage)).toEqual(CORRUPT);
  });

  test.each([1, 3, 8])(
    'is STORE_CORRUPT when batch %i of the log is missing, however neatly',
    async (nth) => {
      const outcome = await openDamaged((dir) =>
        edit(only(dir, LOG), (log) => {
          const { records } = readLogFile(log);
          expect(records.length).toBeGreaterThan(nth + 1);
          return writeLogFile(records.filter((_, index) => index !== nth));
        }),
      );
      expect(outcome).toEqual(CORRUPT);
    },
  );

  describe('with two logs, as a process leaves it that is killed while a table is written', () => {
    /**
     * Cuts the log in two behind its tenth batch, says in the manifest that later batches had come
     * when it was written (tag 4: last sequence 16,383), and then damages the older log.
     */
    const openWithTwoLogs = (damageOlder: (path: string, batches: readonly Buffer[]) => void) =>
      openDamaged((dir) => {
        const older = only(dir, LOG);
        const { records } = readLogFile(readFileSync(older));
        expect(records.length).toBeGreaterThan(15);
        writeFileSync(older, writeLogFile(records.slice(0, 10)));
        writeFileSync(join(dir, '000900.log'), writeLogFile(records.slice(10)));
        edit(only(dir, MANIFEST), (manifest) =>
          writeLogFile([...readLogFile(manifest).records, Buffer.of(4, 0xff, 0x7f)]),
        );
        damageOlder(older, records.slice(0, 10));
      });

    test('is sound as long as both are', async () => {
      expect(await openWithTwoLogs(() => {})).toEqual({ offset: BATCHES });
    });

    test.each<[string, (path: string, batches: readonly Buffer[]) => void]>([
      ['empty', (path) => writeFileSync(path, '')],
      ['torn in its first batch', (path) => truncateSync(path, 100)],
      ['torn at its end', (path) => cut(path, 1)],
      [
        'short of a batch',
        (path, batches) => writeFileSync(path, writeLogFile(batches.slice(0, 9))),
      ],
      ['gone', (path) => rmSync(path)],
    ])('is STORE_CORRUPT when the older one is %s', async (_, damage) => {
      expect(await openWithTwoLogs(damage)).toEqual(CORRUPT);
    });
  });

  test('is no state at all for another task, which may have been killed or stopped in order', async () => {
    for (const clean of [false, true]) {
      const directory = join(root, `moved-${clean}`);
      cpSync(pristine, directory, { recursive: true });
      await (await openTaskState(optionsOf({ directory, specs, engine }))).close({ clean });
      const opened = openTaskState(optionsOf({ directory, specs, engine, taskId: '0_1' }));
      await expect(opened).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringContaining('task 0_0'),
      });
    }
  });

  test('is an earlier state, with its own position, when the end of the log is missing', async () => {
    const outcomes = await Promise.all(
      [1, 100, 4000].map((by) => openDamaged((dir) => cut(only(dir, LOG), by))),
    );
    for (const outcome of outcomes) {
      expect(outcome).toEqual({ offset: expect.any(Number) });
      expect((outcome as { offset: number }).offset).toBeLessThan(BATCHES);
    }
  });

  test('is no state at all, to be restored from the start, when all its files are gone', async () => {
    const emptied = await openDamaged((dir) => {
      for (const file of filesOf(dir, /./)) rmSync(file);
    });
    expect(emptied).toEqual({ offset: 0 });
  });

  test.each([1, 2, 3, 4])(
    'is never silently wrong, whatever flips or is cut (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const outcomes = new Map<string, number>();
      for (let run = 0; run < 40; run++) {
        const outcome = await openDamaged(
          (dir) => damageSomewhere(dir, random),
          seed % 2 ? pristine : busy,
        );
        const kind = 'error' in outcome ? outcome.error : 'earlier or same';
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
      }
      expect(outcomes.get('STORE_CORRUPT')).toBeGreaterThan(10);
    },
  );
});

/** The log format the other way round. */
function writeLogFile(records: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const record of records) {
    let start = 0;
    do {
      const left = 32_768 - (at % 32_768);
      if (left < 7) {
        parts.push(Buffer.alloc(left));
        at += left;
        continue;
      }
      const end = Math.min(record.length, start + left - 7);
      const isFirst = start === 0;
      const isLast = end === record.length;
      const type = isFirst ? (isLast ? 1 : 2) : isLast ? 4 : 3;
      const fragment = Buffer.concat([
        Buffer.alloc(6),
        Buffer.of(type),
        record.subarray(start, end),
      ]);
      fragment.writeUInt32LE(maskedCrc(fragment, 6, fragment.length));
      fragment.writeUInt16LE(end - start, 4);
      parts.push(fragment);
      at += fragment.length;
      start = end;
    } while (start < record.length);
  }
  return Buffer.concat(parts);
}

/** Flips a bit, zeroes a stretch, cuts the end or deletes: one file, any place. */
function damageSomewhere(directory: string, random: Random): void {
  const files = filesOf(directory, /^(CURRENT|MANIFEST-.*|.*\.(ldb|log))$/);
  const path = files[Math.floor(random.next() * files.length)]!;
  const place = random.next();
  const kind = Math.floor(random.next() * 4);
  if (kind === 0) rmSync(path);
  else damageFile(path, kind, place, random);
}

function damageFile(path: string, kind: number, place: number, random: Random): void {
  edit(path, (bytes) => {
    const at = Math.floor(place * bytes.length);
    if (kind === 1) return bytes.subarray(0, at);
    if (kind === 2) return bytes.fill(0, at, Math.min(at + 512, bytes.length));
    bytes[at]! ^= 1 << Math.floor(random.next() * 8);
    return bytes;
  });
}
