/**
 * The log of a sale in Kafka, for the auditor. Fetches raw: one read_committed Fetch carries all
 * batches up to the last stable offset, aborted data and markers included, and the list of what its
 * readers must leave out. Joins no group and writes nothing.
 */
import { backoffMs } from '../../base/backoff.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import { createAdmin } from '../../kafka/admin.ts';
import type { ClientDeps } from '../../kafka/client-deps.ts';
import { createCluster } from '../../kafka/cluster.ts';
import { connectorFor, type KafkaConnection } from '../../kafka/connection.ts';
import type { KafkaClientOverOptions } from '../../kafka/kafka-client.ts';
import { partitionKey, type TopicPartition } from '../../kafka/ports.ts';
import { Errors, errorName } from '../../kafka/protocol/error-codes.ts';
import { describeGroupsApi } from '../../kafka/protocol/messages/describe-groups.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import { forEachBatch, lastOffset, verifyBatch } from '../../kafka/records/record-batch.ts';
import type { FetchedBatch } from '../../kafka/records/types.ts';
import type { Cluster } from '../../kafka/wire.ts';
import type { LogSample, LogSource, PartitionBounds, RawBatches } from './log-source.ts';

const CHANNEL = 'audit';
/** From v13 on, Fetch names topics by id. */
const FETCH_VERSION = 12;
const FETCH_BYTES = 4 * 1024 * 1024;
const FETCH_WAIT_MS = 500;
const ATTEMPTS = 12;
const BACKOFF = { initialMs: 50, maxMs: 2_000 };

export interface KafkaLogSource extends LogSource {
  close(): void;
}

export function kafkaLogSource(
  connection: KafkaConnection,
  applicationId: string,
  deps: ClientDeps,
): KafkaLogSource {
  const { connector, bootstrap } = connectorFor(connection, deps);
  const { clientId } = connection;
  return kafkaLogSourceOver({ connector, bootstrap, clientId, ...deps }, applicationId);
}

/** The same over any connector: a simulated network, for instance. */
export function kafkaLogSourceOver(
  options: KafkaClientOverOptions,
  applicationId: string,
): KafkaLogSource {
  const { clock, random, log } = options;
  const deps: ClientDeps = { clock, random, log };
  const cluster = createCluster(options);
  const admin = createAdmin(cluster, deps);

  const topics = async (): Promise<ReadonlyMap<string, number>> => {
    const described = await admin.describeTopics(await admin.listTopics());
    return new Map([...described].map(([name, { partitions }]) => [name, partitions]));
  };
  const sample = async (
    names: readonly string[],
    inputs: readonly string[],
  ): Promise<LogSample> => {
    const described = await admin.describeTopics(names);
    const partitions = [...described.values()].flatMap((topic) => partitionsOf(topic));
    const consumed = partitions.filter(({ topic }) => inputs.includes(topic));
    const [starts, ends, stables, committed, memberCount] = await Promise.all([
      admin.listOffsets(partitions, 'earliest', 'read_uncommitted'),
      admin.listOffsets(partitions, 'latest', 'read_uncommitted'),
      admin.listOffsets(partitions, 'latest', 'read_committed'),
      admin.committedOffsets(applicationId, consumed, { requireStable: false }),
      countMembers(cluster, applicationId),
    ]);
    const boundsOf = ({ topic, partition }: TopicPartition): [string, PartitionBounds] => {
      const key = partitionKey(topic, partition);
      const committedOffset = committed.get(key)?.offset ?? -1;
      return [
        key,
        {
          startOffset: starts.get(key)?.offset ?? 0,
          endOffset: ends.get(key)?.offset ?? 0,
          stableOffset: stables.get(key)?.offset ?? 0,
          committedOffset: committedOffset < 0 ? undefined : committedOffset,
        },
      ];
    };
    return { memberCount, bounds: new Map(partitions.map(boundsOf)) };
  };
  return {
    topics,
    sample,
    read: (topic, partition, bounds) => readAhead(cluster, deps, { topic, partition }, bounds),
    close: () => cluster.close(),
  };
}

