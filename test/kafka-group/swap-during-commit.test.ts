/** A partition moves from one member to another while the first is committing what it did with it. */
import { describe, expect, test } from 'vitest';
import type { TransactionOutcome } from '../../kafka/ports.ts';
import {
  FakeTransactionBroker,
  transaction,
} from '../kafka-transaction/fake-transaction-broker.ts';
import { drive, pass, settle } from '../kit/drive.ts';
import { FakeGroupCoordinator } from './fake-group-coordinator.ts';
import { HEARTBEAT_INTERVAL_MS, type TestMember, testMember } from './test-member.ts';

async function setUp() {
  const broker = new FakeTransactionBroker('V2');
  const coordinator = new FakeGroupCoordinator();
  broker.checkGroup = ({ memberId, generationId }) => coordinator.validate(memberId, generationId);
  const producer = await broker.initialisedProducer();
  const a = testMember(coordinator.cluster(), broker.clock);
  await a.member.start();
  const b = testMember(coordinator.cluster(), broker.clock);
  /** As a stream thread commits: the group is asked when the offsets are due. */
  const commit = (member: TestMember['member']) =>
    producer.commit(
      transaction({
        group: async (refused) => {
          if (refused !== undefined) await member.settled(refused);
          return member.metadata();
        },
      }),
    );
  return { broker, coordinator, a, b, commit };
}

describe('a partition that moves during a commit', () => {
  test('the commit meets ILLEGAL_GENERATION, waits for the join, and is done before the partition is given up', async () => {
    const { broker, a, b, commit } = await setUp();
    const { clock } = broker;
    // a has joined anew, with b, but the answer to its SyncGroup is not here yet.
    const assigning = Promise.withResolvers<void>();
    const assign = a.protocol.assign;
    a.protocol.assign = async (members) => {
      await assigning.promise;
      return assign(members);
    };
    void b.member.start();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    expect(a.member.metadata()?.generation).toBe(1);

    let outcome: TransactionOutcome | undefined;
    const committing = commit(a.member).then((ended) => {
      a.events.push(`commit ${ended.kind}`);
      outcome = ended;
    });
    // The engine gives partitions up only when no commit is under way.
    const onRevoked = a.protocol.onRevoked;
    a.protocol.onRevoked = async (partitions) => {
      await committing;
      await onRevoked(partitions);
    };
    await settle();
    expect(broker.offsetCommits).toEqual([]);
    expect(outcome).toBeUndefined();

    assigning.resolve();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    await committing;
    expect(a.events).toEqual([
      'assigned in-0 in-1 in-2 in-3',
      'commit committed',
      'revoked in-1 in-3',
      'assigned ',
      'assigned ',
    ]);
    expect(broker.offsetCommits.map(({ generationId }) => generationId)).toEqual([2]);
    expect([...b.owned]).toEqual(['in-1', 'in-3']);
  });

  test('a commit that asked before the join is sent again under the new generation', async () => {
    const { broker, coordinator, a, b, commit } = await setUp();
    const { clock } = broker;
    // The broker is slow with the offsets: while they are on their way, the group moves on.
    const arrived = Promise.withResolvers<void>();
    const slow = Promise.withResolvers<void>();
    const generations: number[] = [];
    broker.checkGroup = async ({ memberId, generationId }) => {
      generations.push(generationId);
      arrived.resolve();
      await slow.promise;
      return coordinator.validate(memberId, generationId);
    };
    const committing = commit(a.member);
    await arrived.promise;
    void b.member.start();
    await pass(clock, HEARTBEAT_INTERVAL_MS);
    slow.resolve();
    expect((await drive(clock, committing)).kind).toBe('committed');
    expect(generations[0]).toBe(1);
    expect(broker.offsetCommits.map(({ generationId }) => generationId)).toEqual([
      generations.at(-1),
    ]);
    expect(generations.at(-1)).toBeGreaterThan(1);
  });

  test('a member that is dropped meanwhile commits nothing: its transaction is given up', async () => {
    const { broker, coordinator, a, b, commit } = await setUp();
    const { clock } = broker;
    void b.member.start();
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    const { memberId } = a.member.metadata()!;
    coordinator.expire(memberId);
    const committing = commit(a.member);
    await pass(clock, 2 * HEARTBEAT_INTERVAL_MS);
    expect(await committing).toMatchObject({ kind: 'fenced' });
    expect(broker.offsetCommits).toEqual([]);
    expect(broker.ended).toEqual([]);
    expect(a.events).toContain('lost in-0 in-2');
  });
});
