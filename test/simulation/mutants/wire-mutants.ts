/** Bugs in what the engine's client asks the broker, and in what it makes of the answers. */
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../../kafka/protocol/codec.ts';
import type { RequestOf } from '../../../kafka/protocol/define-api.ts';
import { endTxnApi } from '../../../kafka/protocol/messages/end-txn.ts';
import { fetchApi } from '../../../kafka/protocol/messages/fetch.ts';
import { initProducerIdApi } from '../../../kafka/protocol/messages/init-producer-id.ts';
import { joinGroupApi } from '../../../kafka/protocol/messages/join-group.ts';
import { listOffsetsApi } from '../../../kafka/protocol/messages/list-offsets.ts';
import { offsetCommitApi } from '../../../kafka/protocol/messages/offset-commit.ts';
import { offsetFetchApi } from '../../../kafka/protocol/messages/offset-fetch.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import type { BrokerConnector } from '../../../kafka/wire.ts';
import {
  changingAnswers,
  changingRequests,
  rewritingConnector,
} from '../../../simulation/rewriting-connector.ts';
import type { Process } from '../../../simulation/world/process.ts';
import type { Mutant } from '../mutants.ts';

type TxnOffsetCommitRequest = RequestOf<typeof txnOffsetCommitApi>;

const LATEST = -1;
const OFFSET_COMMIT_VERSION = 8;
const CHANGELOG = /-changelog$/;

const withoutGeneration = changingRequests(txnOffsetCommitApi, (request) => ({
  ...request,
  generationId: -1,
  memberId: '',
  groupInstanceId: null,
}));

/** Offsets are committed as such, and in the transaction too. */
function offsetsOutside(connector: BrokerConnector): BrokerConnector {
  return rewritingConnector(connector, async (header, body, exchange, connection) => {
    if (header.apiKey !== txnOffsetCommitApi.key) return exchange(body);
    const { generationId: generationIdOrMemberEpoch, ...request } =
      decodeRequest<TxnOffsetCommitRequest>(
        txnOffsetCommitApi as never,
        header.apiVersion,
        Buffer.from(body),
      );
    const { key: apiKey, name: apiName } = offsetCommitApi;
    const outside = { apiKey, apiName, apiVersion: OFFSET_COMMIT_VERSION, flexible: true };
    const commit = { ...request, generationIdOrMemberEpoch } as RequestOf<typeof offsetCommitApi>;
    const bytes = encodeRequest(offsetCommitApi, OFFSET_COMMIT_VERSION, commit);
    await connection.request(outside, bytes, 5_000);
    return exchange(body);
  });
}

/** Once in eight, offsets are not sent, and the broker is said to have taken them. */
function offsetsForgotten(connector: BrokerConnector, process: Process): BrokerConnector {
  return rewritingConnector(connector, async (header, body, exchange) => {
    const isMeant = header.apiKey === txnOffsetCommitApi.key && process.random.next() < 0.125;
    if (!isMeant) return exchange(body);
    const version = header.apiVersion;
    const request = decodeRequest<{
      topics: readonly { name: string; partitions: readonly { partitionIndex: number }[] }[];
    }>(txnOffsetCommitApi as never, version, Buffer.from(body));
    const topics = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0 })),
    }));
    return encodeResponse(txnOffsetCommitApi as never, version, { topics } as never);
  });
}

/** After the first, InitProducerId is answered from memory: nothing is fenced, nothing aborted. */
function initOnce(connector: BrokerConnector): BrokerConnector {
  const known = new Map<string, { producerId: number; producerEpoch: number }>();
  return rewritingConnector(connector, async (header, body, exchange) => {
    const { apiKey, apiVersion: version } = header;
    const isInit = apiKey === initProducerIdApi.key;
    if (!isInit && apiKey !== endTxnApi.key) return exchange(body);
    const api = isInit ? initProducerIdApi : endTxnApi;
    const { transactionalId } = decodeRequest<{ transactionalId: string }>(
      api as never,
      version,
      Buffer.from(body),
    );
    const before = known.get(transactionalId);
    if (isInit && before !== undefined) {
      return encodeResponse(initProducerIdApi as never, version, {
        errorCode: 0,
        ...before,
      } as never);
    }
    const answer = await exchange(body);
    const { errorCode, producerId, producerEpoch } = decodeResponse<{
      errorCode: number;
      producerId: number;
      producerEpoch: number;
    }>(api as never, version, answer);
    if (errorCode === 0 && producerId >= 0)
      known.set(transactionalId, { producerId, producerEpoch });
    return answer;
  });
}

/** Transactions V1: an EndTxn that was answered is sent once more a little later. */
function endTxnTwice(connector: BrokerConnector, process: Process): BrokerConnector {
  return rewritingConnector(connector, async (header, body, exchange) => {
    const answer = await exchange(body);
    const isV1End = header.apiKey === endTxnApi.key && header.apiVersion < 5;
    if (isV1End && process.random.next() < 0.5) {
      void process.clock
        .sleep(process.random.next() * 300)
        .then(() => exchange(body).catch(() => {}));
    }
    return answer;
  });
}

