import { expect, test } from 'vitest';
import type { SubTopologyPlan } from '../../runtime/assignment/topic-plan.ts';
import { storeBudget } from '../../runtime/tasks/task-states.ts';
import { countsStore, oneProcessorTopology, planOf } from './runtime-fixtures.ts';

const MB = 1024 * 1024;
const [PLAN] = planOf(oneProcessorTopology(() => ({ process: () => {} }))).subTopologies;

function tasks(taskCount: number, persistence: 'leveldb' | 'memory' = 'leveldb'): SubTopologyPlan {
  const subTopology = { ...PLAN!.subTopology, stores: [{ ...countsStore, persistence }] };
  return { ...PLAN!, subTopology, taskCount };
}

const bytesOf = (...subTopologies: readonly SubTopologyPlan[]) => {
  const { cacheBytes, writeBufferBytes } = storeBudget(256 * MB, { subTopologies });
  return cacheBytes + 2 * writeBufferBytes;
};

test('all LevelDBs that a process may come to own share one budget', () => {
  for (const count of [16, 32, 100, 256]) {
    expect(count * bytesOf(tasks(count))).toBeLessThanOrEqual(256 * MB);
    expect(count * bytesOf(tasks(count))).toBeGreaterThan(255 * MB);
  }
  expect(bytesOf(tasks(20), tasks(12))).toBe(bytesOf(tasks(32)));
});

test('few tasks take no more than they can use, and stores in memory take none of it', () => {
  expect(bytesOf(tasks(1))).toBe(16 * MB);
  expect(bytesOf(tasks(32), tasks(500, 'memory'))).toBe(bytesOf(tasks(32)));
});

test('ever so many tasks get what LevelDB needs at least', () => {
  expect(bytesOf(tasks(10_000))).toBe(MB);
});
