/** One fetched piece of a changelog -> one store: records within the range, then the position. */
import type { FetchedPartition } from '../../kafka/ports.ts';
import type { RecordCursor } from '../../kafka/records/types.ts';
import type { TaskState } from '../../stores/state-store.ts';

export interface ChangelogTarget {
  readonly state: TaskState;
  readonly storeName: string;
  readonly topicId: string;
  /** Next offset to apply. */
  readonly position: number;
  /** What lies at or behind it is not applied. */
  readonly endOffset: number;
  readonly nowMs: number;
}

/** Returns the new position, once it is written. Rejects RECORD_CORRUPT, STORE_IO, STORE_DISK_FULL. */
export async function applyChangelog(
  target: ChangelogTarget,
  fetched: FetchedPartition,
  cursor: RecordCursor,
): Promise<number> {
  const { state, storeName, topicId, endOffset, nowMs } = target;
  for (const batch of fetched.batches) {
    cursor.open(batch);
    while (cursor.next()) {
      const isWanted = cursor.offset >= target.position && cursor.offset < endOffset;
      if (isWanted) state.restore(storeName, cursor);
    }
  }
  const offset = Math.min(Math.max(target.position, fetched.nextOffset), endOffset);
  // Cut off at the end, the epoch of the record before it is not known.
  const leaderEpoch = fetched.nextOffset <= endOffset ? fetched.lastLeaderEpoch : -1;
  await state.flushRestored(storeName, { offset, leaderEpoch, topicId, positionAtMs: nowMs });
  return offset;
}
