/** Which segments a log no longer needs. Pure. */
import type { Segment } from './segment.ts';

export interface RetentionRules {
  /** Infinity = keep. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly nowMs: number;
  readonly logStartOffset: number;
  /** Only what lies wholly below may go. */
  readonly highWatermark: number;
}

/**
 * How many segments, from the first on, may be removed: too old, more than retention.bytes, or below
 * the log start. The active segment counts too: the caller rolls before it removes that.
 */
export function removableSegments(segments: readonly Segment[], rules: RetentionRules): number {
  const totalBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  let excessBytes = totalBytes - rules.retentionBytes;
  let count = 0;
  for (const [index, { facts }] of segments.entries()) {
    // One that compaction has emptied goes with the next that goes.
    if (facts.sizeBytes === 0) continue;
    if (facts.endOffset > rules.highWatermark) break;
    const newestMs = facts.maxTimestampMs >= 0 ? facts.maxTimestampMs : facts.modifiedMs;
    const isOld = rules.nowMs - newestMs > rules.retentionMs;
    const isExcess = excessBytes >= facts.sizeBytes;
    const isDeleted = facts.endOffset <= rules.logStartOffset;
    if (!isOld && !isExcess && !isDeleted) break;
    excessBytes -= facts.sizeBytes;
    count = index + 1;
  }
  return count;
}

/** Only deleteRecords' share of it: what even a compacted log no longer needs. */
export const KEEP_ALL = {
  retentionMs: Number.POSITIVE_INFINITY,
  retentionBytes: Number.POSITIVE_INFINITY,
};
