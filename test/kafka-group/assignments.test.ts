import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changeOf, withholdOwned } from '../../kafka/group/assignments.ts';
import { type MemberSubscription, partitionKey, type TopicPartition } from '../../kafka/ports.ts';

const MEMBERS = ['a', 'b', 'c'] as const;
const PARTITIONS: readonly TopicPartition[] = [0, 1, 2, 3, 4].map((partition) => ({
  topic: 'in',
  partition,
}));

const names = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ topic, partition }) => partitionKey(topic, partition));

/** Who claims what: any set of claims, contradictions included. */
const claims = fc.array(fc.subarray([...PARTITIONS]), { minLength: 3, maxLength: 3 });
/** Who shall have what: each partition at one member, or nowhere. */
const targets = fc.array(fc.integer({ min: -1, max: 2 }), { minLength: 5, maxLength: 5 });

function subscriptions(owned: readonly (readonly TopicPartition[])[]): MemberSubscription[] {
  return MEMBERS.map((memberId, index) => ({
    memberId,
    groupInstanceId: null,
    topics: ['in'],
    ownedPartitions: owned[index]!,
    userData: null,
  }));
}

function assignments(target: readonly number[]) {
  return new Map(
    MEMBERS.map((memberId, index) => [
      memberId as string,
      { partitions: PARTITIONS.filter((_, n) => target[n] === index), userData: null },
    ]),
  );
}

describe('what changes for a member', () => {
  test('revoked is owned without assigned, added the other way round, and together they lead there', () => {
    fc.assert(
      fc.property(fc.subarray([...PARTITIONS]), fc.subarray([...PARTITIONS]), (owned, assigned) => {
        const { revoked, added } = changeOf(owned, assigned);
        const revokedNames = names(revoked);
        const after = [
          ...names(owned).filter((name) => !revokedNames.includes(name)),
          ...names(added),
        ];
        expect(after.toSorted()).toEqual(names(assigned).toSorted());
        expect(names(added).some((name) => names(owned).includes(name))).toBe(false);
      }),
    );
  });
});

describe('what the leader withholds', () => {
  test('nobody is given what another member claims, and whatever is not given is named', () => {
    fc.assert(
      fc.property(claims, targets, (owned, target) => {
        const wanted = assignments(target);
        const { assignments: given, withheld } = withholdOwned(wanted, subscriptions(owned));
        MEMBERS.forEach((memberId, index) => {
          const others = owned.flatMap((each, n) => (n === index ? [] : names(each)));
          for (const name of names(given.get(memberId)!.partitions)) {
            expect(others).not.toContain(name);
          }
        });
        const all = [...given.values()].flatMap(({ partitions }) => names(partitions));
        const assigned = [...wanted.values()].flatMap(({ partitions }) => names(partitions));
        expect([...all, ...names(withheld)].toSorted()).toEqual(assigned.toSorted());
      }),
    );
  });

  test('when everybody gives up what it must and joins again, the second round withholds nothing', () => {
    fc.assert(
      fc.property(claims, targets, (owned, target) => {
        const wanted = assignments(target);
        const first = withholdOwned(wanted, subscriptions(owned));
        const kept = MEMBERS.map((memberId) => first.assignments.get(memberId)!.partitions);
        const second = withholdOwned(wanted, subscriptions(kept));
        expect(second.withheld).toEqual([]);
        expect(second.assignments).toEqual(wanted);
      }),
    );
  });

  test('user data goes with an assignment whatever is withheld from it', () => {
    const wanted = new Map([['a', { partitions: PARTITIONS, userData: Buffer.from('plan') }]]);
    const owned = [[], [...PARTITIONS], []];
    const { assignments: given } = withholdOwned(wanted, subscriptions(owned));
    expect(given.get('a')).toEqual({ partitions: [], userData: Buffer.from('plan') });
  });
});
