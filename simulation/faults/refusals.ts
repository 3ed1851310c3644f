/**
 * What a cluster of several brokers answers now and then, and a single one never: the leader or the
 * coordinator is another one by now, is loading, has too few replicas. Some of these answers come after
 * the deed: the request was carried out, and the one who did it was deposed before it could say so.
 * While a coordinator moves it refuses everything, and afterwards whoever has not asked where it is.
 */
import type { FrameHandler } from '../../embedded-kafka/ports.ts';
import {
  decodeRequest,
  decodeRequestHeader,
  encodeResponseFrame,
  type ReceivedRequestHeader,
} from '../../kafka/protocol/codec.ts';
import { Errors, type KafkaErrorName } from '../../kafka/protocol/error-codes.ts';
import { addOffsetsToTxnApi } from '../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../../kafka/protocol/messages/add-partitions-to-txn.ts';
import { endTxnApi } from '../../kafka/protocol/messages/end-txn.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import { findCoordinatorApi } from '../../kafka/protocol/messages/find-coordinator.ts';
import { heartbeatApi } from '../../kafka/protocol/messages/heartbeat.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { joinGroupApi } from '../../kafka/protocol/messages/join-group.ts';
import { listOffsetsApi } from '../../kafka/protocol/messages/list-offsets.ts';
import { offsetCommitApi } from '../../kafka/protocol/messages/offset-commit.ts';
import { offsetFetchApi } from '../../kafka/protocol/messages/offset-fetch.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import { syncGroupApi } from '../../kafka/protocol/messages/sync-group.ts';
import { txnOffsetCommitApi } from '../../kafka/protocol/messages/txn-offset-commit.ts';
import type { CoordinatorKind, Coordinators } from '../network/coordinators.ts';
import type { Network } from '../network/network.ts';

/** A decoded request: its fields are those of its API. */
// biome-ignore lint/suspicious/noExplicitAny: one table over many messages; the codec checks what is written.
type Message = any;

interface Refusal {
  readonly instead: readonly KafkaErrorName[];
  readonly afterwards: readonly KafkaErrorName[];
  answer(request: Message, code: number, version: number): object;
}

const MOVED: readonly KafkaErrorName[] = [
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
];
const ABORTABLE_MOSTLY = Array<KafkaErrorName>(4).fill('TRANSACTION_ABORTABLE');
/** The record of it was not replicated in time, or its writer was deposed meanwhile. */
const DEPOSED: readonly KafkaErrorName[] = ['COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'];
const LEADERLESS: readonly KafkaErrorName[] = [
  'NOT_LEADER_OR_FOLLOWER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
];

const errorAlone = (_request: Message, errorCode: number) => ({ errorCode });

function eachPartition(request: Message, errorCode: number): object {
  const topics = request.topics.map(({ name, partitions }: Message) => ({
    name,
    partitions: partitions.map(({ partitionIndex }: Message) => ({ partitionIndex, errorCode })),
  }));
  return { topics };
}

