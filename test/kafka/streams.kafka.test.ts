import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KafkaClient, Producer } from '../../kafka/ports.ts';
import { KafkaStreams } from '../../runtime/kafka-streams.ts';
import type { StreamsOptions } from '../../runtime/streams-config.ts';
import {
  brokers,
  checkCounts,
  connection,
  createTopics,
  Instance,
  inputLag,
  openClient,
  produce,
  readCommitted,
  stateDirectory,
  uniqueId,
  until,
} from './streams/harness.ts';
import { countingTopology, wordCountTopology } from './streams/topologies.ts';

const PARTITIONS = 3;
const KEYS = 20;

describe.skipIf(brokers === '')('streams on a real Kafka', { timeout: 180_000 }, () => {
  let client: KafkaClient;
  let producer: Producer;
  beforeAll(() => {
    client = openClient();
    producer = client.producer({ deliveryTimeoutMs: 30_000, lingerMs: 1, compression: 'none' });
  });
  afterAll(async () => {
    await producer.close();
    await client.close();
  });

  async function application(): Promise<{
    readonly config: StreamsOptions;
    readonly topics: { readonly input: string; readonly output: string };
  }> {
    const applicationId = uniqueId();
    const topics = { input: `${applicationId}-in`, output: `${applicationId}-out` };
    await createTopics(client, Object.values(topics), PARTITIONS);
    return { config: { applicationId, stateDir: stateDirectory(), numStreamThreads: 0 }, topics };
  }

  const send = (topic: string, count: number, value?: string) =>
    produce(producer, topic, count, {
      partitions: PARTITIONS,
      keys: KEYS,
      ...(value && { value }),
    });

  const drained = ({ applicationId }: StreamsOptions, topic: string) =>
    until(
      'the input is processed',
      async () => (await inputLag(client, applicationId, topic, PARTITIONS)) === 0,
    );

  const counts = async (topic: string) =>
    checkCounts(await readCommitted(client, topic, PARTITIONS));

  test('every record is counted once, and the store shows what was committed', async () => {
    const { config, topics } = await application();
    const streams = new KafkaStreams({
      config,
      topology: countingTopology(topics),
      connection: connection(),
    });
    await streams.start();
    await send(topics.input, 6_000);
    await drained(config, topics.input);
    expect(await counts(topics.output)).toEqual({ total: 6_000, wrong: [] });
    const local = await streams.openLocal('counts', 1);
    expect(local.kind === 'available' && local.store.get('1-7')).toBe(100);
    expect(await streams.close()).toBe(true);
    expect(streams.state()).toBe('NOT_RUNNING');
  });

  test('a stopped instance goes on where it was, with its state', async () => {
    const { config, topics } = await application();
    for (const round of [1, 2, 3]) {
      const streams = new KafkaStreams({
        config,
        topology: countingTopology(topics),
        connection: connection(),
      });
      await streams.start();
      await send(topics.input, 300);
      await drained(config, topics.input);
      await streams.close();
      expect(await counts(topics.output)).toEqual({ total: 300 * round, wrong: [] });
    }
  });

  test('a lost state directory is restored from the changelog', async () => {
    const { config, topics } = await application();
    for (const round of [1, 2]) {
      const streams = new KafkaStreams({
        config: { ...config, stateDir: stateDirectory() },
        topology: countingTopology(topics),
        connection: connection(),
      });
      await streams.start();
      await send(topics.input, 300);
      await drained(config, topics.input);
      await streams.close();
      expect(await counts(topics.output)).toEqual({ total: 300 * round, wrong: [] });
    }
  });

  test('words are counted through a repartition topic, in worker threads', async () => {
    const { config, topics } = await application();
    const streams = new KafkaStreams({
      config: { ...config, numStreamThreads: 2 },
      topology: {
        module: new URL('./streams/topologies.ts', import.meta.url),
        export: wordCountTopology.name,
        args: topics,
      },
      connection: connection(),
    });
    await streams.start();
    await send(topics.input, 900, 'the quick the');
    await until('all words are counted', async () => (await counts(topics.output)).total === 2_700);
    const records = (await readCommitted(client, topics.output, PARTITIONS)).flat();
    expect(checkCounts([records]).wrong).toEqual([]);
    expect(records.filter(({ key }) => key === 'the')).toHaveLength(1_800);
    await streams.close();
  });

  test('a record that fails halfway leaves no trace but its dead letter, and the others go on', async () => {
    const { config, topics } = await application();
    const streams = new KafkaStreams({
      config,
      topology: countingTopology(topics),
      connection: connection(),
    });
    await streams.start();
    await send(topics.input, 300);
    await producer.send(topics.input, 0, {
      key: Buffer.from('0-1'),
      value: Buffer.from('fails after its write'),
    });
    await send(topics.input, 300);
    await drained(config, topics.input);
    expect(await counts(topics.output)).toEqual({ total: 600, wrong: [] });
    const letters = (await readCommitted(client, `${topics.input}.dlq`, PARTITIONS)).flat();
    expect(letters).toHaveLength(1);
    expect(letters[0]!.key).toBe('0-1');
    expect(letters[0]!.headers.get('__streams.errors.message')).toBe('as told');
    expect(letters[0]!.headers.get('__streams.errors.offset')).toBe('100');
    await streams.close();
  });

  test('at least once, every record is counted', async () => {
    const { config, topics } = await application();
    const streams = new KafkaStreams({
      config: { ...config, processingGuarantee: 'at_least_once' },
      topology: countingTopology(topics),
      connection: connection(),
    });
    await streams.start();
    await send(topics.input, 600);
    await drained(config, topics.input);
    expect(await counts(topics.output)).toEqual({ total: 600, wrong: [] });
    await streams.close();
  });

  test('a standby follows, answers reads with its lag, and takes over without reading the log again', async () => {
    const { config, topics } = await application();
    const open = async () => {
      const standby = { stateDir: stateDirectory(), numStandbyReplicas: 1 };
      const options = { ...config, ...standby, sessionTimeoutMs: 6_000, heartbeatIntervalMs: 300 };
      const streams = new KafkaStreams({
        config: options,
        topology: countingTopology(topics),
        connection: connection(),
      });
      const restored: number[] = [];
      streams.onRestore(({ totalRecords }) => restored.push(totalRecords));
      await streams.start();
      return { streams, restored };
    };
    const [a, b] = [await open(), await open()];
    const roles = (streams: KafkaStreams, role: string) =>
      streams.tasks().filter((task) => task.role === role).length;
    await until('both have active tasks and standbys', () =>
      [a, b].every(({ streams }) => roles(streams, 'active') > 0 && roles(streams, 'standby') > 0),
    );
    await send(topics.input, 3_000);
    await drained(config, topics.input);
    const readAs = async (role: string, partition: number) => {
      for (const { streams } of [a, b]) {
        const local = await streams.openLocal('counts', partition);
        if (local.kind === 'available' && local.role === role)
          return local.store.get(`${partition}-3`);
      }
      return undefined;
    };
    for (let partition = 0; partition < PARTITIONS; partition++) {
      expect(await readAs('active', partition)).toBe(50);
      await until(
        'the standby has followed',
        async () => (await readAs('standby', partition)) === 50,
      );
    }
    await a.streams.close();
    b.restored.length = 0;
    await until(
      'one has all',
      () => roles(b.streams, 'active') === PARTITIONS && b.streams.state() === 'RUNNING',
    );
    // Nothing but a few markers is left to read.
    expect(Math.max(0, ...b.restored)).toBeLessThan(100);
    await send(topics.input, 300);
    await drained(config, topics.input);
    expect(await counts(topics.output)).toEqual({ total: 3_300, wrong: [] });
    await b.streams.close();
  });

  test('killed again and again, one instance loses and doubles nothing', async () => {
    const { config, topics } = await application();
    const start = () => new Instance({ config, topology: countingTopology.name, topics });
    let instance = start();
    for (let round = 0; round < 6; round++) {
      const sending = send(topics.input, 3_000);
      await until('it runs', () => instance.isRunning);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      await instance.kill('SIGKILL');
      instance = start();
      await sending;
    }
    await drained(config, topics.input);
    await instance.kill('SIGTERM');
    expect(await counts(topics.output)).toEqual({ total: 18_000, wrong: [] });
  });

  test('an instance that hangs, is replaced, and wakes up again commits nothing of what it had', async () => {
    const { config, topics } = await application();
    const fast = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 };
    const start = () =>
      new Instance({
        config: { ...config, ...fast, stateDir: stateDirectory() },
        topology: countingTopology.name,
        topics,
      });
    const zombie = start();
    await until('it runs', () => zombie.isRunning);
    let isSending = true;
    let sent = 0;
    const sending = (async () => {
      while (isSending) {
        await send(topics.input, 300);
        sent += 300;
      }
    })();
    await until('it has counted', async () => (await counts(topics.output)).total > 1_000);
    zombie.signal('SIGSTOP');
    const successor = start();
    await until('the other one runs', () => successor.isRunning);
    const before = (await counts(topics.output)).total;
    await until(
      'the other one counts',
      async () => (await counts(topics.output)).total > before + 1_000,
    );
    zombie.signal('SIGCONT');
    await until(
      'both run',
      () => zombie.states.length > 3 && zombie.isRunning && successor.isRunning,
    );
    isSending = false;
    await sending;
    await drained(config, topics.input);
    await zombie.kill('SIGTERM');
    await successor.kill('SIGTERM');
    expect(await counts(topics.output)).toEqual({ total: sent, wrong: [] });
  });

  test('instances come and go by kill and by stop, and nothing is lost or doubled', async () => {
    const { config, topics } = await application();
    const fast = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500 };
    const start = () =>
      new Instance({
        config: { ...config, ...fast, stateDir: stateDirectory() },
        topology: countingTopology.name,
        topics,
      });
    const instances = [start(), start()];
    let isSending = true;
    let sent = 0;
    const sending = (async () => {
      while (isSending) {
        await send(topics.input, 300);
        sent += 300;
      }
    })();
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGTERM'] as const) {
      await until('both run', () => instances.every(({ isRunning }) => isRunning));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 500));
      await instances.shift()!.kill(signal);
      instances.push(start());
    }
    await until('both run', () => instances.every(({ isRunning }) => isRunning));
    isSending = false;
    await sending;
    await drained(config, topics.input);
    for (const instance of instances) await instance.kill('SIGTERM');
    expect(await counts(topics.output)).toEqual({ total: sent, wrong: [] });
  });
});
