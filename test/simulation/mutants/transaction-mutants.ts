/** Bugs in what a transaction consists of, in which order it is sent, and how its outcome is understood. */

import type { TransactionalProducer, TransactionOutcome } from '../../../kafka/ports.ts';
import { encodeRequest } from '../../../kafka/protocol/codec.ts';
import type { RequestOf } from '../../../kafka/protocol/define-api.ts';
import { endTxnApi } from '../../../kafka/protocol/messages/end-txn.ts';
import { offsetCommitApi } from '../../../kafka/protocol/messages/offset-commit.ts';
import { produceApi } from '../../../kafka/protocol/messages/produce.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import type { BrokerConnector, RequestHeader } from '../../../kafka/wire.ts';
import { changingRequests, rewritingConnector } from '../../../simulation/rewriting-connector.ts';
import type { Process } from '../../../simulation/world/process.ts';
import { chores } from '../chores/scenario.ts';
import type { Mutant } from '../mutants.ts';
import { type Commit, withCommit } from './committing.ts';
import {
  answerOf,
  offsetsTaken,
  type ProduceRequest,
  recordCountOf,
  requestIn,
  restamped,
  type TxnOffsetCommitRequest,
} from './on-the-wire.ts';

/** From this version on EndTxn gives a new epoch: transactions V2. */
const END_TXN_V2 = 5;
const OFFSET_COMMIT_VERSION = 8;

// ── Offsets ──────────────────────────────────────────────────────────────────────────────────────

/** Offsets are committed as such, and in the transaction too. */
function offsetsOutside(connector: BrokerConnector): BrokerConnector {
  return rewritingConnector(connector, async (header, body, exchange, connection) => {
    if (header.apiKey !== txnOffsetCommitApi.key) return exchange(body);
    const { generationId: generationIdOrMemberEpoch, ...request } =
      requestIn<TxnOffsetCommitRequest>(txnOffsetCommitApi, header, body);
    const { key: apiKey, name: apiName } = offsetCommitApi;
    const outside = { apiKey, apiName, apiVersion: OFFSET_COMMIT_VERSION, flexible: true };
    const commit = { ...request, generationIdOrMemberEpoch } as RequestOf<typeof offsetCommitApi>;
    const bytes = encodeRequest(offsetCommitApi, OFFSET_COMMIT_VERSION, commit);
    await connection.request(outside, bytes, 5_000);
    return exchange(body);
  });
}

/** Some offsets are not sent, and the broker is said to have taken them. */
function forgetting(
  isForgotten: (request: TxnOffsetCommitRequest, process: Process) => boolean,
): (connector: BrokerConnector, process: Process) => BrokerConnector {
  return (connector, process) =>
    rewritingConnector(connector, async (header, body, exchange) => {
      if (header.apiKey !== txnOffsetCommitApi.key) return exchange(body);
      const request = requestIn<TxnOffsetCommitRequest>(txnOffsetCommitApi, header, body);
      return isForgotten(request, process) ? offsetsTaken(header, request) : exchange(body);
    });
}

/** Where nothing was consumed since the last commit, a punctuator has written. */
function unmoved(): (request: TxnOffsetCommitRequest) => boolean {
  const last = new Map<string, number>();
  return ({ topics }) => {
    let hasMoved = false;
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, committedOffset } of partitions) {
        const key = `${name}-${partitionIndex}`;
        if (last.get(key) !== committedOffset) hasMoved = true;
        last.set(key, committedOffset);
      }
    }
    return !hasMoved;
  };
}

// ── Sequences ────────────────────────────────────────────────────────────────────────────────────

/** Sequences go on where they were, whatever epoch the batch has. */
function sequencesKept(connector: BrokerConnector): BrokerConnector {
  const next = new Map<string, number>();
  const given = new Map<string, number>();
  return rewritingConnector(connector, (header, body, exchange) => {
    if (header.apiKey !== produceApi.key) return exchange(body);
    const rewritten = restamped(header, body, ({ key, header: batch }) => {
      const { producerId, producerEpoch } = batch;
      const partition = `${producerId} ${key}`;
      const name = `${partition} ${producerEpoch} ${batch.baseSequence}`;
      const baseSequence = given.get(name) ?? next.get(partition) ?? 0;
      if (!given.has(name)) next.set(partition, baseSequence + recordCountOf(batch));
      given.set(name, baseSequence);
      return { producerId, producerEpoch, baseSequence };
    });
    return exchange(rewritten);
  });
}

/** What was sent and not answered is sent again as something new, under the next sequence numbers. */
function sentAnew(connector: BrokerConnector): BrokerConnector {
  /** Per producer, epoch and partition: by how much sequences are further on than they should be. */
  const shifts = new Map<string, number>();
  const unanswered = new Set<string>();
  return rewritingConnector(connector, async (header, body, exchange) => {
    if (header.apiKey !== produceApi.key) return exchange(body);
    const sent: string[] = [];
    const rewritten = restamped(header, body, ({ key, header: batch }) => {
      const { producerId, producerEpoch, baseSequence } = batch;
      const partition = `${producerId} ${producerEpoch} ${key}`;
      const name = `${partition} ${baseSequence}`;
      const before = shifts.get(partition) ?? 0;
      const shift = unanswered.has(name) ? before + recordCountOf(batch) : before;
      shifts.set(partition, shift);
      sent.push(name);
      return { producerId, producerEpoch, baseSequence: baseSequence + shift };
    });
    for (const name of sent) unanswered.add(name);
    const answer = await exchange(rewritten);
    for (const name of sent) unanswered.delete(name);
    return answer;
  });
}