const REFUSALS: ReadonlyMap<number, Refusal> = new Map<number, Refusal>([
  [
    produceApi.key,
    {
      instead: ['NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'CONCURRENT_TRANSACTIONS'],
      afterwards: [
        'REQUEST_TIMED_OUT',
        'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
        'NOT_LEADER_OR_FOLLOWER',
      ],
      answer: ({ topicData }, errorCode) => ({
        responses: topicData.map(({ name, partitionData }: Message) => ({
          name,
          partitionResponses: partitionData.map(({ index }: Message) => ({
            index,
            errorCode,
            baseOffset: -1,
          })),
        })),
      }),
    },
  ],
  [
    fetchApi.key,
    {
      instead: LEADERLESS,
      afterwards: [],
      answer: ({ topics }, errorCode) => ({
        errorCode: 0,
        sessionId: 0,
        responses: topics.map(({ topic, partitions }: Message) => ({
          topic,
          partitions: partitions.map(({ partition }: Message) => ({
            partitionIndex: partition,
            errorCode,
            highWatermark: -1,
            abortedTransactions: null,
            records: null,
          })),
        })),
      }),
    },
  ],
  [listOffsetsApi.key, { instead: LEADERLESS, afterwards: [], answer: eachPartition }],
  [
    txnOffsetCommitApi.key,
    {
      // Seldom enough elsewhere.
      instead: [...MOVED, 'CONCURRENT_TRANSACTIONS', ...ABORTABLE_MOSTLY],
      afterwards: DEPOSED,
      answer: eachPartition,
    },
  ],
  [offsetCommitApi.key, { instead: MOVED, afterwards: DEPOSED, answer: eachPartition }],
  [
    offsetFetchApi.key,
    {
      instead: MOVED,
      afterwards: [],
      answer: ({ groups }, errorCode, version) =>
        version < 8
          ? { errorCode, topics: [] }
          : { groups: groups.map(({ groupId }: Message) => ({ groupId, errorCode, topics: [] })) },
    },
  ],
  [
    addPartitionsToTxnApi.key,
    {
      instead: [...MOVED, 'CONCURRENT_TRANSACTIONS'],
      afterwards: DEPOSED,
      answer: ({ v3AndBelowTopics }, partitionErrorCode) => ({
        resultsByTopicV3AndBelow: v3AndBelowTopics.map(({ name, partitions }: Message) => ({
          name,
          resultsByPartition: partitions.map((partitionIndex: number) => ({
            partitionIndex,
            partitionErrorCode,
          })),
        })),
      }),
    },
  ],
  [
    addOffsetsToTxnApi.key,
    { instead: [...MOVED, 'CONCURRENT_TRANSACTIONS'], afterwards: DEPOSED, answer: errorAlone },
  ],
  [
    endTxnApi.key,
    { instead: [...MOVED, 'CONCURRENT_TRANSACTIONS'], afterwards: DEPOSED, answer: errorAlone },
  ],
  [
    initProducerIdApi.key,
    {
      instead: [...MOVED, 'CONCURRENT_TRANSACTIONS'],
      afterwards: DEPOSED,
      answer: (_request, errorCode) => ({ errorCode, producerId: -1, producerEpoch: -1 }),
    },
  ],
  [heartbeatApi.key, { instead: MOVED, afterwards: [], answer: errorAlone }],
  [
    syncGroupApi.key,
    {
      instead: MOVED,
      afterwards: [],
      answer: (_request, errorCode) => ({ errorCode, assignment: Buffer.alloc(0) }),
    },
  ],
  [
    joinGroupApi.key,
    {
      instead: MOVED,
      afterwards: [],
      answer: ({ memberId }, errorCode) => ({
        errorCode,
        memberId,
        protocolName: '',
        leader: '',
        members: [],
      }),
    },
  ],
  [
    findCoordinatorApi.key,
    {
      instead: ['COORDINATOR_NOT_AVAILABLE'],
      afterwards: [],
      answer: ({ coordinatorKeys }, errorCode, version) => {
        const nowhere = { errorCode, errorMessage: null, nodeId: -1, host: '', port: -1 };
        return version < 4
          ? nowhere
          : { coordinators: coordinatorKeys.map((key: string) => ({ ...nowhere, key })) };
      },
    },
  ],
]);

/** Who asks which coordinator. */
const COORDINATED: Readonly<Record<CoordinatorKind, ReadonlySet<number>>> = {
  transaction: new Set([
    initProducerIdApi.key,
    addPartitionsToTxnApi.key,
    addOffsetsToTxnApi.key,
    endTxnApi.key,
  ]),
  group: new Set([
    txnOffsetCommitApi.key,
    offsetCommitApi.key,
    offsetFetchApi.key,
    heartbeatApi.key,
    joinGroupApi.key,
    syncGroupApi.key,
  ]),
};

const KINDS: readonly CoordinatorKind[] = ['transaction', 'group'];
/** As FindCoordinator names it. */
const TRANSACTION_KEY = 1;

/** Seldom enough, and what everything depends on. */
const COMMITTING = new Set([
  addPartitionsToTxnApi.key,
  addOffsetsToTxnApi.key,
  txnOffsetCommitApi.key,
  endTxnApi.key,
]);
const COMMITTING_WEIGHT = 5;

/** Of the refusals, those that come after the deed. */
const AFTERWARDS = 0.3;
/** The version of TxnOffsetCommit that goes with transactions V2. */
const ABORTABLE_FROM = 5;
const FRAME_SIZE_BYTES = 4;

/** The same broker, as a cluster would answer in such trouble. */
export function refusing(handler: FrameHandler, network: Network): FrameHandler {
  const { world, coordinators } = network;
  return {
    handle: async (frame, context) => {
      const { trouble } = network;
      if (trouble.refuse === 0 && !coordinators.haveMoved) return handler.handle(frame, context);
      const header = decodeRequestHeader(frame);
      const refusal = REFUSALS.get(header.apiKey);
      if (coordinators.haveMoved && isAskedElsewhere(coordinators, header, frame)) {
        world.count('asked the coordinator of before');
        return answerOf(refusal!, header, frame, 'NOT_COORDINATOR');
      }
      const moving = coordinators.moving;
      const isMoving = moving !== undefined && COORDINATED[moving].has(header.apiKey);
      const weight = COMMITTING.has(header.apiKey) ? COMMITTING_WEIGHT : 1;
      const isRefused = isMoving || world.chance(trouble.refuse * weight);
      if (refusal === undefined || !isRefused) return handler.handle(frame, context);
      const isDone = !isMoving && refusal.afterwards.length > 0 && world.chance(AFTERWARDS);
      const code = world.oneOf(isMoving ? MOVED : isDone ? refusal.afterwards : refusal.instead);
      if (code === 'TRANSACTION_ABORTABLE' && header.apiVersion < ABORTABLE_FROM) {
        return handler.handle(frame, context);
      }
      world.count(isDone ? `answer ${code} after the deed` : `answer ${code}`);
      const answer = answerOf(refusal, header, frame, code);
      if (isDone) await handler.handle(frame, context);
      return answer;
    },
    connectionClosed: (context) => handler.connectionClosed(context),
  };
}

/** One that is another broker's by now. Who asks where a coordinator is knows it from then on. */
function isAskedElsewhere(
  coordinators: Coordinators,
  { apiKey, apiVersion, bodyAt, clientId }: ReceivedRequestHeader,
  frame: Buffer,
): boolean {
  const client = clientId ?? '';
  if (apiKey === findCoordinatorApi.key) {
    const request = decodeRequest<Message>(findCoordinatorApi, apiVersion, frame, bodyAt);
    coordinators.found(request.keyType === TRANSACTION_KEY ? 'transaction' : 'group', client);
    return false;
  }
  if (apiKey === initProducerIdApi.key) {
    // Without transactions any broker will do.
    const request = decodeRequest<Message>(initProducerIdApi, apiVersion, frame, bodyAt);
    if (request.transactionalId === null) return false;
  }
  return KINDS.some(
    (kind) => COORDINATED[kind].has(apiKey) && !coordinators.isKnownTo(kind, client),
  );
}

function answerOf(
  refusal: Refusal,
  { api, apiVersion, correlationId, bodyAt }: ReceivedRequestHeader,
  frame: Buffer,
  code: KafkaErrorName,
): Buffer {
  const request = decodeRequest<Message>(api as never, apiVersion, frame, bodyAt);
  const response = refusal.answer(request, Errors[code], apiVersion);
  return encodeResponseFrame(api as never, apiVersion, correlationId, response as never).subarray(
    FRAME_SIZE_BYTES,
  );
}
