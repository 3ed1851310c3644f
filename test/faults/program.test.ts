/** What the fault program says about itself, and what arms its failpoints. */
import { expect, test } from 'vitest';
import { failpointText, KILL_POINTS, parseFailpoint } from './kit/kill-points.ts';
import { tableOf, tallyOf } from './report.ts';
import type { Row } from './run-scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const row = (name: string, result: Row['result']): Row => ({
  name,
  on: 'kafka',
  result,
  seconds: 12,
  purchases: 1_000,
  sold: 480,
  what: 'reached K9',
});

test('one failure fails the program, and so does a run of nothing', () => {
  const rows = [row('a', 'passed'), row('b', 'SKIPPED')];
  expect(tallyOf(rows)).toEqual({ text: '1 passed, 0 failed, 1 skipped', hasFailed: false });
  expect(tallyOf([...rows, row('c', 'FAILED')])).toEqual({
    text: '1 passed, 1 failed, 1 skipped',
    hasFailed: true,
  });
  expect(tallyOf([]).hasFailed).toBe(true);
});

test('the table has a line per run, whatever is in it', () => {
  const lines = tableOf([row('short', 'passed'), row('much longer', 'FAILED')]).split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[2]).toContain('much longer  kafka  FAILED');
});

test('scenarios have names of their own, a line about them, and every kill point is one', () => {
  const names = SCENARIOS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(SCENARIOS.every(({ about }) => about !== '')).toBe(true);
  for (const point of Object.keys(KILL_POINTS)) expect(names).toContain(`kill-${point}`);
});

test('a failpoint is what its file says, and a typing error is none', () => {
  for (const deed of ['SIGKILL', 'SIGSTOP', 'STALL', 'HOARD'] as const) {
    const failpoint = { name: 'K9', hit: 3, deed } as const;
    expect(parseFailpoint(failpointText(failpoint))).toEqual(failpoint);
  }
  for (const text of ['', 'K15:1:SIGKILL', 'K1:0:SIGKILL', 'K1:1:SIGTERM', 'K1']) {
    expect(() => parseFailpoint(text)).toThrow('no failpoint');
  }
});
