/**
 * Where a store's restore begins, or why the store cannot be trusted and must be wiped (pure).
 * A compacted changelog begins at offset 0 for ever. When it does not, somebody has deleted records,
 * and what is left is not the state: a store that would need them must not run on the rest.
 * `endOffset` is the high watermark, sampled AFTER the stable committed offsets were read: sampled
 * before, or taken from the last stable offset, a committed transaction could be missed.
 */
import { MillraceError } from '../../base/errors.ts';
import type { ChangelogPosition } from '../../stores/state-store.ts';
import type { ChangelogPlan } from '../assignment/topic-plan.ts';
import type { RestoreRange } from './restorer.ts';

export interface ChangelogBounds {
  readonly logStartOffset: number;
  readonly endOffset: number;
}

export type RestoreDecision =
  | { readonly kind: 'restore'; readonly range: RestoreRange }
  | { readonly kind: 'wipe'; readonly reason: string };

/** Throws LOG_LOST. */
export function planRestore(
  plan: ChangelogPlan,
  partition: number,
  position: ChangelogPosition | undefined,
  bounds: ChangelogBounds,
  time: { readonly nowMs: number; readonly deleteRetentionMs: number },
): RestoreDecision {
  const { topic, topicId, spec } = plan;
  const range = (fromOffset: number, leaderEpoch: number): RestoreDecision => ({
    kind: 'restore',
    range: {
      storeName: spec.name,
      topic,
      topicId,
      partition,
      fromOffset,
      leaderEpoch,
      endOffset: bounds.endOffset,
    },
  });
  const isNeeded = position === undefined || position.offset < bounds.logStartOffset;
  if (isNeeded && bounds.logStartOffset > 0 && isKeptWhole(plan)) throw headLost(plan, partition);
  if (position === undefined) return range(bounds.logStartOffset, -1);
  const { offset, leaderEpoch, positionAtMs } = position;
  if (position.topicId !== topicId) return wipe(`${topic} was created anew`);
  if (offset > bounds.endOffset)
    return wipe(`position ${offset} is behind the end of ${topic}, ${bounds.endOffset}`);
  if (offset < bounds.logStartOffset)
    return wipe(`position ${offset} of ${topic} is no longer in the log`);
  // Compaction may have removed tombstones that this store never saw: deleted keys would live on.
  if (time.nowMs - positionAtMs > time.deleteRetentionMs / 2 && offset < bounds.endOffset) {
    return wipe(`the position in ${topic} is older than half of delete.retention.ms`);
  }
  return range(offset, leaderEpoch);
}

function wipe(reason: string): RestoreDecision {
  return { kind: 'wipe', reason };
}

/** Source topics, and changelogs whose old records expire, begin where they like. */
function isKeptWhole({ spec, isSourceTopic }: ChangelogPlan): boolean {
  if (isSourceTopic || spec.changelog === false) return false;
  return (spec.changelog.configs['cleanup.policy'] ?? 'compact') === 'compact';
}

function headLost({ topic, spec }: ChangelogPlan, partition: number): MillraceError {
  return new MillraceError(
    'LOG_LOST',
    `${topic}-${partition} does not begin at offset 0: what the store ${spec.name} is made of is no longer there`,
    { hint: 'Bring the records or the state directory back, or reset the application.' },
  );
}
