/** ListOffsets: earliest, latest, by timestamp, and of the largest timestamp. */
import { isMillraceError } from '../../base/errors.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { listOffsetsApi } from '../../kafka/protocol/messages/list-offsets.ts';
import { compareLeaderEpoch } from '../partitions/leader-epochs.ts';
import type { ErrorCodeNumber, Partition, TopicManager } from '../ports.ts';
import { type AnyHandler, defineHandler } from './define-handler.ts';

const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
/** Without tiered storage the local log is the log. */
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;
const READ_COMMITTED = 1;

/** The version that brought each of these; asking for them in an older one, or for others, is a mistake. */
const SPECIAL_TIMESTAMPS: ReadonlyMap<number, number> = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
]);

interface Found {
  readonly errorCode: ErrorCodeNumber;
  readonly timestamp: number;
  readonly offset: number;
  readonly leaderEpoch: number;
}

const NOTHING = { timestamp: -1, offset: -1, leaderEpoch: -1 };

export function listOffsetsHandler(topics: TopicManager): AnyHandler {
  return defineHandler(listOffsetsApi, (request, { version }) => ({
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map((wanted) => ({
        partitionIndex: wanted.partitionIndex,
        ...find(topics.partition(name, wanted.partitionIndex), {
          version,
          timestamp: wanted.timestamp,
          currentLeaderEpoch: wanted.currentLeaderEpoch,
          isCommitted: request.isolationLevel === READ_COMMITTED,
        }),
      })),
    })),
  }));
}

interface Wanted {
  readonly version: number;
  readonly timestamp: number;
  readonly currentLeaderEpoch: number;
  readonly isCommitted: boolean;
}

function find(partition: Partition | undefined, wanted: Wanted): Found {
  if (partition === undefined) {
    return { ...NOTHING, errorCode: Errors.UNKNOWN_TOPIC_OR_PARTITION };
  }
  const sinceVersion = SPECIAL_TIMESTAMPS.get(wanted.timestamp) ?? Number.POSITIVE_INFINITY;
  if (wanted.timestamp < 0 && wanted.version < sinceVersion) {
    return { ...NOTHING, errorCode: Errors.UNSUPPORTED_VERSION };
  }
  const errorCode = compareLeaderEpoch(wanted.currentLeaderEpoch, partition.leaderEpoch);
  if (errorCode !== Errors.NONE) return { ...NOTHING, errorCode };
  try {
    return { errorCode: Errors.NONE, ...locate(partition, wanted) };
  } catch (error) {
    if (isMillraceError(error, 'RECORD_CORRUPT')) {
      return { ...NOTHING, errorCode: Errors.CORRUPT_MESSAGE };
    }
    if (isMillraceError(error, 'STORE_IO')) {
      return { ...NOTHING, errorCode: Errors.KAFKA_STORAGE_ERROR };
    }
    throw error;
  }
}

function locate(
  partition: Partition,
  { timestamp, isCommitted }: Wanted,
): Omit<Found, 'errorCode'> {
  const { leaderEpoch } = partition;
  const endOffset = isCommitted ? partition.lastStableOffset : partition.highWatermark;
  switch (timestamp) {
    case LATEST:
      return { timestamp: -1, offset: endOffset, leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { timestamp: -1, offset: partition.logStartOffset, leaderEpoch };
    case LATEST_TIERED:
      return NOTHING;
    default: {
      const found =
        timestamp === MAX_TIMESTAMP
          ? partition.maxTimestamp()
          : partition.offsetForTimestamp(timestamp);
      // What a reader could not fetch yet is not told either.
      if (found === undefined || found.offset < 0 || found.offset >= endOffset) return NOTHING;
      return { timestamp: found.timestampMs, offset: found.offset, leaderEpoch };
    }
  }
}
