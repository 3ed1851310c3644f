/** The producer id of an idempotent producer: asked for once, and again when a partition lost track of it. */
import { errorFor } from '../kafka-error.ts';
import { Errors } from '../protocol/error-codes.ts';
import { initProducerIdApi } from '../protocol/messages/init-producer-id.ts';
import type { Cluster } from '../wire.ts';
import type { ProducerIdentity } from './pending-batch.ts';

/** Without a transactional id nothing times out; the field is there all the same. */
const NO_TRANSACTION_TIMEOUT_MS = 0x7fffffff;

/** One InitProducerId to any broker. Rejects KAFKA_RETRIABLE, KAFKA_UNAVAILABLE, KAFKA_FATAL. */
export async function askIdentity(cluster: Cluster, channel: string): Promise<ProducerIdentity> {
  const target = { nodeId: await cluster.anyBroker(), channel };
  const { errorCode, producerId, producerEpoch } = await cluster.request(
    target,
    initProducerIdApi,
    {
      transactionalId: null,
      transactionTimeoutMs: NO_TRANSACTION_TIMEOUT_MS,
    },
  );
  if (errorCode !== Errors.NONE) throw errorFor(errorCode, 'asking for a producer id');
  return { producerId, producerEpoch };
}
