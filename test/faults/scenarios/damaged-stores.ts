/**
 * Files of the stores damaged while the instance is down. Afterwards everything asked so far is asked
 * once more: a purchase that the stores have forgotten would be sold again.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

const BEFORE = 200;
const AFTER = 100;
const LOG_BYTES_MIN = 2_000;

type Damage = (directory: string, files: StoreFiles) => void;

interface StoreFiles {
  readonly current: string;
  readonly manifest: string;
  /** The biggest table, and the newest log: both full paths. */
  readonly table: string;
  readonly log: string;
}

interface Kind {
  readonly name: string;
  readonly about: string;
  readonly damage: Damage;
  /**
   * False: LevelDB promises an earlier whole state after this; the rest is replayed. undefined: either,
   * by where it hits: behind a broken entry LevelDB drops the rest of a 32 KB block.
   */
  readonly isFound: boolean | undefined;
}

const truncate = (file: string, bytes: number) => truncateSync(file, bytes);
/** LevelDB may delete a file while it runs. */
const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = bytes[at]! ^ 0x10;
  writeFileSync(file, bytes);
}

function zero(file: string, from: number, to: number): void {
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0, from, to));
}

const KINDS: readonly Kind[] = [
  {
    name: 'current-deleted',
    about: 'CURRENT is gone',
    isFound: true,
    damage: (_, { current }) => rmSync(current),
  },
  {
    name: 'current-empty',
    about: 'CURRENT has no bytes',
    isFound: true,
    damage: (_, { current }) => truncate(current, 0),
  },
  {
    name: 'manifest-deleted',
    about: 'the manifest is gone',
    isFound: true,
    damage: (_, { manifest }) => rmSync(manifest),
  },
  {
    name: 'manifest-cut',
    about: 'the last 10 bytes of the manifest are gone',
    isFound: true,
    damage: (_, { manifest }) => truncate(manifest, sizeOf(manifest) - 10),
  },
  {
    name: 'manifest-bit',
    about: 'a bit of the manifest is flipped',
    isFound: true,
    damage: (_, { manifest }) => flip(manifest, Math.floor(sizeOf(manifest) / 2)),
  },
  {
    name: 'table-deleted',
    about: 'a table is gone',
    isFound: true,
    damage: (_, { table }) => rmSync(table),
  },
  {
    name: 'table-bit',
    about: 'a bit in the data of a table is flipped',
    isFound: true,
    damage: (_, { table }) => flip(table, Math.floor(sizeOf(table) / 3)),
  },
  {
    name: 'table-zeroed',
    about: 'half of a table is zeros',
    isFound: true,
    damage: (_, { table }) => zero(table, 0, Math.floor(sizeOf(table) / 2)),
  },
  {
    name: 'table-cut',
    about: 'the last third of a table is gone',
    isFound: true,
    damage: (_, { table }) => truncate(table, Math.floor((sizeOf(table) * 2) / 3)),
  },
  {
    name: 'log-cut',
    about: 'the end of the write-ahead log is gone',
    isFound: false,
    damage: (_, { log }) => truncate(log, sizeOf(log) - 7),
  },
  {
    name: 'log-bit',
    about: 'a bit in the first third of the write-ahead log is flipped',
    isFound: undefined,
    damage: (_, { log }) => flip(log, Math.floor(sizeOf(log) / 3)),
  },
  {
    name: 'log-deleted',
    about: 'the write-ahead log is gone',
    isFound: true,
    damage: (_, { log }) => rmSync(log),
  },
  {
    name: 'info-log-deleted',
    about: 'LOG, which nobody needs, is gone',
    isFound: false,
    damage: (directory) => rmSync(join(directory, 'LOG'), { force: true }),
  },
];

/** Directories of tasks that have stores. */
function storeDirectories(stage: Stage): readonly string[] {
  const root = stage.stateDirectory();
  return readdirSync(root)
    .filter((name) => /^\d+_\d+$/.test(name) && existsSync(join(root, name, 'CURRENT')))
    .map((name) => join(root, name));
}

