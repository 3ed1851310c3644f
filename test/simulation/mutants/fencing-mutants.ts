/** Bugs in who may commit: members that have been dropped, producers that others have replaced. */

import type { GroupProtocol } from '../../../kafka/ports.ts';
import { decodeResponse, encodeRequest } from '../../../kafka/protocol/codec.ts';
import type { RequestOf, ResponseOf } from '../../../kafka/protocol/define-api.ts';
import { addOffsetsToTxnApi } from '../../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { addPartitionsToTxnApi } from '../../../kafka/protocol/messages/add-partitions-to-txn.ts';
import {
  decodeSubscription,
  encodeSubscription,
} from '../../../kafka/protocol/messages/consumer-protocol.ts';
import { endTxnApi } from '../../../kafka/protocol/messages/end-txn.ts';
import { findCoordinatorApi } from '../../../kafka/protocol/messages/find-coordinator.ts';
import { initProducerIdApi } from '../../../kafka/protocol/messages/init-producer-id.ts';
import { joinGroupApi } from '../../../kafka/protocol/messages/join-group.ts';
import { offsetFetchApi } from '../../../kafka/protocol/messages/offset-fetch.ts';
import { produceApi } from '../../../kafka/protocol/messages/produce.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import type { BrokerConnection, BrokerConnector, RequestHeader } from '../../../kafka/wire.ts';
import {
  changingAnswers,
  changingRequests,
  rewritingConnector,
} from '../../../simulation/rewriting-connector.ts';
import type { Process } from '../../../simulation/world/process.ts';
import { chores } from '../chores/scenario.ts';
import type { Mutant } from '../mutants.ts';
import { answerOf, recordCountOf, requestIn, restamped } from './on-the-wire.ts';

interface Identity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

const withoutGeneration = changingRequests(txnOffsetCommitApi, (request) => ({
  ...request,
  generationId: -1,
  memberId: '',
  groupInstanceId: null,
}));

/** What the group tells the tasks, told otherwise. */
function telling(
  change: (protocol: GroupProtocol, process: Process) => Partial<GroupProtocol>,
): Mutant['mutation'] {
  return () => ({
    client: (client, process) => ({
      ...client,
      groupMember: (options, protocol) => {
        const told = new Proxy(protocol, {
          get(target, name) {
            const value = (Reflect.get(change(target, process), name) ??
              Reflect.get(target, name, target)) as unknown;
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
        return client.groupMember(options, told);
      },
    }),
  });
}

const SUBSCRIPTION_VERSION = 2;
const REVOKED_LATE_MS = 1_500;

/** After the first, InitProducerId is answered from memory: nothing is fenced, nothing aborted. */
function initOnce(connector: BrokerConnector): BrokerConnector {
  const known = new Map<string, Identity>();
  return rewritingConnector(connector, async (header, body, exchange) => {
    const isInit = header.apiKey === initProducerIdApi.key;
    if (!isInit && header.apiKey !== endTxnApi.key) return exchange(body);
    const api = isInit ? initProducerIdApi : endTxnApi;
    const { transactionalId } = requestIn<{ transactionalId: string }>(api as never, header, body);
    const before = known.get(transactionalId);
    if (isInit && before !== undefined) {
      return answerOf(initProducerIdApi, header, { errorCode: 0, ...before });
    }
    const answer = await exchange(body);
    const decoded = decodeResponse<Identity & { errorCode: number }>(
      api as never,
      header.apiVersion,
      answer,
    );
    const { errorCode, producerId, producerEpoch } = decoded;
    if (errorCode === 0 && producerId >= 0) {
      known.set(transactionalId, { producerId, producerEpoch });
    }
    return answer;
  });
}

interface Initialised {
  readonly connection: BrokerConnection;
  readonly header: RequestHeader;
  readonly body: Uint8Array;
}

/** Requests that carry the identity of a transactional producer beside its id, Produce left out. */
const IDENTIFIED = new Map(
  [addOffsetsToTxnApi, txnOffsetCommitApi, endTxnApi].map((api) => [api.key, api]),
);

/**
 * Every task that starts initialises the producers of its thread for itself, which aborts what others
 * have open under them; what is sent from then on goes out under the new epoch.
 */
class InitPerTask {
  readonly #inits = new Map<string, Initialised>();
  readonly #identities = new Map<string, Identity>();
  /** By transactional id and partition. */
  readonly #sequences = new Map<string, Map<number, number>>();

  connector(connector: BrokerConnector): BrokerConnector {
    return rewritingConnector(connector, async (header, body, exchange, connection) => {
      if (header.apiKey === initProducerIdApi.key) this.#seeInit({ header, body, connection });
      if (header.apiKey === offsetFetchApi.key) await this.#initAll();
      return exchange(this.#rewritten(header, body));
    });
  }

  #seeInit(init: Initialised): void {
    const request = requestIn<RequestOf<typeof initProducerIdApi>>(
      initProducerIdApi,
      init.header,
      init.body,
    );
    if (request.transactionalId === null) return;
    this.#inits.set(request.transactionalId, init);
    this.#identities.delete(request.transactionalId);
  }

  async #initAll(): Promise<void> {
    for (const [id, { connection, header, body }] of this.#inits) {
      const answer = await connection.request(header, body, 5_000).catch(() => undefined);
      if (answer === undefined) continue;
      const { errorCode, ...identity } = decodeResponse<ResponseOf<typeof initProducerIdApi>>(
        initProducerIdApi,
        header.apiVersion,
        answer,
      );
      if (errorCode !== 0) continue;
      this.#identities.set(id, identity);
      this.#sequences.clear();
    }
  }

  #rewritten(header: RequestHeader, body: Uint8Array): Uint8Array {
    const { apiKey, apiVersion } = header;
    if (apiKey === produceApi.key) return this.#restamped(header, body);
    if (apiKey === addPartitionsToTxnApi.key) {
      const request = requestIn<RequestOf<typeof addPartitionsToTxnApi>>(
        addPartitionsToTxnApi,
        header,
        body,
      );
      const identity = this.#newer(request.v3AndBelowTransactionalId ?? '', {
        producerId: request.v3AndBelowProducerId ?? -1,
        producerEpoch: request.v3AndBelowProducerEpoch ?? -1,
      });
      if (identity === undefined) return body;
      return encodeRequest(addPartitionsToTxnApi, apiVersion, {
        ...request,
        v3AndBelowProducerEpoch: identity.producerEpoch,
      });
    }
    const api = IDENTIFIED.get(apiKey);
    if (api === undefined) return body;
    const request = requestIn<Identity & { transactionalId: string }>(api as never, header, body);
    const identity = this.#newer(request.transactionalId, request);
    if (identity === undefined) return body;
    const { producerEpoch } = identity;
    return encodeRequest(api as never, apiVersion, { ...request, producerEpoch } as never);
  }

  /** Undefined when the producer itself has a newer one by now. */
  #newer(transactionalId: string, used: Identity): Identity | undefined {
    const identity = this.#identities.get(transactionalId);
    const isNewer = identity !== undefined && identity.producerEpoch > used.producerEpoch;
    return isNewer ? identity : undefined;
  }

  #restamped(header: RequestHeader, body: Uint8Array): Buffer {
    return restamped(header, body, ({ transactionalId, key, header: batch }) => {
      const identity = this.#newer(transactionalId, batch);
      if (identity === undefined) return undefined;
      const name = `${transactionalId} ${key}`;
      const given = this.#sequences.get(name) ?? new Map<number, number>([[-1, 0]]);
      this.#sequences.set(name, given);
      const baseSequence = given.get(batch.baseSequence) ?? given.get(-1)!;
      if (!given.has(batch.baseSequence)) {
        given.set(batch.baseSequence, baseSequence);
        given.set(-1, baseSequence + recordCountOf(batch));
      }
      return { ...identity, baseSequence };
    });
  }
}

