/**
 * Carries the outcome of a transaction into its partitions, and into the group coordinator where these
 * hold offsets. Writing a marker twice is harmless, so a restart simply writes them all again.
 */
import { MillraceError } from '../../../base/errors.ts';
import type { Log } from '../../../base/log.ts';
import type { TopicPartition } from '../../../kafka/ports.ts';
import { Errors, errorName } from '../../../kafka/protocol/error-codes.ts';
import type { TopicManager } from '../../ports.ts';
import { OFFSETS_TOPIC } from '../internal-topics.ts';
import type { ProducerIdentity } from './transitions.ts';

/** What the group coordinator does when a producer's transaction ends in a partition of its topic. */
export interface PendingOffsets {
  completeTransaction(end: {
    readonly offsetsPartition: number;
    readonly producerId: number;
    readonly committed: boolean;
  }): void;
}

const COORDINATOR_EPOCH = 0;

export class MarkerWriter {
  readonly #topics: TopicManager;
  readonly #offsets: PendingOffsets;
  readonly #log: Log;
  readonly #before: (() => Promise<void>) | undefined;

  /** `before`: awaited before each marker. */
  constructor(
    topics: TopicManager,
    offsets: PendingOffsets,
    log: Log,
    before?: () => Promise<void>,
  ) {
    this.#before = before;
    this.#topics = topics;
    this.#offsets = offsets;
    this.#log = log;
  }

  /** Resolves when every partition's marker is durable. */
  async write(
    producer: ProducerIdentity,
    targets: Iterable<TopicPartition>,
    committed: boolean,
  ): Promise<void> {
    const writes = Array.from(targets, (target) => this.#writeOne(target, producer, committed));
    await Promise.all(writes);
  }

  async #writeOne(
    target: TopicPartition,
    { producerId, producerEpoch }: ProducerIdentity,
    committed: boolean,
  ): Promise<void> {
    await this.#before?.();
    // Deleted meanwhile: there is nothing left to end.
    const partition = this.#topics.partition(target.topic, target.partition);
    if (partition === undefined) return;
    const coordinatorEpoch = COORDINATOR_EPOCH;
    const marker = { producerId, producerEpoch, coordinatorEpoch, committed };
    const { error } = await partition.appendMarker(marker);
    if (error === Errors.KAFKA_STORAGE_ERROR) {
      throw new MillraceError('STORE_IO', `No marker in ${target.topic}-${target.partition}`);
    }
    // Any other refusal is final: the producer's transaction is over there in some other way. Offsets
    // that are pending now are a later transaction's: a marker that comes late must not drop them.
    if (error !== Errors.NONE) {
      const facts = { ...target, producerId, producerEpoch };
      this.#log.warn({ ...facts, error: errorName(error) }, 'transaction marker refused');
      return;
    }
    if (target.topic !== OFFSETS_TOPIC) return;
    this.#offsets.completeTransaction({
      offsetsPartition: target.partition,
      producerId,
      committed,
    });
  }
}
