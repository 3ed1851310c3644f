/**
 * What may happen to a transactional id: pure decisions, in Kafka's words and with Kafka's codes
 * (KIP-98, KIP-360, KIP-447, KIP-890). Each gives either an answer or the next metadata, which must be
 * durable before anybody is told. Whoever calls has made sure that no other transition is under way.
 */
import { unreachable } from '../../../base/assert.ts';
import { partitionKey, type TopicPartition } from '../../../kafka/ports.ts';
import { Errors } from '../../../kafka/protocol/error-codes.ts';
import type { ErrorCodeNumber } from '../../ports.ts';
import {
  isEpochExhausted,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  type Phase,
  PRODUCER_EPOCH_MAX,
  partitionsOf,
  type TransactionMetadata,
} from './transaction-metadata.ts';

export type Decision =
  | { readonly kind: 'answer'; readonly error: ErrorCodeNumber }
  | { readonly kind: 'change'; readonly next: TransactionMetadata };

/** Who asks, as the request says. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** Takes the next free producer id. */
export type AllocateProducerId = () => number;

const answer = (error: ErrorCodeNumber): Decision => ({ kind: 'answer', error });
const change = (next: TransactionMetadata): Decision => ({ kind: 'change', next });

// ── InitProducerId ─────────────────────────────────────────────────────────────────────────────

export function newTransactionalId(
  transactionalId: string,
  producerId: number,
  timeoutMs: number,
  nowMs: number,
): TransactionMetadata {
  return {
    transactionalId,
    producerId,
    producerEpoch: NO_PRODUCER_EPOCH,
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    previousProducerId: NO_PRODUCER_ID,
    timeoutMs,
    phase: { kind: 'idle', last: 'none' },
    lastUpdateMs: nowMs,
    clientVersion: 0,
  };
}

/**
 * Bumps the epoch. An open transaction is fenced and aborted instead (`next` is then ending): the
 * client is told CONCURRENT_TRANSACTIONS and comes back.
 */
export function decideInit(
  current: TransactionMetadata,
  request: { readonly expected: ProducerIdentity | undefined; readonly timeoutMs: number },
  allocate: AllocateProducerId,
  nowMs: number,
): Decision {
  const { expected } = request;
  if (expected !== undefined && !mayInitAs(current, expected)) {
    return answer(Errors.PRODUCER_FENCED);
  }
  switch (current.phase.kind) {
    case 'ending':
      return answer(Errors.CONCURRENT_TRANSACTIONS);
    case 'ongoing':
      return change(fenceAndAbort(current, nowMs));
    case 'idle': {
      const idle: TransactionMetadata = {
        ...current,
        timeoutMs: request.timeoutMs,
        phase: { kind: 'idle', last: 'none' },
        lastUpdateMs: nowMs,
      };
      const namesCurrent =
        expected === undefined || expected.producerEpoch === current.producerEpoch;
      if (isEpochExhausted(current.producerEpoch) && namesCurrent) {
        return change(rotateProducerId(idle, expected !== undefined, allocate()));
      }
      return bumpEpoch(idle, expected);
    }
    default:
      return unreachable(current.phase);
  }
}

/** A producer that names itself is fenced unless it is the present one, or repeats a rotation. */
function mayInitAs(current: TransactionMetadata, expected: ProducerIdentity): boolean {
  return (
    current.producerEpoch === NO_PRODUCER_EPOCH ||
    expected.producerId === current.producerId ||
    (expected.producerId === current.previousProducerId && isEpochExhausted(expected.producerEpoch))
  );
}

function rotateProducerId(
  idle: TransactionMetadata,
  keepsLastEpoch: boolean,
  producerId: number,
): TransactionMetadata {
  return {
    ...idle,
    producerId,
    previousProducerId: idle.producerId,
    producerEpoch: 0,
    lastProducerEpoch: keepsLastEpoch ? idle.producerEpoch : NO_PRODUCER_EPOCH,
  };
}

function bumpEpoch(idle: TransactionMetadata, expected: ProducerIdentity | undefined): Decision {
  const { producerEpoch } = idle;
  const bumped = { ...idle, producerEpoch: producerEpoch + 1 };
  if (expected === undefined) return change({ ...bumped, lastProducerEpoch: NO_PRODUCER_EPOCH });
  if (producerEpoch === NO_PRODUCER_EPOCH || expected.producerEpoch === producerEpoch) {
    return change({ ...bumped, lastProducerEpoch: producerEpoch });
  }
  // The answer to a successful bump was lost: give it again. A new instance's init would have
  // cleared lastProducerEpoch, so nobody is let back in who was fenced.
  if (expected.producerEpoch === idle.lastProducerEpoch) return change(idle);
  return answer(Errors.PRODUCER_FENCED);
}

