/** One Produce request of one batch per partition, and its answer taken apart. */
import { partitionKey } from '../ports.ts';
import type { RequestOf, ResponseOf } from '../protocol/define-api.ts';
import type { produceApi } from '../protocol/messages/produce.ts';
import type { EncodedBatch } from '../records/types.ts';

const ACKS_ALL = -1;

type ProduceResponse = ResponseOf<typeof produceApi>;
export type ProduceAnswer = ProduceResponse['responses'][number]['partitionResponses'][number];

export function produceRequest(
  batches: readonly EncodedBatch[],
  timeoutMs: number,
): RequestOf<typeof produceApi> {
  const topics = new Map<string, { index: number; records: Buffer }[]>();
  for (const { topic, partition, bytes } of batches) {
    const entry = { index: partition, records: bytes };
    const entries = topics.get(topic);
    if (entries === undefined) topics.set(topic, [entry]);
    else entries.push(entry);
  }
  const topicData = [...topics].map(([name, partitionData]) => ({ name, partitionData }));
  return { transactionalId: null, acks: ACKS_ALL, timeoutMs, topicData };
}

/** By partitionKey. */
export function answersByPartition(response: ProduceResponse): Map<string, ProduceAnswer> {
  const answers = new Map<string, ProduceAnswer>();
  for (const { name, partitionResponses } of response.responses) {
    for (const answer of partitionResponses) answers.set(partitionKey(name, answer.index), answer);
  }
  return answers;
}
