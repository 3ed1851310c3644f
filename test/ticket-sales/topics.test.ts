import { describe, expect, test } from 'vitest';
import { partitionForKey } from '../../kafka/murmur2.ts';
import type { Admin, KafkaClient, Producer, TopicSpec } from '../../kafka/ports.ts';
import { fromBytes } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import { createCommandSender } from '../../ticket-sales/command-sender.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { ensureTopics, ticketTopics } from '../../ticket-sales/topics.ts';

describe('the topics of the sale', () => {
  function admin(existing: readonly string[], timestampType: string) {
    const created: TopicSpec[] = [];
    const fake = {
      createTopics: async (topics: readonly TopicSpec[]) => {
        created.push(...topics.filter(({ name }) => !existing.includes(name)));
        return { created: created.map(({ name }) => name), existing };
      },
      topicConfigs: async () => new Map([['message.timestamp.type', timestampType]]),
    };
    return { created, admin: fake as unknown as Admin };
  }

  test('are created with one number of partitions; commands in log time, states compacted', async () => {
    const { created, admin: fake } = admin([], 'CreateTime');
    await ensureTopics(fake, ticketTopics(6, 3));
    expect(
      new Set(
        created.map(({ partitions, replicationFactor }) => `${partitions} ${replicationFactor}`),
      ),
    ).toEqual(new Set(['6 3']));
    const configs = new Map(created.map(({ name, configs: each }) => [name, each]));
    expect(configs.get(TOPICS.commands)).toMatchObject({
      'message.timestamp.type': 'LogAppendTime',
      'cleanup.policy': 'delete',
    });
    for (const name of [TOPICS.events, TOPICS.purchaseStatus, TOPICS.inventory]) {
      expect(configs.get(name)).toMatchObject({ 'cleanup.policy': 'compact' });
    }
  });

  test('that exist with the time of producers are refused, with the way out', async () => {
    const { admin: fake } = admin([TOPICS.commands], 'CreateTime');
    await expect(ensureTopics(fake, ticketTopics(6, 3))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      hint: expect.stringContaining('message.timestamp.type=LogAppendTime'),
    });
    const { admin: sound } = admin([TOPICS.commands], 'LogAppendTime');
    await ensureTopics(sound, ticketTopics(6, 3));
  });
});

describe('the sender of commands', () => {
  function sender(partitionCount: number | undefined) {
    const sent: { topic: string; partition: number; key: string; value: string }[] = [];
    let asked = 0;
    const kafka = {
      partitionCount: async () => {
        asked++;
        return partitionCount;
      },
    } as unknown as KafkaClient;
    const producer = {
      send: async (
        topic: string,
        partition: number,
        { key, value }: { key: Buffer; value: Buffer },
      ) => {
        sent.push({ topic, partition, key: String(key), value: fromBytes(stringSerde, value) });
        return { partition, offset: sent.length - 1 };
      },
    } as unknown as Producer;
    return { sent, sender: createCommandSender(kafka, producer), asked: () => asked };
  }

  test('puts a command where every Java producer would put its key', async () => {
    const { sent, sender: ours, asked } = sender(7);
    const target = { topic: 'commands', serde: stringSerde };
    for (const key of ['gala/floor', 'gala/b\u00fchne', 'x']) {
      const bytes = Buffer.from(key);
      const partition = partitionForKey(bytes, 0, bytes.length, 7);
      expect(await ours.send(target, key, `value of ${key}`)).toEqual({
        partition,
        offset: sent.length - 1,
      });
      expect(sent.at(-1)).toEqual({ topic: 'commands', partition, key, value: `value of ${key}` });
    }
    expect(asked()).toBe(1);
  });

  test('says that Kafka is not available when the topic is not there', async () => {
    const { sender: ours } = sender(undefined);
    const sending = ours.send({ topic: 'commands', serde: stringSerde }, 'k', 'v');
    await expect(sending).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  });
});
