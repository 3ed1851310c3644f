import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { murmur2, partitionForKey } from '../../kafka/murmur2.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/murmur2.json', import.meta.url), 'utf8'),
) as Record<'kafka_UtilsTest' | 'kafkajs_spec', [key: string, hash: number][]>;
const known = [...vectors.kafka_UtilsTest, ...vectors.kafkajs_spec];

describe('murmur2', () => {
  test.each(known)('of %j is what Java says', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  test('reads only the given range', () => {
    const [key, hash] = known[0]!;
    const padded = Buffer.from(`<<<${key}>>>`);
    expect(murmur2(padded, 3, 3 + key.length)).toBe(hash);
  });

  test('puts a key into the partition of its hash without the sign', () => {
    for (const [key, hash] of known) {
      const bytes = Buffer.from(key);
      expect(partitionForKey(bytes, 0, bytes.length, 12)).toBe((hash & 0x7fffffff) % 12);
    }
  });
});
