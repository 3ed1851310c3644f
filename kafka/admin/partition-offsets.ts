/** Offsets that partition leaders know: first, last, by time; and deleting what lies before one. */
import { type OffsetSpec, partitionKey, type TopicPartition } from '../ports.ts';
import { deleteRecordsApi } from '../protocol/messages/delete-records.ts';
import { listOffsetsApi } from '../protocol/messages/list-offsets.ts';
import { ADMIN_CHANNEL, type AdminContext } from './admin-context.ts';
import { askLeaders, byTopic, type PartitionAnswer } from './ask-leaders.ts';
import { Gathered } from './gathered.ts';

const LATEST_TIMESTAMP = -1;
const EARLIEST_TIMESTAMP = -2;
const CONSUMER_REPLICA_ID = -1;

export interface ListedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly timestampMs: number;
}

interface OffsetAnswer extends PartitionAnswer {
  readonly listed: ListedOffset;
}

export type OffsetQuestions = Gathered<TopicPartition, OffsetAnswer>;

export async function listOffsets(
  context: AdminContext,
  partitions: readonly TopicPartition[],
  spec: OffsetSpec,
  isolation: 'read_committed' | 'read_uncommitted',
): Promise<ReadonlyMap<string, ListedOffset>> {
  const timestamp = timestampOf(spec);
  const isolationLevel = isolation === 'read_committed' ? 1 : 0;
  const answers = await askLeaders(context, 'offset', partitions, (nodeId, share) =>
    questionsOf(context, nodeId, timestamp, isolationLevel).ask(share),
  );
  return new Map([...answers].map(([key, { listed }]) => [key, listed]));
}

/** What goes to one broker, about one time, in one isolation. */
function questionsOf(
  context: AdminContext,
  nodeId: number,
  timestamp: number,
  isolationLevel: number,
): OffsetQuestions {
  const { offsetQuestions } = context;
  const name = `${nodeId} ${timestamp} ${isolationLevel}`;
  let questions = offsetQuestions.get(name);
  if (questions === undefined) {
    questions = new Gathered<TopicPartition, OffsetAnswer>(
      (share) => requestOffsets(context, nodeId, share, timestamp, isolationLevel),
      ({ topic, partition }) => partitionKey(topic, partition),
      () => offsetQuestions.delete(name),
    );
    offsetQuestions.set(name, questions);
  }
  return questions;
}

async function requestOffsets(
  { cluster, timeoutMs }: AdminContext,
  nodeId: number,
  share: readonly TopicPartition[],
  timestamp: number,
  isolationLevel: number,
): Promise<readonly OffsetAnswer[]> {
  const request = {
    replicaId: CONSUMER_REPLICA_ID,
    isolationLevel,
    topics: byTopic(share, ({ partition }) => ({ partitionIndex: partition, timestamp })),
    timeoutMs,
  };
  const response = await cluster.request(
    { nodeId, channel: ADMIN_CHANNEL },
    listOffsetsApi,
    request,
  );
  return response.topics.flatMap(({ name, partitions }) =>
    partitions.map(
      ({ partitionIndex, errorCode, offset, leaderEpoch, timestamp: timestampMs }) => ({
        topic: name,
        partition: partitionIndex,
        errorCode,
        listed: { offset, leaderEpoch, timestampMs },
      }),
    ),
  );
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