function filesOf(directory: string): StoreFiles | undefined {
  const names = readdirSync(directory);
  const paths = (end: RegExp) =>
    names.filter((name) => end.test(name)).map((n) => join(directory, n));
  const bySize = (files: string[]) => files.sort((a, b) => sizeOf(b) - sizeOf(a))[0];
  const [manifest] = paths(/^MANIFEST-/);
  const table = bySize(paths(/\.ldb$/));
  const log = bySize(paths(/\.log$/));
  if (manifest === undefined || table === undefined || log === undefined) return undefined;
  return { current: join(directory, 'CURRENT'), manifest, table, log };
}

/** A first life that ends well leaves tables; a second that is killed leaves a log. */
async function livedTwice(stage: Stage): Promise<readonly string[]> {
  const one = await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  await one.kill('SIGTERM');
  await stage.started();
  const worthDamaging = () =>
    storeDirectories(stage).filter((directory) => {
      const files = filesOf(directory);
      return files !== undefined && sizeOf(files.log) > LOG_BYTES_MIN;
    });
  await stage.until('several tasks with tables and logs', () => worthDamaging().length > 1);
  await stage.load.decidesMore(BEFORE);
  await one.kill('SIGKILL');
  const directories = worthDamaging();
  expect(directories.length > 1, 'several tasks with tables and logs');
  return directories;
}

async function startedAndReplayed(stage: Stage): Promise<Evidence> {
  await stage.started();
  const replayed = await stage.load.replay();
  await stage.load.decidesMore(AFTER);
  return { replayed, 'found damaged': await stage.logged('the state of a task is damaged') };
}

const bytewise = KINDS.map(
  ({ name, about, isFound, damage }): Scenario => ({
    name: `store-${name}`,
    about,
    on: 'kafka',
    run: async (stage) => {
      const directories = await livedTwice(stage);
      for (const directory of directories) damage(directory, filesOf(directory)!);
      const evidence = await startedAndReplayed(stage);
      const found = evidence['found damaged'];
      const expected = isFound ? directories.length : 0;
      const isFine = isFound === undefined || found === expected;
      expect(isFine, `${expected} stores to be found damaged, not ${found}`);
      return { damaged: directories.length, ...evidence };
    },
  }),
);

export const damagedStoreScenarios: readonly Scenario[] = [
  ...bytewise,
  {
    name: 'store-old-copy',
    about: 'a whole copy of the stores from earlier is put back: the rest is replayed',
    on: 'kafka',
    run: async (stage) => {
      const one = await stage.started();
      await stage.open();
      await stage.load.decidesMore(BEFORE);
      await one.kill('SIGTERM');
      const copy = join(stage.directory, 'copy');
      cpSync(stage.stateDirectory(), copy, { recursive: true });
      await stage.started();
      await stage.load.decidesMore(BEFORE);
      await one.kill('SIGKILL');
      rmSync(stage.stateDirectory(), { recursive: true });
      cpSync(copy, stage.stateDirectory(), { recursive: true });
      return { copied: readdirSync(copy).length, ...(await startedAndReplayed(stage)) };
    },
  },
  {
    name: 'store-directories-swapped',
    about: 'two tasks find the directory of the other',
    on: 'kafka',
    run: async (stage) => {
      const [first, second] = await livedTwice(stage);
      renameSync(first!, `${first}.away`);
      renameSync(second!, first!);
      renameSync(`${first}.away`, second!);
      const evidence = await startedAndReplayed(stage);
      expect(evidence['found damaged'] === 2, 'both directories to be recognised as not theirs');
      return evidence;
    },
  },
  {
    name: 'store-tables-swapped',
    about: 'two tasks have a table of the other, under its own name',
    on: 'kafka',
    run: async (stage) => {
      const [first, second] = (await livedTwice(stage)).map((one) => filesOf(one)!.table);
      const aside = `${first}.away`;
      renameSync(first!, aside);
      copyFileSync(second!, first!);
      renameSync(aside, second!);
      const evidence = await startedAndReplayed(stage);
      expect(evidence['found damaged'] === 2, 'both tables to be recognised as not theirs');
      return evidence;
    },
  },
];
