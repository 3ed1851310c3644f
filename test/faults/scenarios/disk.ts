/** The disk below the stores: full, failing, slow. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario, Skipped } from '../scenario.ts';

const BEFORE = 120;
const AFTER = 150;
const DISK_MB = 24;
const CHUNK_BYTES = 64 * 1024;

function must(command: string, ...args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status === 0) return;
  throw new Skipped(
    `${command} ${args.join(' ')}: ${result.error?.message ?? result.stderr.trim()}`,
  );
}

/** A small disk of its own for the instance's state. */
async function mountSmallDisk(stage: Stage): Promise<string> {
  await stage.instance();
  const directory = join(stage.directory, 'one', 'state');
  mkdirSync(directory, { recursive: true });
  must('mount', '-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', directory);
  stage.atTheEnd(() => spawnSync('umount', [directory]));
  must('mountpoint', '-q', directory);
  return directory;
}

/** Writes until nothing more fits. Never more than the disk that was mounted. */
function fill(file: string): number {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const fd = openSync(file, 'a');
  let bytes = 0;
  try {
    for (let size = CHUNK_BYTES; size >= 1 && bytes <= DISK_MB * 1024 * 1024; ) {
      try {
        bytes += writeSync(fd, chunk, 0, size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(fd);
  }
  return bytes;
}

/** Of one write. */
const SLOW_MS = [200, 2_000] as const;
/** A transaction waits for several syncs, one after the other, and has 4 s. */
const SLOW_SYNC_MS = [50, 300] as const;
const SLOWED_MIN = 20;

async function slowDisk(stage: Stage, range: readonly [number, number]): Promise<Evidence> {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  stage.slowDisk(range, 'one');
  const slowed = await stage.hasLogged('slow disk:', 'one', SLOWED_MIN);
  await stage.load.decidesMore(AFTER);
  const dropped = await stage.logged('dropped from the group');
  expect(dropped === 0, `nobody to be dropped from the group, not ${dropped}`);
  stage.slowDisk(undefined, 'one');
  await stage.load.decidesMore(AFTER);
  return { slowed, 'dropped from the group': 'never' };
}

export const diskScenarios: readonly Scenario[] = [
  {
    name: 'disk-full',
    about: 'no space left below the stores, then space again',
    on: 'kafka',
    run: async (stage) => {
      const filler = join(await mountSmallDisk(stage), 'filler');
      await stage.started();
      await stage.open();
      await stage.load.decidesMore(BEFORE);
      stage.say('filling the disk');
      const filledBytes = fill(filler);
      const full = await stage.hasLogged('"isDiskFull":true');
      stage.say('freeing the disk');
      rmSync(filler);
      await stage.load.decidesMore(AFTER);
      return { 'filled bytes': filledBytes, 'stores failed': full };
    },
  },
  {
    name: 'disk-full-at-start',
    about: 'killed, and started on a full disk: says so and ends; sells once there is space',
    on: 'kafka',
    run: async (stage) => {
      const filler = join(await mountSmallDisk(stage), 'filler');
      const one = await stage.started();
      await stage.open();
      await stage.load.decidesMore(BEFORE);
      await one.kill('SIGKILL');
      const filledBytes = fill(filler);
      one.start();
      const told = await stage.hasLogged(/STORE_DISK_FULL|"isDiskFull":true/);
      const endedBy = await stage.ended();
      expect(endedBy === 1, `an end with exit code 1, not ${endedBy}`);
      rmSync(filler);
      await stage.started();
      await stage.load.decidesMore(AFTER);
      return { 'filled bytes': filledBytes, 'told so': told };
    },
  },
  {
    name: 'disk-io-error',
    about: 'every write to a file fails (a file size limit of 0), then none',
    on: 'kafka',
    run: async (stage) => {
      const one = await stage.started();
      await stage.open();
      await stage.load.decidesMore(BEFORE);
      const limit = (size: string) => must('prlimit', '--pid', String(one.pid), `--fsize=${size}:`);
      limit('0');
      const failed = await stage.hasLogged('the stores of a task failed');
      limit('unlimited');
      expect(!one.hasEnded, 'the instance to survive it');
      await stage.load.decidesMore(AFTER);
      return { 'stores failed': failed, 'disk full told': await stage.logged('"isDiskFull":true') };
    },
  },
  {
    name: 'disk-slow',
    about:
      'each batch of the stores takes 0.2 to 2 s more: the instance keeps its place in the group',
    on: 'kafka',
    preloads: ['slow-disk'],
    run: (stage) => slowDisk(stage, SLOW_MS),
  },
  {
    name: 'disk-slow-embedded',
    about: 'each batch of the stores and each sync of the embedded broker takes 0.05 to 0.3 s more',
    on: 'embedded',
    preloads: ['slow-disk'],
    run: (stage) => slowDisk(stage, SLOW_SYNC_MS),
  },
  {
    name: 'disk-slow-and-kill',
    about:
      'killed while many committed batches wait for the disk: they come back from the changelog',
    on: 'kafka',
    preloads: ['slow-disk'],
    run: async (stage) => {
      const one = await stage.started();
      await stage.open();
      stage.slowDisk(SLOW_MS, 'one');
      const slowed = await stage.hasLogged('slow disk: a store batch', 'one', SLOWED_MIN);
      await stage.load.decidesMore(AFTER);
      await one.kill('SIGKILL');
      stage.slowDisk(undefined, 'one');
      await stage.started();
      const replayed = await stage.load.replay();
      await stage.load.decidesMore(AFTER);
      return { slowed, replayed };
    },
  },
];
