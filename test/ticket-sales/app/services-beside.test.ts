import { describe, expect, test } from 'vitest';
import { silentLog } from '../../../base/log.ts';
import type { KafkaClient } from '../../../kafka/ports.ts';
import { readConfig } from '../../../ticket-sales/app/config.ts';
import type { ServiceDeps } from '../../../ticket-sales/app/services.ts';
import { startServicesBeside } from '../../../ticket-sales/app/services-beside.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';

/** A Kafka of which only the ends of topics can be had: whoever starts on it fails. */
function scene(env: Readonly<Record<string, string>> = {}) {
  const looks: string[] = [];
  const ends = new Map<string, number>();
  let refusals = 0;
  const kafka = {
    partitionCount: async () => 1,
    admin: {
      listOffsets: async (partitions: readonly { readonly topic: string }[]) => {
        if (refusals-- > 0) throw new Error('no leader');
        looks.push(...partitions.map(({ topic }) => topic));
        return new Map(
          partitions.map(({ topic }) => [`${topic}-0`, { offset: ends.get(topic) ?? 0 }]),
        );
      },
    },
  } as unknown as KafkaClient;
  const { config } = readConfig(env);
  const deps = { config, kafka, log: silentLog } as unknown as ServiceDeps;
  return {
    looks,
    ends,
    refuse: (count: number) => {
      refusals = count;
    },
    start: (isEmbedded: boolean) => startServicesBeside(deps, isEmbedded),
  };
}

const seen = (looks: readonly string[]) => [...new Set(looks)].sort();
const ALL = [TOPICS.notificationRequests, TOPICS.paymentRequests, TOPICS.refundRequests].sort();

describe('services beside the sale', () => {
  test('sleep with the embedded broker until something is asked for', async () => {
    const { start, looks, ends, refuse } = scene();
    refuse(1);
    const services = start(true);
    await expect.poll(() => seen(looks), { timeout: 5_000 }).toEqual(ALL);
    let hasWoken = false;
    const woken = services.failed.then(() => {
      hasWoken = true;
    });
    expect(hasWoken).toBe(false);
    ends.set(TOPICS.refundRequests, 1);
    await woken;
    await services.stop(0);
  });

  test('that nobody asked for do not even look', async () => {
    const off = scene({ PAYMENTS: 'off', NOTIFICATIONS: 'off' });
    await off.start(true).stop(0);
    const outside = scene({ KAFKA_BROKERS: 'kafka:9092' });
    await outside.start(false).stop(0);
    expect([off.looks, outside.looks]).toEqual([[], []]);
  });

  test('that were asked for by a setting start at once on a Kafka outside', async () => {
    const { start, looks } = scene({ KAFKA_BROKERS: 'kafka:9092', PAYMENTS: 'simulated' });
    const services = start(false);
    expect(await services.failed).toBeInstanceOf(Error);
    expect(looks).toEqual([]);
    await services.stop(0);
  });

  test('that sleep stop at once', async () => {
    const { start } = scene();
    await start(true).stop(0);
  });
});
