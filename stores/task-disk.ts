/** Opens a task's directory: ids of its stores, where its state stands, and the boot mark. */

import { MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { BytesStore, BytesStoreEngine } from './bytes-store.ts';
import { STORE_ID_MAX, WIPE_HINT } from './entries/entry-format.ts';
import {
  type BootMark,
  readBootMark,
  readPositions,
  readStoreIds,
  type StatePositions,
  writeBootMark,
  writePositions,
  writeStoreIds,
} from './entries/meta-records.ts';

export interface TaskDisk {
  readonly bytes: BytesStore;
  readonly storeIds: ReadonlyMap<string, number>;
  /** Opened for the first time: they have never held anything. */
  readonly newStores: ReadonlySet<string>;
  /** What can be relied upon: after a power loss, what had been flushed. */
  readonly positions: StatePositions;
  /** After bytes.close(). */
  destroy(): Promise<void>;
}

export interface TaskDiskOptions {
  readonly directory: string;
  readonly taskId: string;
  readonly engine: BytesStoreEngine;
  readonly storeNames: readonly string[];
  readonly bootId: string;
  readonly log: Log;
}

export async function openTaskDisk(options: TaskDiskOptions): Promise<TaskDisk> {
  const { directory, engine } = options;
  const bytes = await engine.open(directory, 'owner');
  try {
    const before = readStoreIds(bytes);
    const storeIds = await assignStoreIds(bytes, before, options.storeNames);
    const newStores = new Set(options.storeNames.filter((name) => !before?.has(name)));
    const positions = await takeOver(bytes, options);
    return { bytes, storeIds, newStores, positions, destroy: () => engine.destroy(directory) };
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/** An id once given stays with its name, so that stores can be added and removed later. */
async function assignStoreIds(
  bytes: BytesStore,
  known: ReadonlyMap<string, number> | undefined,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (known === undefined) await assertEmpty(bytes);
  const ids = new Map(known);
  let last = Math.max(0, ...ids.values());
  for (const name of names) if (!ids.has(name)) ids.set(name, ++last);
  if (last > STORE_ID_MAX) {
    throw new MillraceError('TOPOLOGY_INVALID', `a task has more than ${STORE_ID_MAX} stores`, {
      hint: 'Ids of removed stores are not used again: delete the state directory.',
    });
  }
  if (known === undefined || ids.size > known.size) {
    const batch = bytes.batch();
    writeStoreIds(batch, ids);
    await batch.write();
  }
  return ids;
}

/** Data without the record that says whose it is: something has been lost. */
async function assertEmpty(bytes: BytesStore): Promise<void> {
  const scan = bytes.scan({ gte: Buffer.of(0), lt: Buffer.of(0xff, 0xff) });
  try {
    if ((await scan.next(1)).length === 0) return;
  } finally {
    await scan.close();
  }
  throw new MillraceError('STORE_CORRUPT', 'the state has lost its list of stores');
}

/**
 * Signs this boot in. The mark is synced before anything else is written: an old clean mark must not
 * outlive what comes after it. If a power loss may have torn holes into unsynced writes, the flushed
 * positions take the place of the others in the same batch.
 */
async function takeOver(bytes: BytesStore, options: TaskDiskOptions): Promise<StatePositions> {
  const { bootId, taskId } = options;
  const mark = readBootMark(bytes);
  // Moved or copied here by hand: another partition's data, with a position that looks like ours.
  if (mark?.taskId !== undefined && mark.taskId !== taskId) {
    throw new MillraceError('STORE_CORRUPT', `the state is of task ${mark.taskId}, not ${taskId}`);
  }
  const positions = reliablePositions(bytes, mark, bootId);
  if (lostPower(mark, bootId)) {
    options.log.warn(
      { taskId },
      'the machine restarted without a clean close: going back to the flushed position',
    );
  }
  if (mark === undefined || mark.clean || mark.bootId !== bootId || mark.taskId !== taskId) {
    const batch = bytes.batch();
    if (lostPower(mark, bootId)) writePositions(batch, 'positions', positions);
    writeBootMark(batch, { taskId, bootId, clean: false });
    await batch.write({ sync: true });
  }
  return positions;
}

/** How far a state that is not open goes; it is opened for a moment and left as it was. */
export async function inspectPositions(
  directory: string,
  engine: BytesStoreEngine,
  bootId: string,
): Promise<StatePositions> {
  const bytes = await engine.open(directory, 'owner');
  try {
    return reliablePositions(bytes, readBootMark(bytes), bootId);
  } finally {
    await bytes.close();
  }
}

/**
 * After a power loss the flushed positions. A store that has a position but no flushed one would be
 * restored over data in which a deletion may be missing that the changelog has long forgotten.
 */
function reliablePositions(
  bytes: BytesStore,
  mark: BootMark | undefined,
  bootId: string,
): StatePositions {
  const positions = readPositions(bytes, 'positions');
  if (!lostPower(mark, bootId)) return positions;
  const flushed = readPositions(bytes, 'flushed');
  const name = [...positions.changelogs.keys()].find((name) => !flushed.changelogs.has(name));
  if (name === undefined) return flushed;
  throw new MillraceError('STORE_CORRUPT', `store ${name} lost power before its first flush`, {
    hint: WIPE_HINT,
  });
}

function lostPower(mark: BootMark | undefined, bootId: string): boolean {
  return mark !== undefined && !mark.clean && mark.bootId !== bootId;
}
