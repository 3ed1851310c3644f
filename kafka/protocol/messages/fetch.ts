/**
 * Fetch: record batches from partition leaders, waiting for `minBytes` up to `maxWaitMs`. v4
 * brings aborted transactions, v7 sessions, v9 leader epochs, v12 flexible and the last fetched
 * epoch (the answer then has `divergingEpoch` after an unclean election), v13 topic ids, v16 the
 * new leader's address.
 */
import { defineApi } from '../define-api.ts';
import { array, int8, int16, int32, int64, records, string, struct, uuid } from '../schema.ts';
import { leaderIdAndEpoch, nodeEndpoints } from './common.ts';

const divergingEpoch = struct({ epoch: int32.default(-1), endOffset: int64.default(-1) });
const snapshotId = struct({ endOffset: int64.default(-1), epoch: int32.default(-1) });

export const fetchApi = defineApi({
  key: 1,
  name: 'Fetch',
  versions: '4-18',
  flexibleFrom: 12,
  request: {
    clusterId: string.nullable().tag(0, '12+').default(null),
    replicaId: int32.versions('0-14').default(-1),
    replicaState: struct({ replicaId: int32.default(-1), replicaEpoch: int64.default(-1) }).tag(
      1,
      '15+',
    ),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.default(2 ** 31 - 1),
    isolationLevel: int8.default(0),
    sessionId: int32.versions('7+'),
    sessionEpoch: int32.versions('7+').default(-1),
    topics: array(
      struct({
        topic: string.versions('0-12'),
        topicId: uuid.versions('13+'),
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: int32.versions('9+').default(-1),
            fetchOffset: int64,
            lastFetchedEpoch: int32.versions('12+').default(-1),
            logStartOffset: int64.versions('5+').default(-1),
            partitionMaxBytes: int32,
            replicaDirectoryId: uuid.tag(0, '17+'),
            // Kafka's default is 2^63 - 1: a follower that does not know it.
            highWatermark: int64.tag(1, '18+').default(Number.MAX_SAFE_INTEGER),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(
      struct({
        topic: string.versions('7-12'),
        topicId: uuid.versions('13+'),
        partitions: array(int32),
      }),
    ).versions('7+'),
    rackId: string.versions('11+'),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.versions('7+'),
    sessionId: int32.versions('7+'),
    responses: array(
      struct({
        topic: string.versions('0-12'),
        topicId: uuid.versions('13+'),
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            highWatermark: int64,
            lastStableOffset: int64.default(-1),
            logStartOffset: int64.versions('5+').default(-1),
            divergingEpoch: divergingEpoch.tag(0, '12+'),
            currentLeader: leaderIdAndEpoch.tag(1, '12+'),
            snapshotId: snapshotId.tag(2, '12+'),
            abortedTransactions: array(
              struct({ producerId: int64, firstOffset: int64 }),
            ).nullable(),
            preferredReadReplica: int32.versions('11+').default(-1),
            records: records.nullable(),
          }),
        ),
      }),
    ),
    nodeEndpoints: nodeEndpoints.tag(0, '16+'),
  },
});
