/** The same messages as kafkajs writes and reads them: an implementation that is not ours. */
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import type { Api } from '../../kafka/protocol/api.ts';
import { decodeRequest, encodeRequest, encodeResponse } from '../../kafka/protocol/codec.ts';
import { addOffsetsToTxnApi } from '../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../../kafka/protocol/messages/add-partitions-to-txn.ts';
import { apiVersionsApi } from '../../kafka/protocol/messages/api-versions.ts';
import { createPartitionsApi } from '../../kafka/protocol/messages/create-partitions.ts';
import { createTopicsApi } from '../../kafka/protocol/messages/create-topics.ts';
import { deleteGroupsApi } from '../../kafka/protocol/messages/delete-groups.ts';
import { deleteRecordsApi } from '../../kafka/protocol/messages/delete-records.ts';
import { deleteTopicsApi } from '../../kafka/protocol/messages/delete-topics.ts';
import { describeConfigsApi } from '../../kafka/protocol/messages/describe-configs.ts';
import { describeGroupsApi } from '../../kafka/protocol/messages/describe-groups.ts';
import { endTxnApi } from '../../kafka/protocol/messages/end-txn.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import { findCoordinatorApi } from '../../kafka/protocol/messages/find-coordinator.ts';
import { heartbeatApi } from '../../kafka/protocol/messages/heartbeat.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { joinGroupApi } from '../../kafka/protocol/messages/join-group.ts';
import { leaveGroupApi } from '../../kafka/protocol/messages/leave-group.ts';
import { listGroupsApi } from '../../kafka/protocol/messages/list-groups.ts';
import { listOffsetsApi } from '../../kafka/protocol/messages/list-offsets.ts';
import { metadataApi } from '../../kafka/protocol/messages/metadata.ts';
import { offsetCommitApi } from '../../kafka/protocol/messages/offset-commit.ts';
import { offsetFetchApi } from '../../kafka/protocol/messages/offset-fetch.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import { saslAuthenticateApi } from '../../kafka/protocol/messages/sasl-authenticate.ts';
import { saslHandshakeApi } from '../../kafka/protocol/messages/sasl-handshake.ts';
import { syncGroupApi } from '../../kafka/protocol/messages/sync-group.ts';
import { txnOffsetCommitApi } from '../../kafka/protocol/messages/txn-offset-commit.ts';
import type { Schema } from '../../kafka/protocol/schema.ts';

interface KafkajsMessage {
  request: { encode(): Promise<{ buffer: Buffer }> };
  response: { decode(body: Buffer): Promise<unknown> };
}

interface KafkajsApi {
  readonly versions: string[];
  protocol(options: { version: number }): (args?: unknown) => KafkajsMessage;
}

const load = createRequire(import.meta.url);

function kafkajs(name: string): KafkajsApi {
  return load(`kafkajs/src/protocol/requests/${name}`) as KafkajsApi;
}

/** The versions that both sides have. */
function sharedVersions(api: Api<unknown, unknown>, theirs: KafkajsApi): number[] {
  return theirs.versions
    .map(Number)
    .filter((version) => api.minVersion <= version && version <= api.maxVersion);
}

interface RequestCase {
  readonly folder: string;
  readonly api: Api<unknown, unknown>;
  readonly ours: unknown;
  readonly theirs: unknown;
}

function request<Request>(
  folder: string,
  api: Api<Request, unknown>,
  ours: Request,
  theirs: unknown,
): RequestCase {
  return { folder, api, ours, theirs };
}

const member = { groupId: 'g', memberId: 'm-1', generationId: 3, groupInstanceId: 'static-1' };
const transaction = { transactionalId: 'tx', producerId: 4_294_967_297, producerEpoch: 7 };

