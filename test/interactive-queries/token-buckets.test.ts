import { expect, test } from 'vitest';
import { TokenBuckets } from '../../interactive-queries/http/token-buckets.ts';

let nowMs = 0;
const buckets = (clientsMax?: number) => {
  nowMs = 0;
  const bound = clientsMax === undefined ? {} : { clientsMax };
  return new TokenBuckets({ perSecond: 2, burst: 3, monotonicMs: () => nowMs, ...bound });
};

test('a client that was quiet may ask so many at once, then waits for the next token', () => {
  const limit = buckets();
  expect([1, 2, 3].map(() => limit.take('ada'))).toEqual([0, 0, 0]);
  expect(limit.take('ada')).toBe(500);
  nowMs = 200;
  expect(limit.take('ada')).toBe(300);
  nowMs = 500;
  expect([limit.take('ada'), limit.take('ada')]).toEqual([0, 500]);
});

test('a client that keeps to the rate is never told to wait, however long', () => {
  const limit = buckets();
  const told = Array.from({ length: 1_000 }, (_, index) => {
    nowMs = index * 500;
    return limit.take('ada');
  });
  expect(new Set(told)).toEqual(new Set([0]));
});

test('being quiet longer gives no more than a full bucket', () => {
  const limit = buckets();
  for (let count = 0; count < 3; count++) limit.take('ada');
  nowMs = 3_600_000;
  expect([1, 2, 3, 4].map(() => limit.take('ada'))).toEqual([0, 0, 0, 500]);
});

test('one client does not pay for another', () => {
  const limit = buckets();
  for (let count = 0; count < 4; count++) limit.take('ada');
  expect(limit.take('bob')).toBe(0);
});

test('only so many clients are remembered: the one that was quiet longest is forgotten', () => {
  const limit = buckets(2);
  for (let count = 0; count < 4; count++) limit.take('ada');
  for (let count = 0; count < 4; count++) limit.take('bob');
  limit.take('ada');
  limit.take('eve');
  expect(limit.take('ada')).toBe(500);
  expect(limit.take('bob')).toBe(0);
});