/**
 * Ends an open transaction over its owner's head: a new instance came, it took too long, or a power loss
 * made it incomplete (`missed` are its partitions that are not in the metadata). Nobody holds the new epoch.
 */
export function fenceAndAbort(
  current: TransactionMetadata,
  nowMs: number,
  missed: readonly TopicPartition[] = [],
): TransactionMetadata {
  const { phase } = current;
  const partitions = new Map(partitionsOf(phase));
  for (const { topic, partition } of missed) {
    partitions.set(partitionKey(topic, partition), { topic, partition });
  }
  return {
    ...current,
    producerEpoch: Math.min(current.producerEpoch + 1, PRODUCER_EPOCH_MAX),
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    phase: {
      kind: 'ending',
      committed: false,
      partitions,
      startedAtMs: phase.kind === 'idle' ? nowMs : phase.startedAtMs,
      nextProducerId: NO_PRODUCER_ID,
    },
    lastUpdateMs: nowMs,
  };
}

// ── Partitions ─────────────────────────────────────────────────────────────────────────────────

/** AddPartitionsToTxn, AddOffsetsToTxn, and what Produce and TxnOffsetCommit add under V2. */
export function decideAddPartitions(
  current: TransactionMetadata | undefined,
  request: ProducerIdentity & {
    readonly partitions: readonly TopicPartition[];
    readonly clientVersion: 0 | 2;
  },
  nowMs: number,
): Decision {
  const refusal = refuseStranger(current, request);
  if (refusal !== undefined || current === undefined) {
    return answer(refusal ?? Errors.INVALID_PRODUCER_ID_MAPPING);
  }
  const { phase } = current;
  if (phase.kind === 'ending') return answer(Errors.CONCURRENT_TRANSACTIONS);
  const partitions = new Map(phase.kind === 'ongoing' ? phase.partitions : []);
  const before = partitions.size;
  for (const each of request.partitions) {
    const key = partitionKey(each.topic, each.partition);
    if (!partitions.has(key)) {
      partitions.set(key, { topic: each.topic, partition: each.partition });
    }
  }
  if (phase.kind === 'ongoing' && partitions.size === before) return answer(Errors.NONE);
  return change({
    ...current,
    phase: {
      kind: 'ongoing',
      partitions,
      startedAtMs: phase.kind === 'ongoing' ? phase.startedAtMs : nowMs,
    },
    lastUpdateMs: nowMs,
    clientVersion: request.clientVersion,
  });
}

/** V1: may this producer append to these partitions? It must have added them before. */
export function verifyPartitions(
  current: TransactionMetadata | undefined,
  request: ProducerIdentity & { readonly partitions: readonly TopicPartition[] },
): ErrorCodeNumber {
  const refusal = refuseStranger(current, request);
  if (refusal !== undefined || current === undefined) {
    return refusal ?? Errors.INVALID_PRODUCER_ID_MAPPING;
  }
  const { phase } = current;
  if (phase.kind === 'ending') return Errors.CONCURRENT_TRANSACTIONS;
  if (phase.kind === 'idle') return Errors.TRANSACTION_ABORTABLE;
  const hasAll = request.partitions.every((each) =>
    phase.partitions.has(partitionKey(each.topic, each.partition)),
  );
  return hasAll ? Errors.NONE : Errors.TRANSACTION_ABORTABLE;
}

function refuseStranger(
  current: TransactionMetadata | undefined,
  request: ProducerIdentity,
): ErrorCodeNumber | undefined {
  if (current === undefined || current.producerId !== request.producerId) {
    return Errors.INVALID_PRODUCER_ID_MAPPING;
  }
  return current.producerEpoch === request.producerEpoch ? undefined : Errors.PRODUCER_FENCED;
}

// ── EndTxn ─────────────────────────────────────────────────────────────────────────────────────

export interface EndRequest extends ProducerIdentity {
  readonly committed: boolean;
  readonly clientVersion: 0 | 2;
}