const REQUESTS: RequestCase[] = [
  request('apiVersions', apiVersionsApi, {}, {}),
  request(
    'metadata',
    metadataApi,
    { topics: [{ name: 'a' }, { name: 'bé' }], allowAutoTopicCreation: false },
    { topics: ['a', 'bé'], allowAutoTopicCreation: false },
  ),
  request(
    'fetch',
    fetchApi,
    {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 1024,
      isolationLevel: 1,
      topics: [
        {
          topic: 'a',
          partitions: [
            {
              partition: 2,
              fetchOffset: 12_345_678_901,
              currentLeaderEpoch: -1,
              partitionMaxBytes: 9,
            },
          ],
        },
      ],
      rackId: 'r',
    },
    {
      replicaId: -1,
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: 1024,
      isolationLevel: 1,
      topics: [
        { topic: 'a', partitions: [{ partition: 2, fetchOffset: '12345678901', maxBytes: 9 }] },
      ],
      rackId: 'r',
    },
  ),
  request(
    'listOffsets',
    listOffsetsApi,
    {
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ name: 'a', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
    },
    {
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ topic: 'a', partitions: [{ partition: 0, timestamp: -2 }] }],
    },
  ),
  request(
    'offsetCommit',
    offsetCommitApi,
    {
      groupId: 'g',
      generationIdOrMemberEpoch: 3,
      memberId: 'm-1',
      retentionTimeMs: 60_000,
      topics: [
        {
          name: 'a',
          partitions: [{ partitionIndex: 1, committedOffset: 42, committedMetadata: null }],
        },
      ],
    },
    {
      groupId: 'g',
      groupGenerationId: 3,
      memberId: 'm-1',
      retentionTime: 60_000,
      topics: [{ topic: 'a', partitions: [{ partition: 1, offset: '42' }] }],
    },
  ),
  request(
    'offsetFetch',
    offsetFetchApi,
    { groupId: 'g', topics: [{ name: 'a', partitionIndexes: [0, 1] }] },
    { groupId: 'g', topics: [{ topic: 'a', partitions: [{ partition: 0 }, { partition: 1 }] }] },
  ),
  request(
    'findCoordinator',
    findCoordinatorApi,
    { key: 'tx', keyType: 1 },
    { groupId: 'tx', coordinatorKey: 'tx', coordinatorType: 1 },
  ),
  request(
    'joinGroup',
    joinGroupApi,
    {
      groupId: 'g',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      memberId: 'm-1',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from([1, 2, 3]) }],
    },
    {
      groupId: 'g',
      sessionTimeout: 30_000,
      rebalanceTimeout: 60_000,
      memberId: 'm-1',
      protocolType: 'consumer',
      groupProtocols: [{ name: 'range', metadata: Buffer.from([1, 2, 3]) }],
    },
  ),
  request('heartbeat', heartbeatApi, member, { ...member, groupGenerationId: 3 }),
  request(
    'leaveGroup',
    leaveGroupApi,
    { groupId: 'g', memberId: 'm-1', members: [{ memberId: 'm-1' }] },
    { groupId: 'g', memberId: 'm-1', members: [{ memberId: 'm-1' }] },
  ),
  request(
    'syncGroup',
    syncGroupApi,
    { ...member, assignments: [{ memberId: 'm-1', assignment: Buffer.from('x') }] },
    { ...member, groupAssignment: [{ memberId: 'm-1', memberAssignment: Buffer.from('x') }] },
  ),
  request('describeGroups', describeGroupsApi, { groups: ['g', 'h'] }, { groupIds: ['g', 'h'] }),
  request('listGroups', listGroupsApi, {}, {}),
  request('saslHandshake', saslHandshakeApi, { mechanism: 'PLAIN' }, { mechanism: 'PLAIN' }),
  request(
    'createTopics',
    createTopicsApi,
    {
      topics: [
        {
          name: 'a',
          numPartitions: 8,
          replicationFactor: 3,
          assignments: [],
          configs: [{ name: 'cleanup.policy', value: 'compact' }],
        },
      ],
      timeoutMs: 5000,
      validateOnly: true,
    },
    {
      topics: [
        {
          topic: 'a',
          numPartitions: 8,
          replicationFactor: 3,
          configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
        },
      ],
      timeout: 5000,
      validateOnly: true,
    },
  ),
  request(
    'deleteTopics',
    deleteTopicsApi,
    { topicNames: ['a'], timeoutMs: 5000 },
    { topics: ['a'], timeout: 5000 },
  ),
  request(
    'deleteRecords',
    deleteRecordsApi,
    { topics: [{ name: 'a', partitions: [{ partitionIndex: 0, offset: 10 }] }], timeoutMs: 5000 },
    { topics: [{ topic: 'a', partitions: [{ partition: 0, offset: '10' }] }], timeout: 5000 },
  ),
  request(
    'initProducerId',
    initProducerIdApi,
    { transactionalId: 'tx', transactionTimeoutMs: 5000 },
    { transactionalId: 'tx', transactionTimeout: 5000 },
  ),
  request(
    'addPartitionsToTxn',
    addPartitionsToTxnApi,
    {
      v3AndBelowTransactionalId: transaction.transactionalId,
      v3AndBelowProducerId: transaction.producerId,
      v3AndBelowProducerEpoch: transaction.producerEpoch,
      v3AndBelowTopics: [{ name: 'a', partitions: [0, 3] }],
    },
    { ...transaction, topics: [{ topic: 'a', partitions: [0, 3] }] },
  ),
  request(
    'addOffsetsToTxn',
    addOffsetsToTxnApi,
    { ...transaction, groupId: 'g' },
    { ...transaction, groupId: 'g' },
  ),
  request(
    'endTxn',
    endTxnApi,
    { ...transaction, committed: true },
    { ...transaction, transactionResult: true },
  ),
  request(
    'txnOffsetCommit',
    txnOffsetCommitApi,
    {
      ...transaction,
      groupId: 'g',
      topics: [
        {
          name: 'a',
          partitions: [{ partitionIndex: 0, committedOffset: 11, committedMetadata: 'm' }],
        },
      ],
    },
    {
      ...transaction,
      groupId: 'g',
      topics: [{ topic: 'a', partitions: [{ partition: 0, offset: 11, metadata: 'm' }] }],
    },
  ),
  request(
    'describeConfigs',
    describeConfigsApi,
    {
      resources: [
        { resourceType: 2, resourceName: 'a', configurationKeys: ['cleanup.policy', 'segment.ms'] },
      ],
      includeSynonyms: true,
    },
    {
      resources: [{ type: 2, name: 'a', configNames: ['cleanup.policy', 'segment.ms'] }],
      includeSynonyms: true,
    },
  ),
  request(
    'saslAuthenticate',
    saslAuthenticateApi,
    { authBytes: Buffer.from('\0u\0p') },
    { authBytes: withLength(Buffer.from('\0u\0p')) },
  ),
  request(
    'createPartitions',
    createPartitionsApi,
    {
      topics: [{ name: 'a', count: 4, assignments: null }],
      timeoutMs: 5000,
      validateOnly: false,
    },
    { topicPartitions: [{ topic: 'a', count: 4 }], timeout: 5000 },
  ),
  request('deleteGroups', deleteGroupsApi, { groupsNames: ['g'] }, ['g']),
];

