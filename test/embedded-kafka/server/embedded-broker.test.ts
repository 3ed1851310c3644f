import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import {
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
  startEmbeddedBroker,
} from '../../../embedded-kafka/server/embedded-broker.ts';
import { createKafkaClient } from '../../../kafka/kafka-client.ts';
import { metadataApi } from '../../../kafka/protocol/messages/metadata.ts';
import { RawBroker } from '../../kit/raw-broker.ts';

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function newDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'embedded-broker-'));
  cleanUps.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function start(options: Partial<EmbeddedBrokerOptions> = {}): Promise<EmbeddedBroker> {
  const broker = await startEmbeddedBroker({
    dataDirectory: options.dataDirectory ?? newDirectory(),
    listen: { host: '127.0.0.1', port: 0 },
    config: {},
    log: silentLog,
    ...options,
  });
  cleanUps.push(() => broker.stop());
  return broker;
}

function clientOf(broker: EmbeddedBroker) {
  const client = createKafkaClient({
    connection: broker.connectionFor('test'),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  cleanUps.push(() => client.close());
  return client;
}

/** What Metadata says to a client that comes by TCP. */
async function brokersToldTo({ host, port }: { readonly host: string; readonly port: number }) {
  const client = await RawBroker.connect(`${host}:${port}`);
  const { brokers } = await client.request(metadataApi, 9, { topics: [] });
  client.close();
  return brokers;
}

const spec = (name: string) => ({ name, partitions: 1, replicationFactor: 1, configs: {} });

describe('the embedded broker in its own thread', () => {
  test('tells clients by TCP the address it is to be found at, where one is configured', async () => {
    const nat = { host: 'broker.test', port: 19_092 };
    for (const [advertised, expected] of [
      [nat, nat],
      [
        { host: '[2001:db8::1]', port: 9092 },
        { host: '2001:db8::1', port: 9092 },
      ],
      [null, undefined],
    ] as const) {
      const broker = await start({ advertised });
      const told = await brokersToldTo(broker.address!);
      expect(told).toMatchObject([expected ?? broker.address!]);
    }
  });

  test('serves its own process over message ports, and what is written stays over a restart', async () => {
    const dataDirectory = newDirectory();
    const broker = await start({ dataDirectory, listen: null });
    expect(broker.address).toBeNull();
    const client = clientOf(broker);
    await client.admin.createTopics([spec('kept')]);
    const producer = client.producer({
      deliveryTimeoutMs: 10_000,
      lingerMs: 0,
      compression: 'none',
    });
    const sent = await producer.send('kept', 0, { key: null, value: Buffer.from('x') });
    expect(sent).toEqual({ partition: 0, offset: 0 });
    await producer.close();
    await client.close();
    await broker.stop();

    const again = await start({ dataDirectory, listen: null });
    expect(again.clusterId).toBe(broker.clusterId);
    const ends = await clientOf(again).admin.listOffsets(
      [{ topic: 'kept', partition: 0 }],
      'latest',
      'read_uncommitted',
    );
    expect(ends.get('kept-0')?.offset).toBe(1);
  });

  test('a second broker on the same data is refused, by whatever path it comes', async () => {
    const dataDirectory = newDirectory();
    await start({ dataDirectory });
    const other = path.join(newDirectory(), 'link');
    fs.symlinkSync(dataDirectory, other);
    for (const each of [dataDirectory, other]) {
      await expect(start({ dataDirectory: each })).rejects.toMatchObject({
        code: 'STATE_DIR_LOCKED',
        hint: expect.stringContaining('Stop the other process'),
      });
    }
  });

  test('the data may be taken over as soon as the first broker has stopped', async () => {
    const dataDirectory = newDirectory();
    const first = await start({ dataDirectory });
    await first.stop();
    await start({ dataDirectory });
  });

  test('a port that is taken is named, with the setting that changes it', async () => {
    const squatter = net.createServer();
    squatter.listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    cleanUps.push(() => squatter.close());
    const { port } = squatter.address() as net.AddressInfo;
    const dataDirectory = newDirectory();
    await expect(
      start({ dataDirectory, listen: { host: '127.0.0.1', port } }),
    ).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining(`127.0.0.1:${port}`),
      hint: expect.stringContaining('EMBEDDED_LISTEN'),
    });
    // Nothing was left locked.
    await start({ dataDirectory });
  });

  test('a setting that makes no sense is refused by its name', async () => {
    await expect(start({ config: { 'group.max.size': 'many' } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('group.max.size'),
    });
  });

  test('a directory that cannot be one is refused', async () => {
    const file = path.join(newDirectory(), 'file');
    fs.writeFileSync(file, '');
    await expect(start({ dataDirectory: path.join(file, 'data') })).rejects.toMatchObject({
      code: 'STATE_DIR_UNUSABLE',
    });
  });
});
