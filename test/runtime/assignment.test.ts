import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { Admin, MemberSubscription, TopicDescription, TopicSpec } from '../../kafka/ports.ts';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type SubscriptionData,
} from '../../runtime/assignment/assignment-codec.ts';
import { internalTopics, prepareTopics } from '../../runtime/assignment/internal-topics.ts';
import {
  areWholeTasks,
  assignMembers,
  type GroupEvents,
  streamsGroupProtocol,
} from '../../runtime/assignment/streams-group.ts';
import { planTopics } from '../../runtime/assignment/topic-plan.ts';
import { instances, locate } from '../../runtime/queries/host-map.ts';
import { streamsConfig } from '../../runtime/streams-config.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';
import { countingTopology, wordCountTopology } from '../kafka/streams/topologies.ts';

const config = streamsConfig({ applicationId: 'app' });
const topics = { input: 'lines', output: 'counts' };

test('internal topics get the partitions of the widest source, through a repartition', () => {
  const specs = internalTopics(wordCountTopology(topics), config, new Map([['lines', 6]]));
  expect(specs.map(({ name, partitions }) => `${name}:${partitions}`).sort()).toEqual([
    'app-word-counts-changelog:6',
    'app-words.dlq:6',
    'app-words:6',
    'lines.dlq:6',
  ]);
  const changelog = specs.find(({ name }) => name.endsWith('changelog'))!;
  expect(changelog.configs).toMatchObject({
    'cleanup.policy': 'compact',
    'delete.retention.ms': '604800000',
  });
});

test('a repartition topic that is joined gets the partitions of the other side, and its changelogs too', () => {
  const strings = { keySerde: stringSerde, valueSerde: stringSerde };
  const builder = new StreamsBuilder();
  const table = builder.table('people', { ...strings, store: 'people' });
  builder
    .stream('clicks', strings)
    .repartition({ name: 'by-person' })
    .join(table, (click) => click)
    .to('named', strings);
  const counts = new Map([
    ['clicks', 2],
    ['people', 6],
  ]);
  const specs = internalTopics(builder.build().build(), config, counts);
  const partitions = Object.fromEntries(specs.map((spec) => [spec.name, spec.partitions]));
  expect(partitions).toMatchObject({
    'app-by-person-repartition': 6,
    'app-by-person-repartition.dlq': 6,
    'app-people-changelog': 6,
  });
});

test('joined sources with unequal counts refuse the start, by name and count', () => {
  const strings = { keySerde: stringSerde, valueSerde: stringSerde };
  const builder = new StreamsBuilder();
  const table = builder.table('people', { ...strings, store: 'people' });
  builder
    .stream('clicks', strings)
    .join(table, (click) => click)
    .to('named', strings);
  const counts = new Map([
    ['clicks', 2],
    ['people', 6],
  ]);
  expect(() => internalTopics(builder.build().build(), config, counts)).toThrow(
    'clicks 2, people 6',
  );
});

/** A cluster that has these topics, and takes new ones. */
function fakeAdmin(existing: Record<string, number>): {
  readonly admin: Admin;
  readonly created: string[];
  /** What each question was about. */
  readonly asked: (readonly string[])[];
} {
  const asked: (readonly string[])[] = [];
  const known = new Map(Object.entries(existing));
  const created: string[] = [];
  const describe = (name: string): TopicDescription => ({
    name,
    topicId: name,
    partitions: known.get(name)!,
  });
  const admin = {
    describeTopics: async (names: readonly string[]) => {
      asked.push(names);
      return new Map(names.filter((name) => known.has(name)).map((name) => [name, describe(name)]));
    },
    createTopics: async (specs: readonly TopicSpec[]) => {
      for (const { name, partitions } of specs) {
        known.set(name, partitions);
        created.push(name);
      }
    },
  };
  return { admin: admin as unknown as Admin, created, asked };
}

function prepare(
  admin: Admin,
  onMissing: (names: readonly string[]) => void = () => {},
  clock = new ManualClock(),
) {
  const context = { admin, clock, random: seededRandom(1), onMissing };
  return prepareTopics(context, countingTopology(topics), config, new AbortController().signal);
}

test('a changelog with another partition count refuses the start, and tells the way out', async () => {
  const { admin, created } = fakeAdmin({ lines: 4, 'app-counts-changelog': 2 });
  await expect(prepare(admin)).rejects.toMatchObject({
    code: 'PARTITIONS_CHANGED',
    facts: { topic: 'app-counts-changelog', existing: 2, needed: 4 },
    hint: expect.stringContaining('application id'),
  });
  expect(created).toEqual([]);
});

