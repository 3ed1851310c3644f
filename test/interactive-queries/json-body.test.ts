import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictly } from '../../interactive-queries/http/json-body.ts';
import { Problem } from '../../interactive-queries/http/problem.ts';

function complaint(text: string): string | undefined {
  try {
    parseStrictly(text);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Problem);
    expect((error as Problem).slug).toBe('malformed-request');
    return (error as Problem).options.detail;
  }
}

describe('strict JSON', () => {
  test('reads what JSON.parse reads, as long as no key stands twice', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseStrictly(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('refuses what JSON.parse refuses', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(complaint(text) === undefined).toBe(isJson);
      }),
      { numRuns: 2_000 },
    );
  });

  test('finds a key that stands twice, however it is written, at any depth', () => {
    const escaped = (key: string) =>
      [...key].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    const key = fc.string({ unit: 'grapheme-ascii', minLength: 1 });
    fc.assert(
      fc.property(key, fc.nat(15), fc.json({ maxDepth: 1 }), (name, depth, value) => {
        const twice = `{${JSON.stringify(name)}:${value},"${escaped(name)}" :1}`;
        const text = '[{"a":'.repeat(depth / 2) + twice + '}]'.repeat(depth / 2);
        expect(complaint(text)).toContain('stands twice');
      }),
    );
  });

  test.each([
    '{"a":1,"b":{"a":1}}',
    '[{"a":1},{"a":2}]',
    '{"a":"a","b":"\\"a\\":"}',
    '{"a\\"":1,"a":2}',
    '{"a":["a","a"]}',
    '{"":1," ":2}',
  ])('%s has no key twice', (text) => {
    expect(complaint(text)).toBeUndefined();
  });

  test('takes twenty levels and refuses more', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(complaint(nested(20))).toBeUndefined();
    expect(complaint(nested(21))).toContain('20 levels');
    expect(complaint(`${'{"a":'.repeat(21)}1${'}'.repeat(21)}`)).toContain('20 levels');
  });

  test('many objects beside each other are no depth', () => {
    expect(complaint(`[${Array(500).fill('{"a":[]}').join(',')}]`)).toBeUndefined();
  });
});