/** kafkajs writes authentication bytes as they come, with the length already in front. */
function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

describe('requests are the bytes that kafkajs writes', () => {
  test.each(REQUESTS.map((each) => [each.api.name, each] as const))('%s', async (_name, each) => {
    const theirs = kafkajs(each.folder);
    const versions = sharedVersions(each.api, theirs);
    expect(versions).not.toEqual([]);
    for (const version of versions) {
      const { buffer } = await theirs.protocol({ version })(each.theirs).request.encode();
      const ours = encodeRequest(each.api, version, each.ours);
      expect(ours.toString('hex'), `v${version}`).toBe(buffer.toString('hex'));
    }
  });
});

test('a Produce request of kafkajs is read with its record batch as a view', async () => {
  for (const version of [3, 5, 7]) {
    const { buffer } = await kafkajs('produce')
      .protocol({ version })({
        acks: -1,
        timeout: 30_000,
        topicData: [
          { topic: 'a', partitions: [{ partition: 1, messages: [{ key: 'k', value: 'v' }] }] },
        ],
      })
      .request.encode();
    const produce = decodeRequest(produceApi, version, buffer);
    const partition = produce.topicData[0]?.partitionData[0];
    expect(produce).toMatchObject({ transactionalId: null, acks: -1, timeoutMs: 30_000 });
    expect(partition?.index).toBe(1);
    expect(partition?.records?.readInt8(16), 'the batch is of format v2').toBe(2);
    expect(partition?.records?.buffer).toBe(buffer.buffer);
  }
});

interface ResponseCase {
  readonly folder: string;
  readonly version: number;
  readonly body: Buffer;
  readonly expected: object;
}