test('where everything is there, one question is enough to start', async () => {
  const there = { lines: 4, counts: 4, 'app-counts-changelog': 4, 'lines.dlq': 4 };
  const { admin, created, asked } = fakeAdmin(there);
  expect([...(await prepare(admin)).keys()].sort()).toEqual(Object.keys(there).sort());
  expect(created).toEqual([]);
  expect(asked).toHaveLength(1);
});

test('what was missing is created, and described once more', async () => {
  const { admin, created, asked } = fakeAdmin({ lines: 4 });
  const found = await prepare(admin);
  expect(created.sort()).toEqual(['app-counts-changelog', 'lines.dlq']);
  expect(found.get('app-counts-changelog')?.partitions).toBe(4);
  expect(asked).toHaveLength(2);
});

test('a dead-letter topic may have any partition count', async () => {
  const { admin } = fakeAdmin({ lines: 4, 'lines.dlq': 1 });
  expect((await prepare(admin)).get('lines.dlq')?.partitions).toBe(1);
});

test('source topics that do not exist are waited for, visibly', async () => {
  const { admin } = fakeAdmin({});
  const clock = new ManualClock();
  const missing: string[] = [];
  const prepared = prepare(
    admin,
    (names) => {
      missing.push(...names);
      if (missing.length === 2)
        void admin.createTopics([
          { name: 'lines', partitions: 2, replicationFactor: 1, configs: {} },
        ]);
    },
    clock,
  );
  while (missing.length < 2) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1_000);
  }
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(10_000);
  expect((await prepared).get('app-counts-changelog')?.partitions).toBe(2);
  expect(missing).toEqual(['lines', 'lines']);
});

const endpoint = { host: 'a.example', port: 8080 };

test('subscription and assignment survive the wire', () => {
  const subscription = {
    processId: 'p',
    endpoint,
    active: ['0_1'],
    standby: ['0_2'],
    onDisk: new Map([['0_3', 7]]),
    agreed: { COLOUR: 'red', EMPTY: '' },
  };
  expect(decodeSubscription(encodeSubscription(subscription))).toEqual(subscription);
  const assignment = {
    standby: ['0_2'],
    hosts: [{ processId: 'p', endpoint, active: ['0_1'], standby: [] }],
    agreed: { COLOUR: 'red' },
  };
  expect(decodeAssignment(encodeAssignment(assignment))).toEqual(assignment);
});

test('whatever bytes another member sends, decoding never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        expect(() => decodeSubscription(Buffer.from(bytes))).not.toThrow();
        expect(() => decodeAssignment(Buffer.from(bytes))).not.toThrow();
      },
    ),
  );
});

test.each(['user@evil', 'a b', 'x/../y', '', '-a', 'http://h', 'h\r\nX: y'])(
  'an endpoint that is no plain host (%j) is left out',
  (host) => {
    const bytes = encodeSubscription({
      processId: 'p',
      endpoint: { host, port: 80 },
      active: [],
      standby: [],
      onDisk: new Map(),
      agreed: {},
    });
    expect(decodeSubscription(bytes)?.endpoint).toBeNull();
  },
);

function subscriptionOf(
  memberId: string,
  processId: string | null,
  change: Partial<SubscriptionData> = {},
): MemberSubscription {
  const data = {
    endpoint: { host: `${processId}.example`, port: 80 },
    active: [],
    standby: [],
    onDisk: new Map(),
    agreed: {},
    ...change,
  };
  return {
    memberId,
    groupInstanceId: null,
    topics: ['lines'],
    ownedPartitions: [],
    userData:
      processId === null ? Buffer.from('garbage') : encodeSubscription({ processId, ...data }),
  };
}

test('what another version of the topology was assigned fits when it is whole tasks of this one', () => {
  const strings = { keySerde: stringSerde, valueSerde: stringSerde };
  const builder = new StreamsBuilder();
  const table = builder.table('people', { ...strings, store: 'people' });
  builder
    .stream('clicks', strings)
    .join(table, (click) => click)
    .to('named', strings);
  const names = ['people', 'clicks', 'named', 'lines', 'app-people-changelog'];
  const described = new Map(names.map((name) => [name, { name, topicId: name, partitions: 2 }]));
  const plan = planTopics('app', builder.build().build(), described);
  const input = (topic: string, partition: number) => ({ topic, partition });
  expect(areWholeTasks(plan, [])).toBe(true);
  expect(areWholeTasks(plan, [input('people', 1), input('clicks', 1)])).toBe(true);
  expect(areWholeTasks(plan, [input('clicks', 1)])).toBe(false);
  expect(areWholeTasks(plan, [input('people', 1), input('clicks', 0)])).toBe(false);
  expect(areWholeTasks(plan, [input('people', 1), input('clicks', 1), input('lines', 1)])).toBe(
    false,
  );
});

