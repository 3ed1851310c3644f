/** Members of a classic group on a real coordinator. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGroupMember } from '../../kafka/group/group-member.ts';
import { type GroupMemberOptions, partitionKey, type TopicPartition } from '../../kafka/ports.ts';
import { dealingProtocol } from '../kit/group-protocol.ts';
import {
  connectToKafka,
  createTopic,
  deps,
  kafkaBrokers,
  type RealKafka,
  uniqueName,
} from '../kit/real-kafka.ts';

const PARTITIONS = 6;
const SESSION_TIMEOUT_MS = 6_000;

describe.runIf(kafkaBrokers !== undefined)('groups on a real Kafka', () => {
  let kafka: RealKafka;
  let topic: string;
  const opened: RealKafka[] = [];

  beforeAll(async () => {
    kafka = connectToKafka();
    topic = await createTopic(kafka.admin, PARTITIONS);
  });

  afterAll(() => {
    for (const each of [...opened, kafka]) each.cluster.close();
  });

  /** Who works on what, as the engines of all members see it; two at once is written down. */
  class Ownership {
    readonly owners = new Map<string, string>();
    readonly conflicts: string[] = [];

    take(who: string, partitions: readonly TopicPartition[]): void {
      for (const { topic: name, partition } of partitions) {
        const key = partitionKey(name, partition);
        const before = this.owners.get(key);
        if (before !== undefined) this.conflicts.push(`${key}: ${before} and ${who}`);
        this.owners.set(key, who);
      }
    }

    release(partitions: readonly TopicPartition[]): void {
      for (const { topic: name, partition } of partitions) {
        this.owners.delete(partitionKey(name, partition));
      }
    }

    /** The process is gone, and with it its work. */
    releaseAll(who: string): void {
      for (const key of this.keysOf(who)) this.owners.delete(key);
    }

    keysOf(who: string): string[] {
      return [...this.owners.keys()].filter((key) => this.owners.get(key) === who).toSorted();
    }

    countOf(who: string): number {
      return this.keysOf(who).length;
    }
  }

  function member(
    who: string,
    groupId: string,
    ownership: Ownership,
    change: Partial<GroupMemberOptions> = {},
  ) {
    const own = connectToKafka();
    opened.push(own);
    const events: string[] = [];
    const userData: string[] = [];
    const protocol = dealingProtocol(topic, PARTITIONS, {
      onRevoked: async (partitions) => {
        events.push(`revoked ${partitions.length}`);
        await sleep(20);
        ownership.release(partitions);
      },
      onAssigned: async (added, assignment) => {
        events.push(`assigned ${added.length}`);
        userData.push(String(assignment.userData));
        ownership.take(who, added);
      },
      onLost: async (partitions) => {
        events.push(`lost ${partitions.length}`);
        ownership.release(partitions);
      },
      onFatal: (error) => events.push(`fatal ${error.message}`),
    });
    const options: GroupMemberOptions = {
      groupId,
      groupInstanceId: null,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      rebalanceTimeoutMs: 10_000,
      heartbeatIntervalMs: 200,
      ...change,
    };
    const made = createGroupMember(own.cluster, options, protocol, deps);
    return { who, member: made, events, userData, close: () => own.cluster.close() };
  }

  async function until(what: string, isTrue: () => boolean): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (!isTrue()) {
      if (performance.now() > deadline) throw new Error(`never: ${what}`);
      await sleep(20);
    }
  }

  test('three members join and leave: everything is owned, nothing by two, and user data arrives', async () => {
    const groupId = uniqueName('group');
    const ownership = new Ownership();
    const [a, b, c] = ['a', 'b', 'c'].map((who) => member(who, groupId, ownership));
    const shares = () => [a, b, c].map((each) => ownership.countOf(each!.who));
    await a!.member.start();
    await until('one has all', () => shares().join() === '6,0,0');
    await Promise.all([b!.member.start(), c!.member.start()]);
    await until('three share', () => shares().join() === '2,2,2');
    expect(a!.userData.at(-1)).toBe('3 members');
    expect(b!.events.filter((event) => event.startsWith('lost'))).toEqual([]);
    await b!.member.stop({ leave: true });
    ownership.releaseAll('b');
    await until('two share', () => shares().join() === '3,0,3');
    await until('it is settled', () => !a!.member.isRebalancing && !c!.member.isRebalancing);
    expect(ownership.conflicts).toEqual([]);
    const generations = [a, c].map((each) => each!.member.metadata()?.generation);
    expect(generations[0]).toBe(generations[1]);
    await Promise.all([a, c].map((each) => each!.member.stop({ leave: true })));
  });

  test('a static member that is restarted gets its partitions back without a rebalance', async () => {
    const groupId = uniqueName('static');
    const ownership = new Ownership();
    const one = member('one', groupId, ownership, { groupInstanceId: 'i-1' });
    const two = member('two', groupId, ownership, { groupInstanceId: 'i-2' });
    await one.member.start();
    await two.member.start();
    await until(
      'two share',
      () => ownership.countOf('one') === 3 && ownership.countOf('two') === 3,
    );
    await until('it is settled', () => !one.member.isRebalancing && !two.member.isRebalancing);
    const generation = one.member.metadata()!.generation;
    const owned = ownership.keysOf('two');
    const eventsBefore = one.events.length;

    await two.member.stop({ leave: false });
    two.close();
    ownership.releaseAll('two');
    const again = member('two', groupId, ownership, { groupInstanceId: 'i-2' });
    await again.member.start();
    expect(ownership.keysOf('two')).toEqual(owned);
    await sleep(1_000);
    expect(again.member.metadata()!.generation).toBe(generation);
    expect(one.events.length).toBe(eventsBefore);

    // The leader too.
    await one.member.stop({ leave: false });
    one.close();
    ownership.releaseAll('one');
    const leader = member('one', groupId, ownership, { groupInstanceId: 'i-1' });
    await leader.member.start();
    expect(leader.member.metadata()!.generation).toBe(generation);
    expect(ownership.countOf('one')).toBe(3);
    expect(ownership.conflicts).toEqual([]);
    await Promise.all([again, leader].map((each) => each.member.stop({ leave: false })));
  });

  test('the older of two processes with one static id is told so and stops', async () => {
    const groupId = uniqueName('fenced');
    const ownership = new Ownership();
    const older = member('older', groupId, ownership, { groupInstanceId: 'same' });
    await older.member.start();
    const newer = member('newer', groupId, new Ownership(), { groupInstanceId: 'same' });
    await newer.member.start();
    await until('the older one knows', () =>
      older.events.some((event) => event.startsWith('fatal')),
    );
    expect(older.member.metadata()).toBeUndefined();
    expect(newer.member.metadata()).toBeDefined();
    await newer.member.stop({ leave: false });
  });

  test('what a member that has vanished owned goes to the others after the session timeout', async () => {
    const groupId = uniqueName('vanished');
    const ownership = new Ownership();
    const stays = member('stays', groupId, ownership);
    const goes = member('goes', groupId, ownership);
    await stays.member.start();
    await goes.member.start();
    await until(
      'two share',
      () => ownership.countOf('stays') === 3 && ownership.countOf('goes') === 3,
    );
    goes.close();
    await until('it knows itself', () => goes.events.includes('lost 3'));
    await until('one has all', () => ownership.countOf('stays') === 6);
    expect(ownership.conflicts).toEqual([]);
    await goes.member.stop({ leave: false });
    await stays.member.stop({ leave: true });
  });
});
