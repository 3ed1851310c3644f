/**
 * The known hole of Kafka's transactions: an EndTxn that the network held back arrives when the next
 * transaction of the same id is open, and ends that one, halfway. The proxy holds EndTxn back and breaks the
 * connection, so that the instance must find out; when the next transaction has produced and is about
 * to send its offsets, the old EndTxn is delivered, and only then do the offsets go on.
 */
import {
  decodeRequest,
  decodeResponse,
  decodeResponseHeader,
} from '../../../kafka/protocol/codec.ts';
import { errorName } from '../../../kafka/protocol/error-codes.ts';
import { endTxnApi } from '../../../kafka/protocol/messages/end-txn.ts';
import { txnOffsetCommitApi } from '../../../kafka/protocol/messages/txn-offset-commit.ts';
import type { Gate, PassingRequest } from '../../kit/link-proxy.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

const BEFORE = 120;
const AFTER = 150;
const TIMES = 5;
/** Of one id: a few commits in between, so that an instance that was thrown back runs again. */
const EVERY = 6;

class LateEndTxns {
  /** How the broker answered each late EndTxn. */
  readonly answers: string[] = [];
  held = 0;
  readonly #waiting = new Map<string, PassingRequest>();
  #seen = 0;

  readonly gate: Gate = async (request) => {
    if (request.header.apiKey === endTxnApi.key) return this.#endTxn(request);
    if (request.header.apiKey === txnOffsetCommitApi.key) await this.#nextTransaction(request);
    return 'forward';
  };

  get isDone(): boolean {
    return this.answers.length >= TIMES;
  }

  #endTxn(request: PassingRequest): 'forward' | 'hold' {
    const { transactionalId } = decodeEndTxn(request);
    const isEnough = this.held >= TIMES || this.#waiting.size > 0;
    if (isEnough || ++this.#seen % EVERY !== 0) return 'forward';
    this.held++;
    this.#waiting.set(transactionalId, request);
    request.loseClient();
    return 'hold';
  }

  async #nextTransaction({ header, frame }: PassingRequest): Promise<void> {
    const { apiVersion, bodyAt } = header;
    const { transactionalId } = decodeRequest(txnOffsetCommitApi, apiVersion, frame, bodyAt);
    const late = this.#waiting.get(transactionalId);
    if (late === undefined) return;
    this.#waiting.delete(transactionalId);
    const answer = await late.deliver();
    const { bodyAt: at } = decodeResponseHeader(answer, late.header);
    const { errorCode } = decodeResponse(endTxnApi, late.header.apiVersion, answer, at);
    this.answers.push(errorName(errorCode));
  }
}

function decodeEndTxn({ header, frame }: PassingRequest) {
  return decodeRequest(endTxnApi, header.apiVersion, frame, header.bodyAt);
}

async function holdEndTxnsBack(stage: Stage): Promise<Evidence> {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  const late = new LateEndTxns();
  for (const link of stage.links()) link.gate = late.gate;
  await stage.until(`${TIMES} late EndTxns`, () => late.isDone);
  for (const link of stage.links()) link.gate = undefined;
  await stage.load.decidesMore(AFTER);
  expect(
    late.answers.every((name) => name !== 'NONE'),
    `no late EndTxn to end another transaction: ${late.answers.join(' ')}`,
  );
  return { held: late.held, answered: late.answers.join(' ') };
}

export const lateEndTxnScenarios: readonly Scenario[] = [
  {
    name: 'late-end-txn',
    about: 'EndTxn held back, delivered while the next transaction runs (transactions V2)',
    on: 'kafka',
    run: holdEndTxnsBack,
  },
  {
    name: 'late-end-txn-v1',
    about: 'the same where the broker has transactions V1 only',
    on: 'kafka-v1',
    run: holdEndTxnsBack,
  },
];