/** The subscription says that nothing is owned: others are given it while it is still worked on. */
const nothingOwned = changingRequests(joinGroupApi, (request) => ({
  ...request,
  protocols: request.protocols.map(({ name, metadata }) => ({
    name,
    metadata: encodeSubscription(
      { ...decodeSubscription(Buffer.from(metadata)), ownedPartitions: [] },
      SUBSCRIPTION_VERSION,
    ),
  })),
}));

/** Where a coordinator is is asked once: who is told that it has moved goes there again. */
function coordinatorsRemembered(connector: BrokerConnector): BrokerConnector {
  const known = new Map<string, Buffer>();
  return rewritingConnector(connector, async (header, body, exchange) => {
    if (header.apiKey !== findCoordinatorApi.key) return exchange(body);
    const key = `${header.apiVersion} ${Buffer.from(body).toString('latin1')}`;
    const answer = known.get(key) ?? (await exchange(body));
    const { coordinators = [] } = decodeResponse<ResponseOf<typeof findCoordinatorApi>>(
      findCoordinatorApi,
      header.apiVersion,
      answer,
    );
    if (coordinators.every(({ errorCode }) => errorCode === 0)) known.set(key, answer);
    return answer;
  });
}

export const FENCING_MUTANTS: readonly Mutant[] = [
  {
    name: 'no-generation',
    what: 'offsets are committed with generation -1: no zombie is fenced',
    scenario: chores,
    mutation: () => ({ connector: withoutGeneration }),
  },
  {
    name: 'no-fencing',
    what: 'every life has transactional ids of its own, and no generation',
    scenario: chores,
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
    name: 'init-once',
    what: 'after a failure the producer goes on with the epoch it had',
    mutation: () => ({ connector: initOnce }),
  },
  {
    name: 'init-per-task',
    what: 'every task that starts does an InitProducerId of its own',
    scenario: chores,
    mutation: () => ({ connector: (connector) => new InitPerTask().connector(connector) }),
  },
  {
    name: 'revoked-late',
    what: 'what is revoked is committed after it has been given up, under the generation of then',
    mutation: telling((protocol, process) => ({
      onRevoked: async (partitions) => {
        void process.clock.sleep(REVOKED_LATE_MS).then(() => protocol.onRevoked(partitions));
      },
    })),
  },
  {
    name: 'coordinators-remembered',
    what: 'a coordinator that has moved is not looked for again',
    mutation: () => ({ connector: coordinatorsRemembered }),
  },
  {
    name: 'threads-share-place',
    what: 'the stream threads of one instance are one static member to the group',
    mutation: () => ({
      client: (client) => ({
        ...client,
        groupMember: (options, protocol) => {
          const groupInstanceId = options.groupInstanceId?.replace(/-\d+$/, '-0') ?? null;
          return client.groupMember({ ...options, groupInstanceId }, protocol);
        },
      }),
    }),
  },
  {
    name: 'losses-ignored',
    what: 'a member that was dropped from the group goes on with its tasks when it is back',
    mutation: telling(() => ({ onLost: async () => {} })),
  },
  {
    name: 'ownership-untold',
    what: 'a member joins without saying what it still works on',
    mutation: () => ({ connector: nothingOwned }),
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