test('the leader gives every member its inputs, and all of them the same host map', () => {
  const names = ['lines', 'counts', 'app-counts-changelog'];
  const described = new Map(names.map((name) => [name, { name, topicId: name, partitions: 4 }]));
  const topology = countingTopology(topics);
  const plan = planTopics('app', topology, described);
  const members = [
    subscriptionOf('m1', 'p'),
    subscriptionOf('m2', 'q'),
    subscriptionOf('stranger', null),
  ];
  const assigned = assignMembers({ plan, standbyReplicas: 0, log: silentLog }, members);
  const partitions = [...assigned.values()].flatMap(({ partitions }) =>
    partitions.map(({ partition }) => partition),
  );
  expect(partitions.sort()).toEqual([0, 1, 2, 3]);
  const { hosts } = decodeAssignment(assigned.get('m2')!.userData)!;
  expect(assigned.get('m1')!.userData).toEqual(assigned.get('m2')!.userData);
  const owned = assigned.get('m1')!.partitions[0]!.partition;
  expect(locate(hosts, 'q', { subTopologyId: 0, partition: owned })).toEqual({
    partition: owned,
    active: { host: 'p.example', port: 80 },
    standbys: [],
    isLocal: false,
  });
  expect(instances(hosts, 'p', topology).filter(({ isLocal }) => isLocal)).toMatchObject([
    {
      processId: 'p',
      active: new Map([
        ['counts', assigned.get('m1')!.partitions.map(({ partition }) => partition)],
      ]),
    },
  ]);
});

describe('members that must agree on a setting', () => {
  const names = ['lines', 'counts', 'app-counts-changelog'];
  const described = new Map(names.map((name) => [name, { name, topicId: name, partitions: 4 }]));
  const plan = planTopics('app', countingTopology(topics), described);
  const assign = (...members: MemberSubscription[]) => {
    const assigned = assignMembers({ plan, standbyReplicas: 1, log: silentLog }, members);
    return Object.fromEntries(
      [...assigned].map(([id, { partitions, userData }]) => [
        id,
        { inputs: partitions.length, ...decodeAssignment(userData) },
      ]),
    );
  };
  const red = { agreed: { COLOUR: 'red' } };
  const blue = { agreed: { COLOUR: 'blue' } };

  test('one that differs gets no tasks and no standbys, and is told what counts', () => {
    const running = { ...red, active: ['0_0', '0_1', '0_2', '0_3'] };
    const { m1, m2 } = assign(subscriptionOf('m1', 'p', running), subscriptionOf('m2', 'q', blue));
    expect(m1).toMatchObject({ inputs: 4, ...red });
    expect(m2).toMatchObject({ inputs: 0, standby: [], ...red });
    expect(m2?.hosts?.find(({ processId }) => processId === 'q')?.active).toEqual([]);
  });

  test('one of a version that says nothing gets its share', () => {
    const { m1, m2 } = assign(subscriptionOf('m1', 'p', red), subscriptionOf('m2', 'q'));
    expect([m1?.inputs, m2?.inputs]).toEqual([2, 2]);
  });

  test('one that comes back to an assignment of a life with other settings takes nothing of it', () => {
    const found: unknown[] = [];
    const subscription = () => decodeSubscription(subscriptionOf('m1', 'p', blue).userData)!;
    const events = { onDifference: (difference: unknown) => found.push(difference) };
    const protocol = streamsGroupProtocol(
      { plan, standbyReplicas: 0, log: silentLog, subscription },
      events as unknown as GroupEvents,
    );
    const former = encodeAssignment({ standby: [], hosts: [], ...red });
    const inputs = [{ topic: 'lines', partition: 1 }];
    expect(protocol.fits?.(inputs, former)).toBe(false);
    expect(found).toEqual([{ name: 'COLOUR', own: 'blue', others: 'red' }]);
    const own = encodeAssignment({ standby: [], hosts: [], ...blue });
    expect(protocol.fits?.(inputs, own)).toBe(true);
  });
});