/**
 * EndTxn. Under V2 the epoch moves with every end, so a repeated request is recognised by the epoch
 * before and answered NONE with what is current; under V1 the state alone must tell.
 */
export function decideEnd(
  current: TransactionMetadata | undefined,
  request: EndRequest,
  allocate: AllocateProducerId,
  nowMs: number,
): Decision {
  if (current === undefined) return answer(Errors.INVALID_PRODUCER_ID_MAPPING);
  const repeats = repetitionOf(current, request);
  if (current.producerId !== request.producerId && repeats !== 'after rotation') {
    return answer(Errors.INVALID_PRODUCER_ID_MAPPING);
  }
  if (!isEpochValid(current, request, repeats !== undefined)) {
    return answer(Errors.PRODUCER_FENCED);
  }
  const { phase } = current;
  switch (phase.kind) {
    case 'ongoing':
      return change(end(current, request, allocate, nowMs));
    case 'ending': {
      // Already the next end, with the new epoch: an abort because no Produce is known to have arrived.
      const isNextEnd = request.clientVersion === 2 && repeats === undefined;
      return answer(
        isNextEnd || phase.committed === request.committed
          ? Errors.CONCURRENT_TRANSACTIONS
          : Errors.INVALID_TXN_STATE,
      );
    }
    case 'idle': {
      const wanted = request.committed ? 'committed' : 'aborted';
      const isRepeated = request.clientVersion === 2 ? repeats !== undefined : true;
      if (isRepeated && phase.last === wanted) return answer(Errors.NONE);
      // V2 may abort although nothing was added: it cannot know whether its Produce arrived.
      if (request.clientVersion === 2 && repeats === undefined && !request.committed) {
        return change(end(current, request, allocate, nowMs));
      }
      return answer(Errors.INVALID_TXN_STATE);
    }
    default:
      return unreachable(phase);
  }
}

type Repetition = 'after bump' | 'after rotation' | undefined;

function repetitionOf(current: TransactionMetadata, request: EndRequest): Repetition {
  if (current.clientVersion !== 2) return undefined;
  if (
    request.producerId === current.producerId &&
    request.producerEpoch + 1 === current.producerEpoch
  ) {
    return 'after bump';
  }
  const isRotated =
    current.previousProducerId === request.producerId &&
    request.producerEpoch === PRODUCER_EPOCH_MAX - 1 &&
    current.producerEpoch === 0;
  return isRotated ? 'after rotation' : undefined;
}

function isEpochValid(
  current: TransactionMetadata,
  request: EndRequest,
  repeats: boolean,
): boolean {
  const isCurrent = request.producerEpoch === current.producerEpoch;
  if (request.clientVersion !== 2) return isCurrent;
  const { phase } = current;
  const mayRepeat = phase.kind === 'ending' || (phase.kind === 'idle' && phase.last !== 'none');
  return isCurrent || (mayRepeat && repeats);
}

function end(
  current: TransactionMetadata,
  request: EndRequest,
  allocate: AllocateProducerId,
  nowMs: number,
): TransactionMetadata {
  const { phase } = current;
  const bumps = request.clientVersion === 2;
  return {
    ...current,
    producerEpoch: bumps ? current.producerEpoch + 1 : current.producerEpoch,
    lastProducerEpoch: bumps ? current.producerEpoch : current.lastProducerEpoch,
    phase: {
      kind: 'ending',
      committed: request.committed,
      partitions: phase.kind === 'idle' ? new Map() : phase.partitions,
      startedAtMs: phase.kind === 'idle' ? nowMs : phase.startedAtMs,
      nextProducerId:
        bumps && isEpochExhausted(current.producerEpoch) ? allocate() : NO_PRODUCER_ID,
    },
    lastUpdateMs: nowMs,
    clientVersion: request.clientVersion,
  };
}

/** All markers are durable: the transaction is over. */
export function complete(
  current: TransactionMetadata,
  ending: Extract<Phase, { kind: 'ending' }>,
  nowMs: number,
): TransactionMetadata {
  const rotates = ending.nextProducerId !== NO_PRODUCER_ID;
  return {
    ...current,
    producerId: rotates ? ending.nextProducerId : current.producerId,
    previousProducerId: rotates ? current.producerId : current.previousProducerId,
    producerEpoch: rotates ? 0 : current.producerEpoch,
    phase: { kind: 'idle', last: ending.committed ? 'committed' : 'aborted' },
    lastUpdateMs: nowMs,
  };
}
