/** Offsets that partition leaders know: first, last, by time; and deleting what lies before one. */
import type { OffsetSpec, TopicPartition } from '../ports.ts';
import { deleteRecordsApi } from '../protocol/messages/delete-records.ts';
import { listOffsetsApi } from '../protocol/messages/list-offsets.ts';
import { ADMIN_CHANNEL, type AdminContext } from './admin-context.ts';
import { askLeaders, byTopic } from './ask-leaders.ts';

const LATEST_TIMESTAMP = -1;
const EARLIEST_TIMESTAMP = -2;
const CONSUMER_REPLICA_ID = -1;

export interface ListedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly timestampMs: number;
}

export async function listOffsets(
  context: AdminContext,
  partitions: readonly TopicPartition[],
  spec: OffsetSpec,
  isolation: 'read_committed' | 'read_uncommitted',
): Promise<ReadonlyMap<string, ListedOffset>> {
  const timestamp = timestampOf(spec);
  const answers = await askLeaders(context, 'offset', partitions, async (nodeId, share) => {
    const request = {
      replicaId: CONSUMER_REPLICA_ID,
      isolationLevel: isolation === 'read_committed' ? 1 : 0,
      topics: byTopic(share, ({ partition }) => ({ partitionIndex: partition, timestamp })),
      timeoutMs: context.timeoutMs,
    };
    const target = { nodeId, channel: ADMIN_CHANNEL };
    const response = await context.cluster.request(target, listOffsetsApi, request);
    return response.topics.flatMap(({ name, partitions: answers }) =>
      answers.map((answer) => ({
        topic: name,
        partition: answer.partitionIndex,
        errorCode: answer.errorCode,
        listed: {
          offset: answer.offset,
          leaderEpoch: answer.leaderEpoch,
          timestampMs: answer.timestamp,
        },
      })),
    );
  });
  return new Map([...answers].map(([key, { listed }]) => [key, listed]));
}

function timestampOf(spec: OffsetSpec): number {
  if (spec === 'earliest') return EARLIEST_TIMESTAMP;
  return spec === 'latest' ? LATEST_TIMESTAMP : spec.timestampMs;
}

export async function deleteRecords(
  context: AdminContext,
  before: readonly (TopicPartition & { readonly offset: number })[],
): Promise<void> {
  const { timeoutMs } = context;
  await askLeaders(context, 'deleting records', before, async (nodeId, share) => {
    const topics = byTopic(share, ({ partition, offset }) => ({
      partitionIndex: partition,
      offset,
    }));
    const target = { nodeId, channel: ADMIN_CHANNEL };
    const response = await context.cluster.request(target, deleteRecordsApi, { topics, timeoutMs });
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode }) => ({
        topic: name,
        partition: partitionIndex,
        errorCode,
      })),
    );
  });
}
