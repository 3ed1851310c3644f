/**
 * `<state dir>/<application id>/`: one process at a time, its identity, and a directory per task.
 *
 * The lock is LevelDB's own (a kernel lock: it dies with the process, kill -9 included, and holds
 * across containers that share a disk), on a small database that also keeps the process id.
 * Opened by the main thread; worker threads get paths, process id and boot id as plain strings.
 */
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { isMillraceError, MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { readBootId } from './boot-id.ts';
import type { BytesStore, BytesStoreEngine } from './bytes-store.ts';
import { levelDbEngine } from './leveldb-store.ts';
import type { TaskPositions } from './state-store.ts';
import { inspectPositions } from './task-disk.ts';
import { releaseOwnedBy } from './task-lock.ts';

export interface StateDirectoryOptions {
  /** STREAMS_STATE_DIR. */
  readonly root: string;
  readonly applicationId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly engine?: BytesStoreEngine;
}

export interface StoredTask {
  readonly taskId: string;
  readonly positions: TaskPositions;
}

const PRIVATE = 0o700;
const IDENTITY = 'instance';
const PROCESS_ID_KEY = Buffer.from('processId');
const TASK_ID = /^\d+_\d+$/;
const APPLICATION_ID = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}$/;

/**
 * Rejects STATE_DIR_LOCKED when another process has it, STATE_DIR_UNUSABLE when it cannot be made
 * or written, CONFIG_INVALID for an application id that is no directory name.
 */
export async function openStateDirectory(options: StateDirectoryOptions): Promise<StateDirectory> {
  if (!APPLICATION_ID.test(options.applicationId)) {
    throw new MillraceError('CONFIG_INVALID', `application id ${options.applicationId}`, {
      hint: 'Use letters, digits, dot, underscore and hyphen, at most 200.',
    });
  }
  const directory = resolve(options.root, options.applicationId);
  const engine = options.engine ?? levelDbEngine();
  if (engine.machine === undefined) await makePrivate(directory);
  const identity = await openIdentity(join(directory, IDENTITY), engine, options.log);
  try {
    const processId = await readProcessId(identity, options.random);
    const bootId = engine.machine?.bootId() ?? (await readBootId());
    return new StateDirectory(options, directory, engine, identity, processId, bootId);
  } catch (error) {
    await identity.close();
    throw error;
  }
}

export class StateDirectory {
  readonly directory: string;
  /** Lives as long as the directory: what transactional ids are made of. */
  readonly processId: string;
  readonly bootId: string;
  readonly #engine: BytesStoreEngine;
  readonly #identity: BytesStore;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(
    options: StateDirectoryOptions,
    directory: string,
    engine: BytesStoreEngine,
    identity: BytesStore,
    processId: string,
    bootId: string,
  ) {
    this.directory = directory;
    this.processId = processId;
    this.bootId = bootId;
    this.#engine = engine;
    this.#identity = identity;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  taskDirectory(taskId: string): string {
    if (TASK_ID.test(taskId)) return join(this.directory, taskId);
    throw new MillraceError('INTERNAL', `${taskId} is not a task id`);
  }

  /** Ids of the tasks that have a directory, running or not. */
  async taskIds(): Promise<readonly string[]> {
    const { machine } = this.#engine;
    if (machine !== undefined) {
      return machine.list(this.directory).filter((name) => TASK_ID.test(name));
    }
    const entries = await readdir(this.directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && TASK_ID.test(entry.name))
      .map((entry) => entry.name);
  }

  /**
   * Tasks that do not run here but left a state, with how far it goes: what this process would
   * save by getting them. A state that cannot be read counts as none.
   */
  async dormantTasks(running: ReadonlySet<string>): Promise<readonly StoredTask[]> {
    const tasks: StoredTask[] = [];
    for (const taskId of await this.taskIds()) {
      if (running.has(taskId)) continue;
      try {
        const directory = this.taskDirectory(taskId);
        const positions = await inspectPositions(directory, this.#engine, this.bootId);
        tasks.push({ taskId, positions });
      } catch (error) {
        this.#log.warn(
          { taskId, err: error },
          'the state of a task that does not run is unreadable',
        );
      }
    }
    return tasks;
  }

  /** Deletes directories of tasks that do not run and were last written longer ago than `ageMs`. */
  async removeUnused(running: ReadonlySet<string>, ageMs: number): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const taskId of await this.taskIds()) {
      if (running.has(taskId)) continue;
      const directory = this.taskDirectory(taskId);
      if (this.#clock.nowMs() - (await lastChangeMs(directory)) < ageMs) continue;
      await this.#engine.destroy(directory);
      removed.push(taskId);
      this.#log.info({ taskId }, 'deleted the state of a task that has not run here for long');
    }
    return removed;
  }

  /** A worker thread has died: its tasks may be opened by others. */
  async releaseThread(deadThreadId: number): Promise<void> {
    for (const taskId of await this.taskIds()) {
      releaseOwnedBy(this.taskDirectory(taskId), deadThreadId);
    }
  }

  /** After all tasks are closed. Idempotent. */
  close(): Promise<void> {
    return this.#identity.close();
  }
}

async function makePrivate(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: PRIVATE });
    await chmod(directory, PRIVATE);
  } catch (error) {
    throw new MillraceError('STATE_DIR_UNUSABLE', `cannot use ${directory} for state`, {
      cause: error,
      hint: 'STREAMS_STATE_DIR must name a directory that this user may write to.',
    });
  }
}

/** A damaged identity is replaced: a new process id only costs waiting for old transactions. */
async function openIdentity(
  directory: string,
  engine: BytesStoreEngine,
  log: Log,
): Promise<BytesStore> {
  try {
    return await engine.open(directory, 'owner');
  } catch (error) {
    if (isMillraceError(error, 'STORE_CORRUPT')) {
      log.warn({ err: error }, 'the identity of this process is damaged: making a new one');
      await rm(directory, { recursive: true, force: true });
      return engine.open(directory, 'owner');
    }
    if (!isMillraceError(error, 'STATE_DIR_LOCKED')) throw error;
    throw new MillraceError('STATE_DIR_LOCKED', `another process uses ${directory}`, {
      cause: error,
      hint: 'Give each process on this machine a STREAMS_STATE_DIR of its own.',
    });
  }
}

async function readProcessId(identity: BytesStore, random: Random): Promise<string> {
  const known = identity.get(PROCESS_ID_KEY);
  if (known !== undefined) return known.toString('utf8');
  const processId = random.uuid();
  const batch = identity.batch();
  batch.put(PROCESS_ID_KEY, Buffer.from(processId));
  await batch.write({ sync: true });
  return processId;
}

async function lastChangeMs(directory: string): Promise<number> {
  const names = await readdir(directory);
  const times = await Promise.all(
    names.map(async (name) => (await stat(join(directory, name))).mtimeMs),
  );
  return Math.max((await stat(directory)).mtimeMs, ...times);
}
