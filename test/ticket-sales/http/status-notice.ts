/** What an instance is told of a commit: batches of the status topic, as they were produced. */
import type { CommitNotice } from '../../../interactive-queries/queryable-streams.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import { type Serde, toBytes } from '../../../schemas/serde.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';

/** One batch for each list of purchases. */
export function statusNotice(
  serde: Serde<Purchase>,
  ...batches: readonly (readonly Purchase[])[]
): CommitNotice {
  const topic = TOPICS.purchaseStatus;
  return {
    taskPartitions: batches.map((_, partition) => partition),
    outputs: batches.map((purchases, partition) => {
      const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
      for (const purchase of purchases) {
        builder.append(0, Buffer.from(purchase.purchaseId), toBytes(serde, purchase));
      }
      return { topic, partition, batch: builder.finish(topic, partition, 'none').bytes };
    }),
    committedAtMs: 0,
  };
}
