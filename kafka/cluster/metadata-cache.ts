/**
 * What the last Metadata answers said: brokers, controller, topics and leaders. Pure; who asks and when
 * is cluster.ts's business. A leader never goes back to an older epoch of the same topic, because a
 * broker that lags behind may answer, too.
 */
import { MillraceError } from '../../base/errors.ts';
import type { ResponseOf } from '../protocol/define-api.ts';
import { Errors, errorName, isRetriable } from '../protocol/error-codes.ts';
import type { metadataApi } from '../protocol/messages/metadata.ts';
import type { BrokerAddress, PartitionLeader, TopicMetadata } from '../wire.ts';

export type MetadataResponse = ResponseOf<typeof metadataApi>;
type TopicAnswer = MetadataResponse['topics'][number];

const NO_NODE = -1;

export class MetadataCache {
  #brokers = new Map<number, BrokerAddress>();
  #topics = new Map<string, TopicMetadata>();
  /** Why a topic could not be described, from its last answer; cleared by the next one. */
  readonly #refusals = new Map<string, MillraceError>();
  #controllerId = NO_NODE;
  /** When the last answer came, on the caller's monotonic clock. */
  updatedAtMs = Number.NEGATIVE_INFINITY;

  get brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.#brokers;
  }

  get controllerId(): number | undefined {
    return this.#controllerId === NO_NODE ? undefined : this.#controllerId;
  }

  get topicNames(): readonly string[] {
    return [...this.#topics.keys()];
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name);
  }

  /** The error with which the topic was last refused; undefined also when it does not exist. */
  refusal(name: string): MillraceError | undefined {
    return this.#refusals.get(name);
  }

  leaderOf(topic: string, partition: number): PartitionLeader | undefined {
    const leader = this.#topics.get(topic)?.partitions.get(partition);
    return leader === undefined || leader.nodeId === NO_NODE ? undefined : leader;
  }

  /** A broker that another answer (FindCoordinator) has named. */
  addBroker(nodeId: number, address: BrokerAddress): void {
    this.#brokers.set(nodeId, address);
  }

  /** Nothing of what is known about brokers can be believed any more. */
  forgetBrokers(): void {
    this.#brokers = new Map();
    this.#controllerId = NO_NODE;
  }

  update(answer: MetadataResponse, nowMs: number): void {
    this.updatedAtMs = nowMs;
    this.#brokers = new Map(
      answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]),
    );
    this.#controllerId = answer.controllerId;
    for (const topic of answer.topics) {
      if (topic.name !== null) this.#updateTopic(topic.name, topic);
    }
  }

  #updateTopic(name: string, answer: TopicAnswer): void {
    this.#refusals.delete(name);
    if (answer.errorCode === Errors.NONE) {
      this.#topics.set(name, mergeTopic(name, this.#topics.get(name), answer));
      return;
    }
    // A retriable refusal says nothing about what we know already.
    if (answer.errorCode === Errors.UNKNOWN_TOPIC_OR_PARTITION) this.#topics.delete(name);
    else if (!this.#topics.has(name)) this.#refusals.set(name, refusalOf(name, answer.errorCode));
  }
}

function mergeTopic(
  name: string,
  known: TopicMetadata | undefined,
  answer: TopicAnswer,
): TopicMetadata {
  const isSame = known?.topicId === answer.topicId;
  const partitions = new Map<number, PartitionLeader>();
  for (const { partitionIndex, leaderId, leaderEpoch } of answer.partitions) {
    const before = isSame ? known?.partitions.get(partitionIndex) : undefined;
    const isStale = before !== undefined && leaderEpoch !== -1 && before.leaderEpoch > leaderEpoch;
    partitions.set(partitionIndex, isStale ? before : { nodeId: leaderId, leaderEpoch });
  }
  return { name, topicId: answer.topicId, partitions };
}

function refusalOf(name: string, errorCode: number): MillraceError {
  const code = isRetriable(errorCode) ? 'KAFKA_RETRIABLE' : 'KAFKA_FATAL';
  return new MillraceError(code, `topic ${name}: ${errorName(errorCode)}`, {
    facts: { topic: name, kafkaError: errorName(errorCode) },
    ...(errorCode === Errors.TOPIC_AUTHORIZATION_FAILED
      ? { hint: `Allow this principal to describe topic ${name}.` }
      : {}),
  });
}
