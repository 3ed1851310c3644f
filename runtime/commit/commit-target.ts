/**
 * Where a commit goes: two alternating transactional producers (exactly_once_v2), or an idempotent
 * producer and an offset commit (at_least_once). One commit at a time.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type {
  Admin,
  ProducedRange,
  Producer,
  Transaction,
  TransactionalProducer,
  TransactionOutcome,
} from '../../kafka/ports.ts';

export interface CommitTarget {
  /** Fences and finishes whatever was open; needed before the first commit and after any failed one. */
  init(signal: AbortSignal): Promise<void>;
  /** Never rejects. */
  commit(transaction: Transaction): Promise<TransactionOutcome>;
  close(): Promise<void>;
}

/**
 * A 4.x broker makes a producer wait about 20 ms between two transactions; two take turns. The next
 * transaction starts only after the one before has committed, so order is that of one producer.
 */
export function exactlyOnceTarget(producers: readonly TransactionalProducer[]): CommitTarget {
  let turn = 0;
  return {
    init: async (signal) => {
      for (const producer of producers) await producer.init(signal);
    },
    commit: (transaction) => producers[turn++ % producers.length]!.commit(transaction),
    close: async () => {
      for (const producer of producers) producer.close();
    },
  };
}

export interface AtLeastOnceContext {
  readonly clock: Clock;
  readonly random: Random;
  /** How long an offset commit is tried again. */
  readonly deliveryTimeoutMs: number;
}

export function atLeastOnceTarget(
  producer: Producer,
  admin: Admin,
  context: AtLeastOnceContext,
): CommitTarget {
  return {
    init: async () => {},
    commit: (transaction) => commitAtLeastOnce(producer, admin, context, transaction),
    close: () => producer.close(),
  };
}

const NOTHING_PRODUCED: ReadonlyMap<string, ProducedRange> = new Map();

async function commitAtLeastOnce(
  producer: Producer,
  admin: Admin,
  context: AtLeastOnceContext,
  { batches, offsets, group }: Transaction,
): Promise<TransactionOutcome> {
  const deadlineMs = context.clock.monotonicMs() + context.deliveryTimeoutMs;
  try {
    const produced = batches.length === 0 ? NOTHING_PRODUCED : await producer.sendBatches(batches);
    for (let attempt = 0; ; attempt++) {
      const metadata = await group();
      if (metadata === undefined) {
        const cause = new MillraceError('KAFKA_FENCED', 'no longer a member of the group');
        return { kind: 'fenced', cause };
      }
      try {
        await admin.commitOffsets(metadata, offsets);
        return { kind: 'committed', produced };
      } catch (error) {
        if (!isMillraceError(error, 'KAFKA_RETRIABLE')) throw error;
        if (context.clock.monotonicMs() >= deadlineMs) throw error;
        const delayMs = backoffMs(attempt, { initialMs: 20, maxMs: 1_000 }, context.random);
        await context.clock.sleep(delayMs);
      }
    }
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    if (isMillraceError(error, 'KAFKA_FENCED')) return { kind: 'fenced', cause };
    if (isMillraceError(error, 'KAFKA_FATAL', 'KAFKA_AUTHENTICATION'))
      return { kind: 'fatal', cause };
    return { kind: 'unknown', cause };
  }
}