function response<Response>(
  folder: string,
  api: Api<unknown, unknown> & { readonly response: Schema<unknown, Response> },
  version: number,
  ours: Response,
  expected: object,
): ResponseCase {
  return { folder, version, body: encodeResponse(api, version, ours), expected };
}

const RESPONSES: ResponseCase[] = [
  response(
    'apiVersions',
    apiVersionsApi,
    2,
    { errorCode: 0, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] },
    { apiVersions: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] },
  ),
  response(
    'metadata',
    metadataApi,
    6,
    {
      brokers: [{ nodeId: 1, host: 'h', port: 9092 }],
      clusterId: 'c',
      controllerId: 1,
      topics: [
        {
          errorCode: 0,
          name: 'a',
          partitions: [
            { errorCode: 0, partitionIndex: 0, leaderId: 1, replicaNodes: [1], isrNodes: [1] },
          ],
        },
      ],
    },
    {
      brokers: [{ nodeId: 1, host: 'h', port: 9092, rack: null }],
      clusterId: 'c',
      controllerId: 1,
      topicMetadata: [
        {
          topic: 'a',
          isInternal: false,
          partitionMetadata: [{ partitionId: 0, leader: 1, isr: [1], offlineReplicas: [] }],
        },
      ],
    },
  ),
  response(
    'fetch',
    fetchApi,
    11,
    {
      responses: [
        {
          topic: 'a',
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 12_345_678_901,
              lastStableOffset: 7,
              abortedTransactions: [{ producerId: 5, firstOffset: 6 }],
              records: Buffer.alloc(0),
            },
          ],
        },
      ],
    },
    {
      responses: [
        {
          topicName: 'a',
          partitions: [
            {
              highWatermark: '12345678901',
              lastStableOffset: '7',
              lastStartOffset: '-1',
              preferredReadReplica: -1,
              abortedTransactions: [{ producerId: '5', firstOffset: '6' }],
              messages: [],
            },
          ],
        },
      ],
    },
  ),
  response(
    'joinGroup',
    joinGroupApi,
    5,
    {
      errorCode: 0,
      generationId: 2,
      protocolName: 'range',
      leader: 'm-1',
      memberId: 'm-1',
      members: [{ memberId: 'm-1', metadata: Buffer.from('x') }],
    },
    {
      generationId: 2,
      groupProtocol: 'range',
      leaderId: 'm-1',
      members: [{ memberId: 'm-1', groupInstanceId: null, memberMetadata: Buffer.from('x') }],
    },
  ),
  response(
    'offsetFetch',
    offsetFetchApi,
    4,
    {
      topics: [
        {
          name: 'a',
          partitions: [{ partitionIndex: 0, committedOffset: -1, metadata: '', errorCode: 0 }],
        },
      ],
      errorCode: 16,
    },
    {
      errorCode: 16,
      responses: [{ topic: 'a', partitions: [{ partition: 0, offset: '-1', metadata: '' }] }],
    },
  ),
  response(
    'findCoordinator',
    findCoordinatorApi,
    2,
    { errorCode: 0, errorMessage: null, nodeId: 1, host: 'h', port: 9092 },
    { coordinator: { nodeId: 1, host: 'h', port: 9092 } },
  ),
  response(
    'initProducerId',
    initProducerIdApi,
    1,
    { errorCode: 0, producerId: 4_294_967_297, producerEpoch: 3 },
    { producerId: '4294967297', producerEpoch: 3 },
  ),
  response(
    'produce',
    produceApi,
    7,
    {
      responses: [{ name: 'a', partitionResponses: [{ index: 0, errorCode: 0, baseOffset: 9 }] }],
    },
    {
      topics: [
        {
          topicName: 'a',
          partitions: [{ baseOffset: '9', logAppendTime: '-1', logStartOffset: '-1' }],
        },
      ],
    },
  ),
];

describe('responses are what kafkajs reads', () => {
  test.each(RESPONSES.map((each) => [each.folder, each] as const))('%s', async (_name, each) => {
    const theirs = kafkajs(each.folder).protocol({ version: each.version })({});
    expect(await theirs.response.decode(each.body)).toMatchObject(each.expected);
  });
});
