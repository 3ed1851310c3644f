/** Bugs in how outcomes of transactions are understood, and in where tasks begin. */
import type {
  CommittedOffset,
  KafkaClient,
  ProducedRange,
  Transaction,
  TransactionalProducer,
  TransactionOutcome,
} from '../../../kafka/ports.ts';
import type { Mutant } from '../mutants.ts';

type Commit = (
  producer: TransactionalProducer,
  transaction: Transaction,
) => Promise<TransactionOutcome>;

function committing(commit: Commit): Mutant['mutation'] {
  return () => ({
    client: (client) => ({
      ...client,
      transactionalProducer: (id, how) => {
        const producer = client.transactionalProducer(id, how);
        return {
          transactionalId: producer.transactionalId,
          init: (signal) => producer.init(signal),
          close: () => producer.close(),
          commit: (transaction) => commit(producer, transaction),
        };
      },
    }),
  });
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

function withCommittedOffsets(change: (offset: number) => number): Mutant['mutation'] {
  const changed = (client: KafkaClient): KafkaClient => ({
    ...client,
    admin: {
      ...client.admin,
      committedOffsets: async (...asked) => {
        const offsets = await client.admin.committedOffsets(...asked);
        return new Map<string, CommittedOffset>(
          [...offsets].map(([key, each]) => [key, { ...each, offset: change(each.offset) }]),
        );
      },
    },
  });
  return () => ({ client: changed });
}

function movedOn({ baseOffset, nextOffset, leaderEpoch }: ProducedRange): ProducedRange {
  return { baseOffset, nextOffset: nextOffset + 4, leaderEpoch };
}

export const CLIENT_MUTANTS: readonly Mutant[] = [
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
  {
    name: 'position-too-far',
    what: 'the position of a store is beyond what it has applied',
    mutation: committing(async (producer, transaction) => {
      const outcome = await producer.commit(transaction);
      if (outcome.kind !== 'committed') return outcome;
      const produced = [...outcome.produced].map(([key, range]) => [key, movedOn(range)] as const);
      return { kind: 'committed', produced: new Map(produced) };
    }),
  },
  {
    name: 'begins-too-early',
    what: 'a task begins with the last record that it had committed already',
    mutation: withCommittedOffsets((offset) => (offset > 0 ? offset - 1 : offset)),
  },
  {
    name: 'begins-too-late',
    what: 'a task skips a record when it starts',
    mutation: withCommittedOffsets((offset) => (offset > 0 ? offset + 1 : offset)),
  },
];
