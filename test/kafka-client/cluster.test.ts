import { beforeEach, describe, expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import { createCluster } from '../../kafka/cluster.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import { findCoordinatorApi } from '../../kafka/protocol/messages/find-coordinator.ts';
import { heartbeatApi } from '../../kafka/protocol/messages/heartbeat.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { metadataApi } from '../../kafka/protocol/messages/metadata.ts';
import type { Cluster } from '../../kafka/wire.ts';
import { turn, whileTimePasses } from '../kit/passing-time.ts';
import { type ScriptedBroker, ScriptedNetwork } from '../kit/scripted-connector.ts';

const TOPIC_ID = 'a'.repeat(32);

interface Leader {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

/** What all brokers of a test agree on; tests change it as they go. */
interface World {
  readonly addresses: Map<number, string>;
  readonly topics: Map<string, { topicId: string; leaders: Leader[]; errorCode?: number }>;
}

let clock: ManualClock;
let network: ScriptedNetwork;
let world: World;

beforeEach(() => {
  clock = new ManualClock(1_700_000_000_000);
  network = new ScriptedNetwork();
  world = { addresses: new Map(), topics: new Map() };
});

function startBroker(nodeId: number, host = `node-${nodeId}`): ScriptedBroker {
  world.addresses.set(nodeId, host);
  const broker = network.broker(host);
  broker.on(metadataApi, ({ topics }) => ({
    brokers: [...world.addresses].map(([id, address]) => ({
      nodeId: id,
      host: address,
      port: 9092,
      rack: null,
    })),
    clusterId: 'test',
    controllerId: 1,
    topics: (topics ?? []).map(({ name }) => describeTopic(name ?? '')),
  }));
  broker.on(findCoordinatorApi, ({ coordinatorKeys, key }) => {
    const found = { nodeId: 1, host: world.addresses.get(1) ?? '', port: 9092, errorCode: 0 };
    return {
      ...found,
      errorMessage: null,
      coordinators: coordinatorKeys.map((each) => ({ key: each, errorMessage: null, ...found })),
      key,
    };
  });
  broker.on(heartbeatApi, () => ({ throttleTimeMs: 0, errorCode: 0 }));
  return broker;
}

function describeTopic(name: string) {
  const topic = world.topics.get(name);
  const leaders = topic?.leaders ?? [];
  return {
    errorCode: topic === undefined ? Errors.UNKNOWN_TOPIC_OR_PARTITION : (topic.errorCode ?? 0),
    name,
    topicId: topic?.topicId ?? TOPIC_ID,
    isInternal: false,
    partitions: leaders.map((leader, partitionIndex) => ({
      errorCode: 0,
      partitionIndex,
      ...leader,
      replicaNodes: [],
      isrNodes: [],
      offlineReplicas: [],
    })),
  };
}

function connect(...hosts: string[]): Cluster {
  return createCluster({
    connector: network,
    bootstrap: hosts.map((host) => ({ host, port: 9092 })),
    clientId: 'test',
    clock,
    random: seededRandom(1),
    log: silentLog,
  });
}

const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null };

describe('finding the cluster', () => {
  test('asks one bootstrap address after the other until one answers', async () => {
    startBroker(7, 'alive');
    const cluster = connect('dead-1', 'dead-2', 'alive');
    await cluster.refreshMetadata();
    expect(cluster.brokers()).toEqual(new Map([[7, { host: 'alive', port: 9092 }]]));
    expect(await cluster.anyBroker()).toBe(7);
    expect(await cluster.controllerId()).toBe(1);
  });

  test('says KAFKA_UNAVAILABLE when nobody answers, and finds it when somebody does', async () => {
    const cluster = connect('late');
    await expect(cluster.refreshMetadata()).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    startBroker(1, 'late');
    await whileTimePasses(clock, cluster.refreshMetadata());
    expect(cluster.brokers().size).toBe(1);
  });

  test('goes back to the bootstrap addresses when all known brokers are gone', async () => {
    const first = startBroker(1);
    const cluster = connect('node-1', 'entry');
    await cluster.refreshMetadata();
    network.remove('node-1');
    for (const connection of first.connections) connection.close();
    world.addresses.delete(1);
    startBroker(2, 'entry');
    await whileTimePasses(clock, cluster.refreshMetadata());
    expect([...cluster.brokers().keys()]).toEqual([2]);
  });

  test('tells a refused login at once, without trying every broker', async () => {
    const broker = startBroker(1);
    broker.refusal = new MillraceError('KAFKA_AUTHENTICATION', 'wrong password');
    const cluster = connect('node-1', 'node-1', 'node-1');
    await expect(cluster.refreshMetadata()).rejects.toMatchObject({ code: 'KAFKA_AUTHENTICATION' });
    expect(network.attempts).toHaveLength(1);
  });
});

describe('versions', () => {
  test('are the best that both sides speak, and not above what the caller can take', async () => {
    const broker = startBroker(1);
    broker.ranges.set(fetchApi.key, { minVersion: 4, maxVersion: 11 });
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    expect(await cluster.versionFor(1, fetchApi)).toBe(11);
    expect(await cluster.versionFor(1, fetchApi, 9)).toBe(9);
  });

  test('that do not meet are KAFKA_FATAL', async () => {
    const broker = startBroker(1);
    broker.ranges.set(fetchApi.key, { minVersion: 90, maxVersion: 99 });
    broker.ranges.delete(initProducerIdApi.key);
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    await expect(cluster.versionFor(1, fetchApi)).rejects.toMatchObject({ code: 'KAFKA_FATAL' });
    await expect(cluster.versionFor(1, initProducerIdApi)).rejects.toThrow(/not at all/);
  });

  test('are learned from a broker that knows only the first ApiVersions', async () => {
    const broker = startBroker(1);
    broker.apiVersionsAtMost = 0;
    broker.ranges.set(metadataApi.key, { minVersion: 0, maxVersion: 8 });
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    expect(broker.received[0]).toMatchObject({ apiName: 'Metadata', apiVersion: 8 });
    expect(await cluster.features()).toEqual(new Map());
  });

  test('are asked for again on a new connection: the broker may have been upgraded', async () => {
    const broker = startBroker(1);
    broker.ranges.set(heartbeatApi.key, { minVersion: 0, maxVersion: 2 });
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    const target = { nodeId: 1, channel: 'group' };
    await cluster.request(target, heartbeatApi, heartbeat);
    broker.ranges.set(heartbeatApi.key, { minVersion: 0, maxVersion: 4 });
    for (const connection of broker.connections) connection.close();
    await cluster.request(target, heartbeatApi, heartbeat);
    const versions = broker.received.filter(({ apiName }) => apiName === 'Heartbeat');
    expect(versions.map(({ apiVersion }) => apiVersion)).toEqual([2, 4]);
  });

  test('of features are asked for anew every time', async () => {
    const broker = startBroker(1);
    broker.features.set('transaction.version', 1);
    const cluster = connect('node-1');
    expect((await cluster.features()).get('transaction.version')).toBe(1);
    broker.features.set('transaction.version', 2);
    expect((await cluster.features()).get('transaction.version')).toBe(2);
  });
});

describe('connections', () => {
  test('are one per channel and broker, and shared with no other channel', async () => {
    const broker = startBroker(1);
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    const send = (channel: string) =>
      cluster.request({ nodeId: 1, channel }, heartbeatApi, heartbeat);
    await Promise.all([send('a'), send('a'), send('b')]);
    await send('a');
    const beats = broker.received.filter(({ apiName }) => apiName === 'Heartbeat');
    const byChannel = (channel: string) =>
      new Set(
        beats.filter(({ purpose }) => purpose === channel).map(({ connection }) => connection),
      );
    expect(byChannel('a').size).toBe(1);
    expect(byChannel('b').size).toBe(1);
    expect([...byChannel('a')]).not.toEqual([...byChannel('b')]);
  });

  test('that were lost reject the request and are opened again by the next', async () => {
    const broker = startBroker(1);
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    const target = { nodeId: 1, channel: 'group' };
    broker.on(heartbeatApi, () => 'lose-connection');
    await expect(cluster.request(target, heartbeatApi, heartbeat)).rejects.toMatchObject({
      code: 'KAFKA_RETRIABLE',
    });
    broker.on(heartbeatApi, () => ({ throttleTimeMs: 0, errorCode: 0 }));
    await expect(cluster.request(target, heartbeatApi, heartbeat)).resolves.toMatchObject({
      errorCode: 0,
    });
  });

  test('that cannot be made say so as KAFKA_UNAVAILABLE: nothing was sent', async () => {
    startBroker(1);
    world.addresses.set(2, 'node-2');
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    const send = (nodeId: number) =>
      cluster.request({ nodeId, channel: 'group' }, heartbeatApi, heartbeat);
    await expect(send(2)).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    await expect(send(99)).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  });

  test('are not tried without a pause after a failure', async () => {
    startBroker(1);
    world.addresses.set(2, 'node-2');
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    const send = () => cluster.request({ nodeId: 2, channel: 'x' }, heartbeatApi, heartbeat);
    await send().catch(() => {});
    const second = send().catch(() => {});
    await turn();
    expect(network.attempts.filter((address) => address === 'node-2:9092')).toHaveLength(1);
    await whileTimePasses(clock, second);
    expect(network.attempts.filter((address) => address === 'node-2:9092')).toHaveLength(2);
  });

  test('go to the new address when a broker has moved', async () => {
    startBroker(1);
    const old = startBroker(2, 'old-host');
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    const target = { nodeId: 2, channel: 'group' };
    await cluster.request(target, heartbeatApi, heartbeat);
    const moved = startBroker(2, 'new-host');
    await cluster.refreshMetadata();
    await cluster.request(target, heartbeatApi, heartbeat);
    expect(moved.countOf('Heartbeat')).toBe(1);
    expect(old.connections.every(({ isOpen }) => !isOpen)).toBe(true);
  });

  test('of a closed channel are closed, and of a closed cluster all', async () => {
    const broker = startBroker(1);
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    await cluster.request({ nodeId: 1, channel: 'a' }, heartbeatApi, heartbeat);
    await cluster.request({ nodeId: 1, channel: 'b' }, heartbeatApi, heartbeat);
    const open = () => broker.connections.filter(({ isOpen }) => isOpen).length;
    const before = open();
    cluster.closeChannel('a');
    expect(open()).toBe(before - 1);
    cluster.close();
    expect(open()).toBe(0);
    await expect(
      cluster.request({ nodeId: 1, channel: 'b' }, heartbeatApi, heartbeat),
    ).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  });
});

describe('metadata', () => {
  test('is asked for once however many want it, and once more for a topic that was not in it', async () => {
    const broker = startBroker(1);
    world.topics.set('t', { topicId: TOPIC_ID, leaders: [{ leaderId: 1, leaderEpoch: 0 }] });
    const cluster = connect('node-1');
    const calls = [
      cluster.refreshMetadata(),
      cluster.refreshMetadata(),
      cluster.refreshMetadata(['t']),
      cluster.refreshMetadata(['t']),
    ];
    await Promise.all(calls);
    expect(broker.countOf('Metadata')).toBe(2);
    expect(cluster.leaderOf('t', 0)).toEqual({ nodeId: 1, leaderEpoch: 0 });
  });

  test('never goes back to an older leader of the same topic', async () => {
    startBroker(1);
    const topic = { topicId: TOPIC_ID, leaders: [{ leaderId: 1, leaderEpoch: 5 }] };
    world.topics.set('t', topic);
    const cluster = connect('node-1');
    await cluster.topic('t');
    topic.leaders = [{ leaderId: 2, leaderEpoch: 4 }];
    await cluster.refreshMetadata();
    expect(cluster.leaderOf('t', 0)).toEqual({ nodeId: 1, leaderEpoch: 5 });
    topic.leaders = [{ leaderId: 2, leaderEpoch: 6 }];
    await cluster.refreshMetadata();
    expect(cluster.leaderOf('t', 0)).toEqual({ nodeId: 2, leaderEpoch: 6 });
    world.topics.set('t', { topicId: 'b'.repeat(32), leaders: [{ leaderId: 3, leaderEpoch: 0 }] });
    await cluster.refreshMetadata();
    expect(cluster.leaderOf('t', 0)).toEqual({ nodeId: 3, leaderEpoch: 0 });
  });

  test('counts a partition without a leader, but names no leader for it', async () => {
    startBroker(1);
    const leaders = [
      { leaderId: 1, leaderEpoch: 0 },
      { leaderId: -1, leaderEpoch: 3 },
    ];
    world.topics.set('t', { topicId: TOPIC_ID, leaders });
    const cluster = connect('node-1');
    expect((await cluster.topic('t'))?.partitions.size).toBe(2);
    expect(cluster.leaderOf('t', 1)).toBeUndefined();
  });

  test('of a topic that does not exist is undefined, of one that may not be seen KAFKA_FATAL', async () => {
    startBroker(1);
    const errorCode = Errors.TOPIC_AUTHORIZATION_FAILED;
    world.topics.set('secret', { topicId: TOPIC_ID, leaders: [], errorCode });
    const cluster = connect('node-1');
    expect(await cluster.topic('nowhere')).toBeUndefined();
    await expect(cluster.topic('secret')).rejects.toMatchObject({ code: 'KAFKA_FATAL' });
  });

  test('of a deleted topic is forgotten', async () => {
    startBroker(1);
    world.topics.set('t', { topicId: TOPIC_ID, leaders: [{ leaderId: 1, leaderEpoch: 5 }] });
    const cluster = connect('node-1');
    await cluster.topic('t');
    world.topics.delete('t');
    await cluster.refreshMetadata();
    expect(cluster.leaderOf('t', 0)).toBeUndefined();
  });

  test('is asked for again after five minutes: partitions may have been added', async () => {
    startBroker(1);
    const topic = { topicId: TOPIC_ID, leaders: [{ leaderId: 1, leaderEpoch: 0 }] };
    world.topics.set('t', topic);
    const cluster = connect('node-1');
    await cluster.topic('t');
    topic.leaders = [...topic.leaders, { leaderId: 1, leaderEpoch: 0 }];
    expect((await cluster.topic('t'))?.partitions.size).toBe(1);
    clock.advance(300_001);
    expect((await cluster.topic('t'))?.partitions.size).toBe(2);
  });
});

describe('coordinators', () => {
  test('are asked for once, also by many at a time, until they are forgotten', async () => {
    const broker = startBroker(1);
    const cluster = connect('node-1');
    const asked = Array.from({ length: 5 }, () => cluster.coordinatorOf('group', 'g'));
    expect(await Promise.all(asked)).toEqual([1, 1, 1, 1, 1]);
    expect(broker.countOf('FindCoordinator')).toBe(1);
    await cluster.coordinatorOf('transaction', 'g');
    expect(broker.countOf('FindCoordinator')).toBe(2);
    cluster.forgetCoordinator('group', 'g');
    await cluster.coordinatorOf('group', 'g');
    expect(broker.countOf('FindCoordinator')).toBe(3);
  });

  test('that are not available yet are KAFKA_RETRIABLE and asked for again', async () => {
    const broker = startBroker(1);
    const cluster = connect('node-1');
    await cluster.refreshMetadata();
    let errorCode: number = Errors.COORDINATOR_NOT_AVAILABLE;
    broker.on(findCoordinatorApi, ({ coordinatorKeys }) => ({
      errorCode: 0,
      errorMessage: null,
      nodeId: -1,
      host: '',
      port: -1,
      coordinators: coordinatorKeys.map((key) => ({
        key,
        nodeId: 4,
        host: 'node-4',
        port: 9092,
        errorCode,
        errorMessage: null,
      })),
    }));
    await expect(cluster.coordinatorOf('group', 'g')).rejects.toMatchObject({
      code: 'KAFKA_RETRIABLE',
    });
    errorCode = 0;
    expect(await cluster.coordinatorOf('group', 'g')).toBe(4);
    expect(cluster.brokers().get(4)).toEqual({ host: 'node-4', port: 9092 });
  });

  test('are found with brokers that answer one key at a time', async () => {
    const broker = startBroker(1);
    broker.ranges.set(findCoordinatorApi.key, { minVersion: 0, maxVersion: 3 });
    const cluster = connect('node-1');
    expect(await cluster.coordinatorOf('group', 'g')).toBe(1);
  });
});