function partitionsOf(topic: { readonly name: string; readonly partitions: number }) {
  return Array.from({ length: topic.partitions }, (_, partition) => ({
    topic: topic.name,
    partition,
  }));
}

async function countMembers(cluster: Cluster, groupId: string): Promise<number> {
  const nodeId = await cluster.coordinatorOf('group', groupId);
  const request = { groups: [groupId], includeAuthorizedOperations: false };
  const response = await cluster.request({ nodeId, channel: CHANNEL }, describeGroupsApi, request);
  return response.groups[0]?.members.length ?? 0;
}

/** The next answer is on its way while this one is audited. */
async function* readAhead(
  cluster: Cluster,
  deps: ClientDeps,
  at: TopicPartition,
  { startOffset, endOffset }: PartitionBounds,
): AsyncGenerator<RawBatches> {
  const fetchFrom = (offset: number) => fetchBatches(cluster, deps, at, offset);
  let offset = startOffset;
  let next = offset < endOffset ? fetchFrom(offset) : undefined;
  // A reader that leaves early must not leave an unhandled rejection behind.
  next?.catch(() => {});
  while (next !== undefined) {
    const answer = await next;
    offset = Math.max(answer.nextOffset, offset);
    next = offset < endOffset ? fetchFrom(offset) : undefined;
    next?.catch(() => {});
    yield answer;
  }
}

interface FetchedAnswer extends RawBatches {
  readonly nextOffset: number;
}

/** Retries what can pass. Rejects with KAFKA_RETRIABLE when it does not. */
async function fetchBatches(
  cluster: Cluster,
  deps: ClientDeps,
  at: TopicPartition,
  offset: number,
): Promise<FetchedAnswer> {
  let cause: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const answer = await fetchOnce(cluster, at, offset);
      if (answer.nextOffset > offset) return answer;
      cause = new Error('nothing came');
    } catch (error) {
      if (!isMillraceError(error, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE')) throw error;
      cause = error;
    }
    await deps.clock.sleep(backoffMs(attempt, BACKOFF, deps.random));
    await cluster.refreshMetadata([at.topic]).catch(() => {});
  }
  const message = `${partitionKey(at.topic, at.partition)}@${offset} cannot be read`;
  throw new MillraceError('KAFKA_RETRIABLE', message, { cause });
}

async function fetchOnce(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  fetchOffset: number,
): Promise<FetchedAnswer> {
  const leader = cluster.leaderOf(topic, partition);
  if (leader === undefined) throw new MillraceError('KAFKA_RETRIABLE', 'the leader is unknown');
  const target = { nodeId: leader.nodeId, channel: CHANNEL, versionAtMost: FETCH_VERSION };
  const response = await cluster.request(target, fetchApi, {
    maxWaitMs: FETCH_WAIT_MS,
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    isolationLevel: 1,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: FETCH_BYTES }] }],
  });
  const answer = response.responses[0]?.partitions[0];
  const errorCode = response.errorCode || (answer?.errorCode ?? Errors.UNKNOWN_SERVER_ERROR);
  if (answer === undefined || errorCode !== Errors.NONE) {
    throw new MillraceError('KAFKA_RETRIABLE', `Fetch: ${errorName(errorCode)}`);
  }
  const buffer = answer.records ?? Buffer.alloc(0);
  const batches: FetchedBatch[] = [];
  let nextOffset = fetchOffset;
  forEachBatch(buffer, (header) => {
    verifyBatch(buffer, header);
    if (lastOffset(header) < fetchOffset) return;
    batches.push({ buffer, header });
    nextOffset = lastOffset(header) + 1;
  });
  return { batches, aborted: answer.abortedTransactions ?? [], nextOffset };
}