// ── EndTxn ───────────────────────────────────────────────────────────────────────────────────────

/** Transactions V1: an EndTxn that was answered is sent once more a little later. */
function endTxnTwice(connector: BrokerConnector, process: Process): BrokerConnector {
  return rewritingConnector(connector, async (header, body, exchange) => {
    const answer = await exchange(body);
    if (isV1End(header) && process.random.next() < 0.5) {
      void process.clock
        .sleep(process.random.next() * 300)
        .then(() => exchange(body).catch(() => {}));
    }
    return answer;
  });
}

const HELD_MS_MAX = 500;

/** Transactions V1: EndTxn goes out when the next transaction of the producer has begun to write. */
function endedLate(connector: BrokerConnector, process: Process): BrokerConnector {
  const held = new Map<string, () => Promise<unknown>>();
  const send = async (id: string) => {
    const end = held.get(id);
    held.delete(id);
    await end?.().catch(() => {});
  };
  return rewritingConnector(connector, async (header, body, exchange) => {
    if (isV1End(header)) {
      const request = requestIn<RequestOf<typeof endTxnApi>>(endTxnApi, header, body);
      const id = request.transactionalId;
      await send(id);
      held.set(id, () => exchange(body));
      void process.clock.sleep(HELD_MS_MAX).then(() => send(id));
      return answerOf(endTxnApi, header, { errorCode: 0 });
    }
    const answer = await exchange(body);
    if (header.apiKey === produceApi.key) {
      const { transactionalId } = requestIn<ProduceRequest>(produceApi, header, body);
      if (typeof transactionalId === 'string') await send(transactionalId);
    }
    return answer;
  });
}

function isV1End({ apiKey, apiVersion }: RequestHeader): boolean {
  return apiKey === endTxnApi.key && apiVersion < END_TXN_V2;
}

// ── Outcomes ─────────────────────────────────────────────────────────────────────────────────────

function committing(commit: Commit): Mutant['mutation'] {
  return () => ({ client: (client) => withCommit(client, commit) });
}

const COMMITTED: TransactionOutcome = { kind: 'committed', produced: new Map() };

/** The outcome is not waited for; the next transaction of the same producer waits for the one before. */
function optimistically(): Commit {
  const running = new WeakMap<TransactionalProducer, Promise<unknown>>();
  return async (producer, transaction) => {
    await running.get(producer);
    running.set(producer, producer.commit(transaction));
    return COMMITTED;
  };
}

/** Transactions V1: whatever the coordinator says about an EndTxn is taken for success. */
function endErrorsIgnored(connector: BrokerConnector): BrokerConnector {
  return rewritingConnector(connector, async (header, body, exchange) => {
    const answer = await exchange(body);
    return isV1End(header) ? answerOf(endTxnApi, header, { errorCode: 0 }) : answer;
  });
}

export const TRANSACTION_MUTANTS: readonly Mutant[] = [
  {
    name: 'offsets-outside',
    what: 'offsets are committed outside the transaction as well',
    mutation: () => ({ connector: offsetsOutside }),
  },
  {
    name: 'offsets-forgotten',
    what: 'a transaction now and then goes without its offsets',
    mutation: () => ({ connector: forgetting((_, process) => process.random.next() < 0.125) }),
  },
  {
    name: 'punctuator-unfenced',
    what: 'a transaction in which only a punctuator has written goes without offsets',
    scenario: chores,
    mutation: () => ({ connector: forgetting(unmoved()) }),
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
    name: 'sequences-kept',
    what: 'sequence numbers go on over a bump of the epoch',
    mutation: () => ({ connector: sequencesKept }),
  },
  {
    name: 'sent-anew',
    what: 'a Produce without an answer is sent again under new sequence numbers',
    mutation: () => ({ connector: sentAnew }),
  },
  {
    name: 'end-txn-twice',
    what: 'an EndTxn of transactions V1 is sent again into the next transaction',
    mutation: () => ({ connector: endTxnTwice }),
  },
  {
    name: 'produce-before-end',
    what: 'the next transaction of V1 is produced before the EndTxn of the last one is out',
    mutation: () => ({ connector: endedLate }),
  },
  {
    name: 'end-errors-ignored',
    what: 'an EndTxn of transactions V1 that was refused is taken for done',
    mutation: () => ({ connector: endErrorsIgnored }),
  },
  {
    name: 'unknown-is-committed',
    what: 'an unknown outcome is taken as committed',
    mutation: committing(async (producer, transaction) => {
      const outcome = await producer.commit(transaction);
      return outcome.kind === 'unknown' ? COMMITTED : outcome;
    }),
  },
  {
    name: 'aborted-is-committed',
    what: 'an aborted transaction is taken as committed',
    mutation: committing(async (producer, transaction) => {
      const outcome = await producer.commit(transaction);
      return outcome.kind === 'aborted' ? COMMITTED : outcome;
    }),
  },
  {
    name: 'state-before-commit',
    what: 'state is written, and the next transaction begun, before the commit is answered',
    mutation: () => committing(optimistically())(),
  },
];
