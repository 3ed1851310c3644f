/**
 * Open transactions in the partitions that the coordinator's log does not know. Under V2 a partition is
 * added to its transaction by a record that is written, but not made durable, before the data: the data
 * is what the producer waits for, and a power loss may keep it and take the addition. At start such a
 * transaction is found here, and aborted with its producer fenced: nothing of it may be committed then,
 * least of all a part.
 */
import { partitionKey, type TopicPartition } from '../../../kafka/ports.ts';
import type { TopicManager } from '../../ports.ts';
import { partitionsOf, type TransactionMetadata } from './transaction-metadata.ts';

export interface Orphan extends TopicPartition {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface Orphans {
  /** By transactional id: its producer's transaction is open here, and it does not know. */
  readonly owned: ReadonlyMap<string, readonly Orphan[]>;
  /** Of producers that no transactional id has any more. */
  readonly ownerless: Orphan[];
}

export function findOrphans(
  topics: TopicManager,
  transactions: Iterable<TransactionMetadata>,
): Orphans {
  const byProducer = new Map<number, TransactionMetadata>();
  for (const metadata of transactions) byProducer.set(metadata.producerId, metadata);
  const owned = new Map<string, Orphan[]>();
  const ownerless: Orphan[] = [];
  for (const orphan of openTransactions(topics)) {
    const owner = byProducer.get(orphan.producerId);
    if (owner === undefined) {
      ownerless.push(orphan);
      continue;
    }
    const key = partitionKey(orphan.topic, orphan.partition);
    if (partitionsOf(owner.phase).has(key)) continue;
    const others = owned.get(owner.transactionalId);
    if (others === undefined) owned.set(owner.transactionalId, [orphan]);
    else others.push(orphan);
  }
  return { owned, ownerless };
}

function* openTransactions(topics: TopicManager): Iterable<Orphan> {
  for (const { name, partitions } of topics.topics()) {
    for (const each of partitions) {
      for (const producer of each.producers()) {
        if (producer.currentTransactionStartOffset < 0) continue;
        const { producerId, producerEpoch } = producer;
        yield { topic: name, partition: each.partition, producerId, producerEpoch };
      }
    }
  }
}