/** The end of a changelog is remembered for a while instead of asked for. */
function oldHighWatermarks(connector: BrokerConnector, process: Process): BrokerConnector {
  const asked = new Map<string, { readonly answer: Buffer; readonly atMs: number }>();
  return rewritingConnector(connector, async (header, body, exchange) => {
    if (header.apiKey !== listOffsetsApi.key) return exchange(body);
    const key = Buffer.from(body).toString('latin1');
    const known = asked.get(key);
    const nowMs = process.clock.monotonicMs();
    if (known !== undefined && nowMs - known.atMs < 5_000) return known.answer;
    const answer = await exchange(body);
    asked.set(key, { answer, atMs: nowMs });
    return answer;
  });
}

const changelogEnds = (change: (offset: number) => number) => (connector: BrokerConnector) =>
  rewritingConnector(connector, async (header, body, exchange) => {
    if (header.apiKey !== listOffsetsApi.key) return exchange(body);
    const version = header.apiVersion;
    const request = decodeRequest<{
      topics: readonly { name: string; partitions: readonly { timestamp: number }[] }[];
    }>(listOffsetsApi as never, version, Buffer.from(body));
    const isEnd = request.topics.some(
      ({ name, partitions }) =>
        CHANGELOG.test(name) && partitions.some(({ timestamp }) => timestamp === LATEST),
    );
    const answer = await exchange(body);
    if (!isEnd) return answer;
    const response = decodeResponse<{ topics: { partitions: { offset: number }[] }[] }>(
      listOffsetsApi as never,
      version,
      answer,
    );
    const topics = response.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((each) => ({ ...each, offset: change(each.offset) })),
    }));
    return encodeResponse(listOffsetsApi as never, version, { ...response, topics } as never);
  });

export const WIRE_MUTANTS: readonly Mutant[] = [
  {
    name: 'no-generation',
    what: 'offsets are committed with generation -1: no zombie is fenced',
    mutation: () => ({ connector: withoutGeneration }),
  },
  {
    name: 'no-fencing',
    what: 'every life has transactional ids of its own, and no generation',
    mutation: () => ({
      connector: withoutGeneration,
      client: (client, process) => ({
        ...client,
        transactionalProducer: (id, how) =>
          client.transactionalProducer(`${id}-${process.name}`, how),
      }),
    }),
  },
  {
    name: 'unstable-offsets',
    what: 'a task starts from offsets without waiting for the transaction over them',
    mutation: () => ({
      connector: changingRequests(offsetFetchApi, (request) => ({
        ...request,
        requireStable: false,
      })),
    }),
  },
  {
    name: 'restore-to-lso',
    what: 'restore ends at the last stable offset instead of the high watermark',
    mutation: () => ({
      connector: changingRequests(listOffsetsApi, (request) => ({ ...request, isolationLevel: 1 })),
    }),
  },
  {
    name: 'read-uncommitted',
    what: 'input and changelogs are read uncommitted',
    mutation: () => ({
      connector: changingRequests(fetchApi, (request) => ({ ...request, isolationLevel: 0 })),
    }),
  },
  {
    name: 'aborted-not-filtered',
    what: 'the list of aborted transactions is not looked at',
    mutation: () => ({
      connector: changingAnswers(
        fetchApi as never,
        (response: { responses: readonly { partitions: readonly object[] }[] }) => ({
          ...response,
          responses: response.responses.map((topic) => ({
            ...topic,
            partitions: topic.partitions.map((each) => ({ ...each, abortedTransactions: [] })),
          })),
        }),
      ),
    }),
  },
  {
    name: 'offsets-outside',
    what: 'offsets are committed outside the transaction as well',
    mutation: () => ({ connector: offsetsOutside }),
  },
  {
    name: 'offsets-forgotten',
    what: 'a transaction now and then goes without its offsets',
    mutation: () => ({ connector: offsetsForgotten }),
  },
  {
    name: 'offsets-too-far',
    what: 'one offset too many is committed',
    mutation: () => ({
      connector: changingRequests(txnOffsetCommitApi, (request) => ({
        ...request,
        topics: request.topics.map((topic) => ({
          ...topic,
          partitions: topic.partitions.map((each) => ({
            ...each,
            committedOffset: each.committedOffset + 1,
          })),
        })),
      })),
    }),
  },
  {
    name: 'init-once',
    what: 'after a failure the producer goes on with the epoch it had',
    mutation: () => ({ connector: initOnce }),
  },
  {
    name: 'end-txn-twice',
    what: 'an EndTxn of transactions V1 is sent again into the next transaction',
    mutation: () => ({ connector: endTxnTwice }),
  },
  {
    name: 'old-high-watermark',
    what: 'the high watermark of a changelog is from before the offsets were stable',
    mutation: () => ({ connector: oldHighWatermarks }),
  },
  {
    name: 'restore-skipped',
    what: 'changelogs are taken for empty',
    mutation: () => ({ connector: changelogEnds(() => 0) }),
  },
  {
    name: 'restore-short',
    what: 'restore leaves the last records of a changelog out',
    mutation: () => ({ connector: changelogEnds((offset) => Math.max(0, offset - 2)) }),
  },
  {
    name: 'no-follow-up',
    what: 'a static leader that comes back does not hand out what its former life withheld',
    mutation: () => ({
      connector: changingAnswers(
        joinGroupApi as never,
        (response: { leader: string; skipAssignment: boolean }) =>
          response.skipAssignment ? { ...response, leader: '', skipAssignment: false } : response,
      ),
    }),
  },
];
