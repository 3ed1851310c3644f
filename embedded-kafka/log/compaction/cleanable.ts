/** Whether and how far a log may be compacted. Pure; the rules are those of Kafka's log cleaner. */
import type { Segment } from '../segment.ts';

export interface CompactionRules {
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
}

export interface CleanableRange {
  readonly firstDirtyOffset: number;
  /** Base offset of the first segment that stays untouched. */
  readonly endOffset: number;
}

/**
 * The dirty part that is worth compacting now; undefined = nothing is. Never the active segment,
 * never anything at or beyond the last stable offset: what is undecided must not displace anything.
 */
export function cleanableRange(
  segments: readonly Segment[],
  rules: CompactionRules,
  log: {
    readonly cleanedToOffset: number;
    readonly logStartOffset: number;
    readonly lastStableOffset: number;
  },
  nowMs: number,
): CleanableRange | undefined {
  const firstDirtyOffset = Math.max(log.cleanedToOffset, log.logStartOffset);
  let cleanBytes = 0;
  let dirtyBytes = 0;
  let earliestDirtyMs = Number.POSITIVE_INFINITY;
  let end = 0;
  for (; end < segments.length - 1; end++) {
    const { facts } = segments[end]!;
    const nextBase = segments[end + 1]!.baseOffset;
    const isDirty = nextBase > firstDirtyOffset;
    const isFresh =
      rules.minCompactionLagMs > 0 && facts.maxTimestampMs > nowMs - rules.minCompactionLagMs;
    if (nextBase > log.lastStableOffset || (isDirty && isFresh)) break;
    if (isDirty) {
      dirtyBytes += facts.sizeBytes;
      if (facts.firstTimestampMs > 0)
        earliestDirtyMs = Math.min(earliestDirtyMs, facts.firstTimestampMs);
    } else {
      cleanBytes += facts.sizeBytes;
    }
  }
  if (dirtyBytes === 0) return undefined;
  const isDue = earliestDirtyMs < nowMs - rules.maxCompactionLagMs;
  const isDirtyEnough = dirtyBytes / (cleanBytes + dirtyBytes) > rules.minCleanableDirtyRatio;
  if (!isDue && !isDirtyEnough) return undefined;
  return { firstDirtyOffset, endOffset: segments[end]!.baseOffset };
}

/** Consecutive segments that may become one: small enough together, and addressable from its base. */
export function groupSegments(segments: readonly Segment[], bytesMax: number): Segment[][] {
  const groups: Segment[][] = [];
  let groupBytes = 0;
  for (const segment of segments) {
    const group = groups.at(-1);
    const span = segment.facts.endOffset - (group?.[0]?.baseOffset ?? 0);
    if (group !== undefined && groupBytes + segment.sizeBytes <= bytesMax && span <= 0x7fff_ffff) {
      group.push(segment);
      groupBytes += segment.sizeBytes;
    } else {
      groups.push([segment]);
      groupBytes = segment.sizeBytes;
    }
  }
  return groups;
}
