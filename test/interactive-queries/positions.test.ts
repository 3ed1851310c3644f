import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatPosition,
  hasReached,
  lagAllowed,
  parsePosition,
  positionAfter,
  readQuery,
} from '../../interactive-queries/positions.ts';

describe('positions', () => {
  test('come back from their text', () => {
    const name = fc.tuple(fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/), fc.nat(999));
    const offset = fc.nat(Number.MAX_SAFE_INTEGER).map((value) => value % 1e15);
    const isWanted = new Ajv2020({ unicodeRegExp: true }).compile(readQuery.minPosition);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, offset), {
          minLength: 1,
          selector: ([[topic, partition]]) => `${topic}-${partition}`,
        }),
        (pairs) => {
          const position = new Map(
            pairs.map(([[topic, partition], value]) => [`${topic}-${partition}`, value]),
          );
          const text = formatPosition(position);
          expect(parsePosition(text)).toEqual(position);
          expect(isWanted(text)).toBe(true);
        },
      ),
    );
  });

  test('are left out of a header that they would burst', () => {
    const many = new Map(Array.from({ length: 1_000 }, (_, index) => [`topic-${index}`, 123_456]));
    expect(formatPosition(many)).toBe('');
    expect(formatPosition(new Map())).toBe('');
  });

  test.each([
    '',
    'x',
    'topic:5',
    'topic-1:',
    'topic-1:x',
    'topic-1:5,',
    'to pic-1:5',
    'topic-1:1e3',
    `topic-1:${'9'.repeat(20)}`,
  ])('%j is no position to wait for', (text) => {
    expect(new Ajv2020({ unicodeRegExp: true }).compile(readQuery.minPosition)(text)).toBe(false);
  });

  test('after a record is the offset behind it, if its offset is known', () => {
    expect(positionAfter('topic', { partition: 3, offset: 41 })).toBe('topic-3:42');
    expect(positionAfter('topic', { partition: 3, offset: -1 })).toBeUndefined();
  });

  test.each([
    ['at it', { 'in-3': 5 }, true],
    ['beyond it', { 'in-3': 9 }, true],
    ['before it', { 'in-3': 4 }, false],
    ['without any position yet', {}, false],
    ['of a task that does not read the topic', { 'other-3': 9 }, true],
  ])('a state %s', (_, position, expected) => {
    const state = new Map(Object.entries(position));
    expect(hasReached(state, new Map([['in-3', 5]]), 3)).toBe(expected);
  });

  test('of other partitions are not waited for', () => {
    expect(hasReached(new Map(), new Map([['in-4', 5]]), 3)).toBe(true);
    expect(hasReached(new Map([['in-3', 0]]), new Map([['in-13', 5]]), 3)).toBe(true);
  });

  test('all that concern the partition must be reached', () => {
    const wanted = new Map([
      ['a-3', 5],
      ['b-3', 7],
    ]);
    expect(
      hasReached(
        new Map([
          ['a-3', 5],
          ['b-3', 6],
        ]),
        wanted,
        3,
      ),
    ).toBe(false);
    expect(
      hasReached(
        new Map([
          ['a-3', 5],
          ['b-3', 7],
        ]),
        wanted,
        3,
      ),
    ).toBe(true);
  });

  test.each([
    [{}, 0],
    [{ consistency: 'strong' }, 0],
    [{ maxLag: '5' }, 0],
    [{ consistency: 'any' }, Number.POSITIVE_INFINITY],
    [{ consistency: 'any', maxLag: '5' }, 5],
    [{ consistency: 'any', maxLag: '0' }, 0],
  ])('%j allows an answer that is %d records behind', (query, lag) => {
    expect(lagAllowed(query as Record<string, string>)).toBe(lag);
  });
});
