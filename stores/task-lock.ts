/**
 * Who in this process has a task's directory open. LevelDB keeps other processes out by itself, but
 * lets any thread of one process share a database; here one thread owns it, others may read along.
 *
 * Lock files carry the process' identity in their names, so what an earlier process left behind
 * blocks nobody. A reader must be gone before the owner closes: LevelDB frees the block cache with
 * the handle that was opened first.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { type Clock, systemClock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';

export interface TaskLock {
  /** owner: refuses new readers, then waits until those that are there have left. */
  beginClose(): Promise<void>;
  release(): void;
}

const POLL_MS = 10;
const WAIT_MAX_MS = 60_000;
const LOCK_NAME = /^(owner|reader|closing)-\d+-\d+/;

const processName = `${process.pid}-${startTicks()}`;
const ownerName = `owner-${processName}`;
const closingName = `closing-${processName}`;
const readerPrefix = `reader-${processName}-`;
let readerCount = 0;

/** Waits until an earlier owner has left. Rejects STATE_DIR_LOCKED after a minute. */
export async function lockAsOwner(
  directory: string,
  clock: Clock = systemClock,
): Promise<TaskLock> {
  removeForeign(directory);
  await waitUntil(() => createExclusively(join(directory, ownerName), `${threadId}`), clock, {
    error: `another thread has ${directory} open`,
  });
  return {
    beginClose: async () => {
      createExclusively(join(directory, closingName), '');
      const isRead = () => readdirSync(directory).some((name) => name.startsWith(readerPrefix));
      await waitUntil(() => !isRead(), clock, { error: `somebody still reads ${directory}` });
    },
    release: () => {
      rmSync(join(directory, closingName), { force: true });
      rmSync(join(directory, ownerName), { force: true });
    },
  };
}

/** Rejects QUERY_UNAVAILABLE unless somebody in this process owns the directory and stays. */
export function lockAsReader(directory: string): TaskLock {
  const path = join(directory, `${readerPrefix}${threadId}-${++readerCount}`);
  const release = () => rmSync(path, { force: true });
  const unavailable = () =>
    new MillraceError('QUERY_UNAVAILABLE', `no task runs in ${directory}`, {
      hint: 'The task has moved or is just being closed; ask again.',
    });
  try {
    createExclusively(path, '');
  } catch (error) {
    throw hasCode(error, 'ENOENT') ? unavailable() : error;
  }
  // Only after our own file is there: an owner that closes now will see it, or we see it closing.
  const names = new Set(readdirSync(directory));
  if (!names.has(ownerName) || names.has(closingName)) {
    release();
    throw unavailable();
  }
  return { beginClose: () => Promise.resolve(), release };
}

/** Gives up what a thread that died (not one that runs) owned. */
export function releaseOwnedBy(directory: string, deadThreadId: number): void {
  const path = join(directory, ownerName);
  try {
    if (readFileSync(path, 'utf8') !== `${deadThreadId}`) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  rmSync(join(directory, closingName), { force: true });
  rmSync(path, { force: true });
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

async function waitUntil(
  isSo: () => boolean,
  clock: Clock,
  otherwise: { readonly error: string },
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + WAIT_MAX_MS;
  while (!isSo()) {
    if (clock.monotonicMs() >= deadlineMs) {
      throw new MillraceError('STATE_DIR_LOCKED', otherwise.error);
    }
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
