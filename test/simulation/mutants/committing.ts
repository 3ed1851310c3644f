/** Transactional producers whose commits are not what they seem. */
import type {
  KafkaClient,
  Transaction,
  TransactionalProducer,
  TransactionOutcome,
} from '../../../kafka/ports.ts';

export type Commit = (
  producer: TransactionalProducer,
  transaction: Transaction,
) => Promise<TransactionOutcome>;

export function withCommit(client: KafkaClient, commit: Commit): KafkaClient {
  return {
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
  };
}
