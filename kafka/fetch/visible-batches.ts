/**
 * From the bytes that a Fetch answer holds for one partition to the batches a caller may see and the
 * offset to go on from. Pure. Checks each checksum once; a batch cut off at the end is left for later.
 *
 * The next offset comes from batch headers alone, so it also passes control batches, aborted data and
 * batches that compaction has emptied: a reader that waits to receive a certain record may wait for ever.
 */
import { readControlMarker } from '../records/control-batch.ts';
import { forEachBatch, lastOffset, verifyBatch } from '../records/record-batch.ts';
import type { BatchHeader, FetchedBatch } from '../records/types.ts';
import { AbortedFilter, type AbortedTransaction } from './aborted-filter.ts';

export interface VisibleBatches {
  /** Data batches in offset order. The first may begin below `fetchOffset`: its reader skips. */
  readonly batches: readonly FetchedBatch[];
  readonly nextOffset: number;
  /** Leader epoch of the last batch seen, visible or not; `fetchEpoch` when there was none. */
  readonly lastEpoch: number;
  readonly sizeBytes: number;
}

export interface FetchedBytes {
  readonly records: Buffer;
  readonly fetchOffset: number;
  readonly fetchEpoch: number;
  /** Empty under read_uncommitted. */
  readonly aborted: readonly AbortedTransaction[];
}

/** Throws RECORD_CORRUPT when a checksum does not fit or the bytes are no batches. */
export function visibleBatches(fetched: FetchedBytes): VisibleBatches {
  const { records, fetchOffset } = fetched;
  const filter = new AbortedFilter(fetched.aborted);
  const isAbortMarker = (header: BatchHeader) =>
    readControlMarker({ buffer: records, header })?.kind === 'abort';
  const batches: FetchedBatch[] = [];
  let nextOffset = fetchOffset;
  let lastEpoch = fetched.fetchEpoch;
  let sizeBytes = 0;
  forEachBatch(records, (header) => {
    verifyBatch(records, header);
    const verdict = filter.judge(header, isAbortMarker);
    const last = lastOffset(header);
    if (last < fetchOffset) return;
    nextOffset = last + 1;
    lastEpoch = header.leaderEpoch;
    if (verdict !== 'visible' || header.recordCount === 0) return;
    batches.push({ buffer: records, header });
    sizeBytes += header.sizeBytes;
  });
  return { batches, nextOffset, lastEpoch, sizeBytes };
}
