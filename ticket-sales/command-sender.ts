/** Puts commands and definitions into their topics: encoded, keyed, partitioned as every other producer would. */
import { MillraceError } from '../base/errors.ts';
import { partitionForKey } from '../kafka/murmur2.ts';
import type { KafkaClient, Producer, SentRecord } from '../kafka/ports.ts';
import { type Serde, toBytes } from '../schemas/serde.ts';

export interface CommandSender {
  /** Resolves when the record is durable (acks=all). Rejects KAFKA_AMBIGUOUS or KAFKA_UNAVAILABLE. */
  send<T>(
    target: { readonly topic: string; readonly serde: Serde<T> },
    key: string,
    value: T,
  ): Promise<SentRecord>;
}

export function createCommandSender(kafka: KafkaClient, producer: Producer): CommandSender {
  const partitionCounts = new Map<string, number>();

  const countOf = async (topic: string): Promise<number> => {
    const count = await kafka.partitionCount(topic);
    if (count === undefined)
      throw new MillraceError('KAFKA_UNAVAILABLE', `topic ${topic} does not exist`);
    partitionCounts.set(topic, count);
    return count;
  };

  return {
    send: async ({ topic, serde }, key, value) => {
      const keyBytes = Buffer.from(key);
      const count = partitionCounts.get(topic) ?? (await countOf(topic));
      const partition = partitionForKey(keyBytes, 0, keyBytes.length, count);
      return producer.send(topic, partition, { key: keyBytes, value: toBytes(serde, value) });
    },
  };
}
