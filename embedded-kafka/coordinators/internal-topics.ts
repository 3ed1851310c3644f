/** The topics in which coordinators keep their state: opened or created, and which partition a key lives in. */
import { MillraceError } from '../../base/errors.ts';
import { errorName } from '../../kafka/protocol/error-codes.ts';
import type { Partition, Topic, TopicManager } from '../ports.ts';

export const OFFSETS_TOPIC = '__consumer_offsets';
export const TRANSACTIONS_TOPIC = '__transaction_state';

const INTERNAL_TOPIC_CONFIGS: ReadonlyMap<string, string> = new Map([
  ['cleanup.policy', 'compact'],
  ['compression.type', 'producer'],
  ['segment.bytes', String(16 * 1024 * 1024)],
]);

/** The count of an existing topic stays: it decides where keys live. Throws INTERNAL when it cannot be created. */
export function openInternalTopic(topics: TopicManager, name: string, partitions: number): Topic {
  const existing = topics.topic(name);
  if (existing !== undefined) return existing;
  const created = topics.createTopic({
    name,
    partitions,
    configs: INTERNAL_TOPIC_CONFIGS,
    isInternal: true,
  });
  if (created.topic !== undefined) return created.topic;
  throw new MillraceError('INTERNAL', `Cannot create ${name}: ${errorName(created.error)}`);
}

/** Where Kafka would put the key as well: the absolute value of Java's String.hashCode, modulo the count. */
export function partitionForKey(topic: Topic, key: string): Partition {
  const count = topic.partitions.length;
  const partition = topic.partitions[(javaHashCode(key) & 0x7fffffff) % count];
  if (partition === undefined) throw new MillraceError('INTERNAL', `${topic.name} is empty`);
  return partition;
}

export function javaHashCode(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  }
  return hash;
}
