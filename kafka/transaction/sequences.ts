/**
 * Sequence numbers of one producer id and epoch, per partition. They go on from transaction to
 * transaction while the epoch stays (V1) and start again at 0 with a new epoch: make a new one then.
 */

import { partitionKey } from '../ports.ts';
import { incrementSequence, stampProducer } from '../records/batch-builder.ts';
import type { EncodedBatch } from '../records/types.ts';

export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export class Sequences {
  readonly #next = new Map<string, number>();

  /**
   * Writes id, epoch and sequence into a batch, once and for ever: from here on only the same bytes
   * may be sent, or the broker could no longer tell a repetition from something new.
   */
  stamp(batch: EncodedBatch, identity: ProducerIdentity): void {
    const key = partitionKey(batch.topic, batch.partition);
    const baseSequence = this.#next.get(key) ?? 0;
    stampProducer(batch.bytes, { ...identity, baseSequence, transactional: true });
    this.#next.set(key, incrementSequence(baseSequence, batch.recordCount));
  }
}
