import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyOffsets } from '../../../embedded-kafka/log/compaction/key-offsets.ts';

describe('the map from keys to their last offsets', () => {
  test('behaves like a Map of strings', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3 }), { maxLength: 2000 }), (keys) => {
        const offsets = new KeyOffsets(64 * 1024 * 1024);
        const model = new Map<string, number>();
        for (const [offset, key] of keys.entries()) {
          const bytes = Buffer.from(`..${key}..`);
          expect(offsets.put(bytes, 2, bytes.length - 2, offset)).toBe(true);
          model.set(key, offset);
        }
        expect(offsets.size).toBe(model.size);
        for (const [key, offset] of model) {
          const bytes = Buffer.from(key);
          expect(offsets.get(bytes, 0, bytes.length)).toBe(offset);
        }
        expect(offsets.get(Buffer.from('not there'), 0, 9)).toBe(-1);
      }),
    );
  });

  test('says when it is full, and still takes what it knows', () => {
    const offsets = new KeyOffsets(64 * 1024);
    const put = (key: string, offset: number) =>
      offsets.put(Buffer.from(key), 0, key.length, offset);
    let fitted = 0;
    while (put(`key ${fitted}`, fitted)) fitted++;
    expect(fitted).toBeGreaterThan(500);
    expect(put('key 3', 9999)).toBe(true);
    expect(offsets.get(Buffer.from('key 3'), 0, 5)).toBe(9999);
    expect(offsets.get(Buffer.from('key 4'), 0, 5)).toBe(4);
  });
});
