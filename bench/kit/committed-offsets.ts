/** Watches the offsets that the app's group commits, from outside, every few milliseconds. */
import { type KafkaClient, partitionKey, type TopicPartition } from '../../kafka/ports.ts';

const POLL_MS = 20;

export interface CommittedSample {
  readonly atMs: number;
  /** Committed offsets of all partitions, summed. */
  readonly total: number;
}

export interface OffsetsWatch {
  /** The first is the first that is above 0. */
  readonly samples: readonly CommittedSample[];
  readonly latest: number;
  /** Resolves when `total` is reached; rejects when nothing has moved for `idleMs`. */
  until(total: number, idleMs: number): Promise<void>;
}

export function watchCommitted(
  kafka: KafkaClient,
  groupId: string,
  partitions: readonly TopicPartition[],
  onLook: () => void,
): OffsetsWatch {
  const samples: CommittedSample[] = [];
  const sample = async () => {
    const committed = await kafka.admin.committedOffsets(groupId, partitions, {
      requireStable: false,
    });
    let total = 0;
    for (const { topic, partition } of partitions) {
      total += Math.max(0, committed.get(partitionKey(topic, partition))?.offset ?? 0);
    }
    if (total <= (samples.at(-1)?.total ?? 0)) return;
    samples.push({ atMs: performance.now(), total });
    onLook();
  };
  return {
    samples,
    get latest() {
      return samples.at(-1)?.total ?? 0;
    },
    until: async (total, idleMs) => {
      let movedAtMs = performance.now();
      let before = 0;
      for (;;) {
        await sample();
        const reached = samples.at(-1)?.total ?? 0;
        if (reached >= total) return;
        if (reached > before) [before, movedAtMs] = [reached, performance.now()];
        if (performance.now() - movedAtMs > idleMs)
          throw new Error(`the group stands at ${reached} of ${total} records`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
  };
}

/** Records per second between two samples; 0 when there is no time between them. */
export function rateBetween(from: CommittedSample, to: CommittedSample): number {
  const seconds = (to.atMs - from.atMs) / 1_000;
  return seconds > 0 ? (to.total - from.total) / seconds : 0;
}
