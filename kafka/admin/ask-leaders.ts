/** Questions about partitions that only their leaders answer: shared out by leader, until all are answered. */
import { MillraceError } from '../../base/errors.ts';
import { errorFor } from '../kafka-error.ts';
import { partitionKey, type TopicPartition } from '../ports.ts';
import { Errors, isRetriable } from '../protocol/error-codes.ts';
import type { AdminContext } from './admin-context.ts';
import { retrying } from './retrying.ts';

export interface PartitionAnswer extends TopicPartition {
  readonly errorCode: number;
}

/**
 * `ask` sends one request to one leader and returns an answer per partition. Answers with retriable
 * errors are asked for again, of the leader of then; any other error rejects. By partitionKey.
 */
export async function askLeaders<Item extends TopicPartition, Answer extends PartitionAnswer>(
  context: AdminContext,
  what: string,
  items: readonly Item[],
  ask: (nodeId: number, items: readonly Item[]) => Promise<readonly Answer[]>,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  let waiting = items;
  const beforeRetry = () => context.cluster.refreshMetadata(topicsOf(waiting));
  await retrying(context.deps, { timeoutMs: context.timeoutMs, beforeRetry }, async () => {
    const shares = await shareOut(context, waiting);
    const asked = [...shares].map(([nodeId, share]) => ask(nodeId, share));
    const settled = await Promise.allSettled(asked);
    for (const answer of settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))) {
      if (answer.errorCode === Errors.NONE) answers.set(keyOf(answer), answer);
      else if (!isRetriable(answer.errorCode))
        throw errorFor(answer.errorCode, nameOf(what, answer));
    }
    waiting = items.filter((item) => !answers.has(keyOf(item)));
    for (const one of settled) if (one.status === 'rejected') throw one.reason;
    if (waiting.length > 0) throw notYet(what, waiting[0]!);
  });
  return answers;
}

async function shareOut<Item extends TopicPartition>(
  { cluster }: AdminContext,
  items: readonly Item[],
): Promise<Map<number, Item[]>> {
  const isUnknown = (item: Item) => cluster.leaderOf(item.topic, item.partition) === undefined;
  const unknown = items.filter(isUnknown);
  if (unknown.length > 0) await cluster.refreshMetadata(topicsOf(unknown));
  const shares = new Map<number, Item[]>();
  for (const item of items) {
    const leader = cluster.leaderOf(item.topic, item.partition);
    if (leader === undefined) continue;
    const share = shares.get(leader.nodeId);
    if (share === undefined) shares.set(leader.nodeId, [item]);
    else share.push(item);
  }
  return shares;
}

/** Partitions by topic, in the shape that most requests have. */
export function byTopic<Item extends TopicPartition, Partition>(
  items: readonly Item[],
  toPartition: (item: Item) => Partition,
): { name: string; partitions: Partition[] }[] {
  const topics = new Map<string, Partition[]>();
  for (const item of items) {
    const partitions = topics.get(item.topic);
    if (partitions === undefined) topics.set(item.topic, [toPartition(item)]);
    else partitions.push(toPartition(item));
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }));
}

function topicsOf(items: readonly TopicPartition[]): string[] {
  return [...new Set(items.map((item) => item.topic))];
}

function keyOf({ topic, partition }: TopicPartition): string {
  return partitionKey(topic, partition);
}

function nameOf(what: string, item: TopicPartition): string {
  return `${what} of ${keyOf(item)}`;
}

function notYet(what: string, item: TopicPartition): MillraceError {
  return new MillraceError('KAFKA_RETRIABLE', `${nameOf(what, item)}: no leader answers for it`, {
    hint: 'Check that the topic exists and that its brokers run.',
    facts: { topic: item.topic, partition: item.partition },
  });
}
