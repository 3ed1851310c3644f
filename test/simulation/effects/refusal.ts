/** Answers with an error code, as the broker gives them: to a request that it did not carry out. */
import { apisByKey } from '../../../kafka/protocol/apis.ts';
import { decodeRequest, decodeResponse, encodeResponse } from '../../../kafka/protocol/codec.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import type { RequestHeader } from '../../../kafka/wire.ts';

/** The fields of requests that answers speak of. */
interface AnyRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly coordinatorKeys?: readonly string[];
  readonly topics?: readonly AnyTopic[] | null;
  readonly groups?: readonly { readonly groupId: string }[];
  readonly topicData?: readonly AnyTopic[];
  readonly v3AndBelowTopics?: readonly AnyTopic[];
}

interface AnyTopic {
  readonly name: string;
  readonly topic: string;
  readonly partitions?: readonly unknown[];
  readonly partitionData?: readonly unknown[];
}

const NO_OFFSET = -1;

/** What each API says beside the code; the code goes wherever there is one. */
const ANSWERS: Readonly<Record<string, (request: AnyRequest, code: number) => object>> = {
  ApiVersions: () => ({ apiKeys: [] }),
  FindCoordinator: ({ coordinatorKeys = [] }, errorCode) => ({
    nodeId: -1,
    host: '',
    port: -1,
    errorMessage: null,
    coordinators: coordinatorKeys.map((key) => ({
      ...{ key, nodeId: -1, host: '', port: -1, errorCode, errorMessage: null },
    })),
  }),
  JoinGroup: ({ memberId }, code) => ({
    protocolName: '',
    leader: '',
    memberId: code === Errors.MEMBER_ID_REQUIRED ? 'given-by-the-coordinator' : memberId,
    members: [],
  }),
  SyncGroup: () => ({ assignment: Buffer.alloc(0) }),
  LeaveGroup: () => ({ members: [] }),
  DescribeConfigs: () => ({ results: [] }),
  CreateTopics: ({ topics }, errorCode) => ({
    topics: topics!.map(({ name }) => ({
      ...{ name, topicId: '0'.repeat(32), errorCode, errorMessage: null, configs: null },
    })),
  }),
  OffsetFetch: ({ groups = [] }, errorCode) => ({
    topics: [],
    groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })),
  }),
  ListOffsets: ({ topics }, errorCode) => ({ topics: partitionsOf(topics!, { errorCode }) }),
  DeleteRecords: ({ topics }, errorCode) => ({
    topics: partitionsOf(topics!, { errorCode, lowWatermark: NO_OFFSET }),
  }),
  OffsetCommit: ({ topics }, errorCode) => ({ topics: partitionsOf(topics!, { errorCode }) }),
  TxnOffsetCommit: ({ topics }, errorCode) => ({ topics: partitionsOf(topics!, { errorCode }) }),
  AddPartitionsToTxn: ({ v3AndBelowTopics }, partitionErrorCode) => ({
    resultsByTransaction: [],
    resultsByTopicV3AndBelow: v3AndBelowTopics!.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions!.map((each) => ({
        partitionIndex: indexOf(each),
        partitionErrorCode,
      })),
    })),
  }),
  Produce: ({ topicData }, errorCode) => ({
    responses: topicData!.map(({ name, partitionData }) => ({
      name,
      partitionResponses: partitionData!.map((each) => ({
        ...{ index: indexOf(each), errorCode, baseOffset: NO_OFFSET, recordErrors: [] },
      })),
    })),
  }),
  Fetch: ({ topics }, errorCode) => ({
    sessionId: 0,
    responses: topics!.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions!.map((each) => ({
        ...{ partitionIndex: indexOf(each), errorCode, highWatermark: NO_OFFSET },
        ...{ abortedTransactions: null, records: null },
      })),
    })),
  }),
};

/** In Metadata and the like each topic has a code of its own: what was answered, with another code. */
const IN_ANSWERS = new Set(['Metadata']);

/** True when the code must be put into an answer that the broker has given. */
export function needsAnswer(apiName: string): boolean {
  return IN_ANSWERS.has(apiName);
}

export function refusal(header: RequestHeader, body: Uint8Array, code: number): Buffer {
  const { apiKey, apiName, apiVersion } = header;
  const api = apisByKey.get(apiKey)!;
  const request = decodeRequest<AnyRequest>(api as never, apiVersion, Buffer.from(body));
  // These stand at the top of an answer; where a version has them elsewhere, they are left out.
  const top = { throttleTimeMs: 0, producerId: -1, producerEpoch: -1 };
  const errorCode = apiName === 'Fetch' || apiName === 'AddPartitionsToTxn' ? 0 : code;
  const special = ANSWERS[apiName]?.(request, code) ?? {};
  return encodeResponse(api as never, apiVersion, { ...top, errorCode, ...special } as never);
}

/** The same answer with another code wherever there is one. */
export function withCode(header: RequestHeader, answer: Buffer, code: number): Buffer {
  const api = apisByKey.get(header.apiKey)!;
  const response = decodeResponse<unknown>(api as never, header.apiVersion, answer);
  return encodeResponse(api as never, header.apiVersion, recoded(response, code, true) as never);
}

function recoded(value: unknown, code: number, isTop: boolean): unknown {
  if (Array.isArray(value)) return value.map((each) => recoded(each, code, false));
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => {
      if (name === 'errorCode' && !isTop) return [name, code];
      if (name === 'baseOffset' && code === Errors.DUPLICATE_SEQUENCE_NUMBER) return [name, -1];
      return [name, recoded(each, code, false)];
    }),
  );
}

function partitionsOf(topics: readonly AnyTopic[], answer: object): object[] {
  return topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions!.map((each) => ({ partitionIndex: indexOf(each), ...answer })),
  }));
}

/** A partition is called `partition`, `partitionIndex`, `index` or is its own number. */
function indexOf(partition: unknown): number {
  if (typeof partition === 'number') return partition;
  const { index, partitionIndex, partition: number } = partition as Record<string, number>;
  return (index ?? partitionIndex ?? number)!;
}
