/** Up to where a task's stores contain their changelogs once a transaction is applied (pure). */
import {
  type OffsetToCommit,
  type ProducedRange,
  partitionKey,
  type TopicPartition,
} from '../../kafka/ports.ts';
import type { ChangelogPosition } from '../../stores/state-store.ts';
import type { ChangelogPlan } from '../assignment/topic-plan.ts';

export interface CommittedTransaction {
  readonly produced: ReadonlyMap<string, ProducedRange>;
  readonly offsets: ReadonlyMap<string, TopicPartition & OffsetToCommit>;
  readonly committedAtMs: number;
}

/** By store name. A store without any known position is left out. */
export function changelogPositions(
  task: { readonly changelogs: readonly ChangelogPlan[]; readonly partition: number },
  before: ReadonlyMap<string, ChangelogPosition>,
  { produced, offsets, committedAtMs: positionAtMs }: CommittedTransaction,
): ReadonlyMap<string, ChangelogPosition> {
  const positions = new Map<string, ChangelogPosition>();
  for (const { spec, topic, topicId, isSourceTopic } of task.changelogs) {
    const key = partitionKey(topic, task.partition);
    const range = produced.get(key);
    if (isSourceTopic) {
      const { offset, leaderEpoch } = offsets.get(key)!;
      positions.set(spec.name, { offset, leaderEpoch, topicId, positionAtMs });
    } else if (range !== undefined) {
      const { nextOffset: offset, leaderEpoch } = range;
      positions.set(spec.name, { offset, leaderEpoch, topicId, positionAtMs });
    } else {
      // Nothing was written, or a duplicate's acknowledgement told no offset. The old position is then
      // right or early, and replay is harmless; its time is now, as nobody else writes this log.
      const old = before.get(spec.name);
      if (old !== undefined) positions.set(spec.name, { ...old, positionAtMs });
    }
  }
  return positions;
}
