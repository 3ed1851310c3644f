import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AssignableMember,
  type AssignableTask,
  assignTasks,
  type MemberTasks,
} from '../../runtime/assignment/task-assignor.ts';

const tasksArbitrary = fc
  .record({ stateful: fc.integer({ min: 0, max: 20 }), stateless: fc.integer({ min: 0, max: 20 }) })
  .map(({ stateful, stateless }): AssignableTask[] => [
    ...Array.from({ length: stateful }, (_, index) => ({ id: `0_${index}`, isStateful: true })),
    ...Array.from({ length: stateless }, (_, index) => ({ id: `1_${index}`, isStateful: false })),
  ]);

/** Members in up to four processes that claim random tasks; two may claim the same one. */
const membersArbitrary = fc
  .array(
    fc.record({
      processId: fc.constantFrom('p', 'q', 'r', 's'),
      active: fc.uniqueArray(fc.constantFrom('0_0', '0_1', '0_2', '0_7', '1_0', '1_1', '9_9')),
      onDisk: fc.dictionary(fc.constantFrom('0_0', '0_1', '0_3'), fc.nat(1_000)),
    }),
    { minLength: 1, maxLength: 7 },
  )
  .map((members) => members.map((each, index): AssignableMember => member(`m${index}`, each)));

function member(
  memberId: string,
  {
    processId = memberId,
    active = [],
    onDisk = {},
  }: { processId?: string; active?: readonly string[]; onDisk?: Record<string, number> },
): AssignableMember {
  return {
    memberId,
    processId,
    active: new Set(active),
    standby: new Set(),
    onDisk: new Map(Object.entries(onDisk)),
  };
}

/** The members as they are after they took what they were given. */
function after(
  members: readonly AssignableMember[],
  assigned: ReadonlyMap<string, MemberTasks>,
): AssignableMember[] {
  return members.map((each) => ({
    ...each,
    active: new Set(assigned.get(each.memberId)!.active),
    standby: new Set(assigned.get(each.memberId)!.standby),
  }));
}

const spread = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts);

test('every task has exactly one owner, and no two members differ by more than one task', () => {
  fc.assert(
    fc.property(tasksArbitrary, membersArbitrary, (tasks, members) => {
      const assigned = [...assignTasks(tasks, members, { standbyReplicas: 0 }).values()];
      const owned = assigned.flatMap(({ active }) => active);
      expect([...owned].sort()).toEqual(tasks.map(({ id }) => id).sort());
      expect(spread(assigned.map(({ active }) => active.length))).toBeLessThanOrEqual(1);
      const stateful = assigned.map(
        ({ active }) => active.filter((id) => id.startsWith('0_')).length,
      );
      expect(spread(stateful)).toBeLessThanOrEqual(1);
    }),
  );
});

test('assigning again changes nothing', () => {
  fc.assert(
    fc.property(
      tasksArbitrary,
      membersArbitrary,
      fc.integer({ min: 0, max: 2 }),
      (tasks, members, standbyReplicas) => {
        const first = assignTasks(tasks, members, { standbyReplicas });
        const second = assignTasks(tasks, after(members, first), { standbyReplicas });
        for (const [memberId, { active, standby }] of first) {
          expect([...second.get(memberId)!.active].sort()).toEqual([...active].sort());
          expect([...second.get(memberId)!.standby].sort()).toEqual([...standby].sort());
        }
      },
    ),
  );
});

test('the order in which members are listed decides nothing', () => {
  fc.assert(
    fc.property(tasksArbitrary, membersArbitrary, (tasks, members) => {
      const forward = assignTasks(tasks, members, { standbyReplicas: 1 });
      const backward = assignTasks(tasks, [...members].reverse(), { standbyReplicas: 1 });
      for (const [memberId, tasksOf] of forward) expect(backward.get(memberId)).toEqual(tasksOf);
    }),
  );
});

test('standbys sit on other processes than the active task, and on different ones', () => {
  fc.assert(
    fc.property(tasksArbitrary, membersArbitrary, (tasks, members) => {
      const assigned = assignTasks(tasks, members, { standbyReplicas: 2 });
      const processes = new Set(members.map(({ processId }) => processId)).size;
      for (const { id, isStateful } of tasks) {
        const holders = members.filter(({ memberId }) => {
          const { active, standby } = assigned.get(memberId)!;
          return active.includes(id) || standby.includes(id);
        });
        expect(new Set(holders.map(({ processId }) => processId)).size).toBe(holders.length);
        expect(holders).toHaveLength(isStateful ? Math.min(3, processes) : 1);
      }
    }),
  );
});

test('when a member joins, only as many tasks move as balance needs', () => {
  const tasks = Array.from({ length: 12 }, (_, index) => ({ id: `0_${index}`, isStateful: true }));
  const alone = after(
    [member('a', {})],
    assignTasks(tasks, [member('a', {})], { standbyReplicas: 0 }),
  );
  const two = assignTasks(tasks, [...alone, member('b', {})], { standbyReplicas: 0 });
  expect(two.get('b')!.active).toHaveLength(6);
  const both = after([...alone, member('b', {})], two);
  const three = assignTasks(tasks, [...both, member('c', {})], { standbyReplicas: 0 });
  for (const before of both) {
    const kept = three.get(before.memberId)!.active;
    expect(kept).toHaveLength(4);
    expect(kept.every((id) => before.active.has(id))).toBe(true);
  }
});

test('a task without owner goes to a free member that has its state on disk', () => {
  const tasks = [{ id: '0_0', isStateful: true }];
  const members = [
    member('a', {}),
    member('b', { onDisk: { '0_0': 10 } }),
    member('c', { onDisk: { '0_0': 90 } }),
  ];
  expect(assignTasks(tasks, members, { standbyReplicas: 0 }).get('c')!.active).toEqual(['0_0']);
});
