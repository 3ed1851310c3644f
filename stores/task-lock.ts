/**
 * Who in this process has a task's directory open. LevelDB keeps other processes out by itself, but
 * lets all threads of one process share a database; here one thread owns it, others may read along.
 *
 * L1. The owner is the first to open and the last to close: LevelDB's handle uses the block cache of
 *     whoever opened it first, and frees it with that opening.
 * L2. Lock files carry the process' identity in their names: what an earlier process left behind
 *     blocks nobody.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { type Clock, systemClock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';

export interface OwnerLock {
  /** The database is open: readers may come. */
  admitReaders(): void;
  /** Refuses new readers, then waits until those that are there have left. */
  dismissReaders(): Promise<void>;
  release(): void;
}

export interface ReaderLock {
  release(): void;
}

const POLL_MS = 10;
const WAIT_MAX_MS = 60_000;
const LOCK_NAME = /^(owner|ready|reader)-\d+-\d+/;

const processName = `${process.pid}-${startTicks()}`;
const ownerName = `owner-${processName}`;
const readyName = `ready-${processName}`;
const readerPrefix = `reader-${processName}-`;
let readerCount = 0;

/** Waits until an earlier owner and its readers have left. Rejects STATE_DIR_LOCKED after a minute. */
export async function lockAsOwner(
  directory: string,
  clock: Clock = systemClock,
): Promise<OwnerLock> {
  removeForeign(directory);
  const ready = join(directory, readyName);
  const release = () => {
    rmSync(ready, { force: true });
    rmSync(join(directory, ownerName), { force: true });
  };
  const untilUnread = () =>
    waitUntil(() => !isRead(directory), clock, `somebody still reads ${directory}`);
  await waitUntil(
    () => createExclusively(join(directory, ownerName), `${threadId}`),
    clock,
    `another thread has ${directory} open`,
  );
  try {
    await untilUnread();
  } catch (error) {
    release();
    throw error;
  }
  return {
    admitReaders: () => {
      createExclusively(ready, '');
    },
    dismissReaders: () => {
      rmSync(ready, { force: true });
      return untilUnread();
    },
    release,
  };
}

/** Throws QUERY_UNAVAILABLE unless somebody in this process has the directory open and stays. */
export function lockAsReader(directory: string): ReaderLock {
  const path = join(directory, `${readerPrefix}${threadId}-${++readerCount}`);
  const release = () => rmSync(path, { force: true });
  try {
    createExclusively(path, '');
  } catch (error) {
    throw hasCode(error, 'ENOENT') ? noOwner(directory) : error;
  }
  // Only after our own file is there: an owner that closes now sees it, or we see that it closes.
  if (!existsSync(join(directory, readyName))) {
    release();
    throw noOwner(directory);
  }
  return { release };
}

function noOwner(directory: string): MillraceError {
  return new MillraceError('QUERY_UNAVAILABLE', `no task runs in ${directory}`, {
    hint: 'The task has moved or is just being opened or closed; ask again.',
  });
}

/**
 * Gives up what a thread that died (not one that runs) owned. Close its readers at once: they use
 * memory that went with it.
 */
export function releaseOwnedBy(directory: string, deadThreadId: number): void {
  const path = join(directory, ownerName);
  try {
    if (readFileSync(path, 'utf8') !== `${deadThreadId}`) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  rmSync(join(directory, readyName), { force: true });
  rmSync(path, { force: true });
}

function isRead(directory: string): boolean {
  return readdirSync(directory).some((name) => name.startsWith(readerPrefix));
}

function removeForeign(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (LOCK_NAME.test(name) && !name.includes(`-${processName}`)) {
      rmSync(join(directory, name), { force: true });
    }
  }
}

function createExclusively(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function waitUntil(isSo: () => boolean, clock: Clock, otherwise: string): Promise<void> {
  const deadlineMs = clock.monotonicMs() + WAIT_MAX_MS;
  while (!isSo()) {
    if (clock.monotonicMs() >= deadlineMs) throw new MillraceError('STATE_DIR_LOCKED', otherwise);
    await clock.sleep(POLL_MS);
  }
}

/** When this process started, in ticks since boot: with the pid it names a process for good. */
function startTicks(): string {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
  } catch {
    return `${Math.round(performance.timeOrigin)}`;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
