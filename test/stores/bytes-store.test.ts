/** The bytes-level contract, for every implementation, against a map. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BytesEntry, BytesRange, BytesStore } from '../../stores/bytes-store.ts';
import { levelDbEngine } from '../../stores/leveldb-store.ts';
import { MemoryStore } from '../../stores/memory-store.ts';
import { SimulatedDisk } from '../../stores/simulated-disk.ts';
import { temporaryDirectory } from './fixtures.ts';

const WHOLE: BytesRange = { gte: Buffer.alloc(0), lt: Buffer.alloc(4, 0xff) };

const implementations: [string, () => Promise<BytesStore>][] = [
  ['LevelDB', async () => levelDbEngine().open(await temporaryDirectory(), 'owner')],
  ['memory', async () => new MemoryStore()],
  ['the simulated disk', async () => new SimulatedDisk().open('/sim', 'owner')],
];

async function write(store: BytesStore, writes: readonly (readonly [Buffer, Buffer | null])[]) {
  const batch = store.batch();
  for (const [key, value] of writes) {
    if (value === null) batch.delete(key);
    else batch.put(key, value);
  }
  await batch.write();
}

async function scanAll(store: BytesStore, range: BytesRange, pageMax = 3): Promise<string[][]> {
  const scan = store.scan(range);
  const all: BytesEntry[] = [];
  for (let page = await scan.next(pageMax); page.length > 0; page = await scan.next(pageMax)) {
    expect(page.length).toBeLessThanOrEqual(pageMax);
    all.push(...page);
  }
  await scan.close();
  return all.map(([key, value]) => [key.toString('hex'), value.toString('hex')]);
}

const keyBytes = fc
  .array(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), { minLength: 1, maxLength: 3 })
  .map((bytes) => Buffer.from(bytes));
const valueBytes = fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes));
const batches = fc.array(
  fc.array(fc.tuple(keyBytes, fc.option(valueBytes, { nil: null })), { maxLength: 8 }),
  { maxLength: 10 },
);

describe.each(implementations)('ordered bytes in %s', (_, open) => {
  test('are what a sorted map would hold, after any batches, in any range', async () => {
    const rangeBounds = fc.tuple(keyBytes, keyBytes, fc.boolean(), fc.boolean());
    await fc.assert(
      fc.asyncProperty(batches, rangeBounds, async (written, [gte, lt, reverse, looksBetween]) => {
        const store = await open();
        const model = new Map<string, string>();
        for (const writes of written) {
          await write(store, writes);
          for (const [key, value] of writes) {
            if (value === null) model.delete(key.toString('hex'));
            else model.set(key.toString('hex'), value.toString('hex'));
          }
          if (looksBetween) expect(await scanAll(store, WHOLE)).toHaveLength(model.size);
        }
        for (const [key, value] of model) {
          expect(store.get(Buffer.from(key, 'hex'))?.toString('hex')).toBe(value);
        }
        const inRange = [...model]
          .filter(([key]) => key >= gte.toString('hex') && key < lt.toString('hex'))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        expect(await scanAll(store, { gte, lt, reverse })).toEqual(
          reverse ? inRange.reverse() : inRange,
        );
        await store.close();
      }),
      { numRuns: 50 },
    );
  });

  test('do not change when the buffers do that were given', async () => {
    const store = await open();
    const key = Buffer.from('key');
    const value = Buffer.from('value');
    const batch = store.batch();
    batch.put(key, value);
    key.fill(0);
    value.fill(0);
    await batch.write();
    const read = store.get(Buffer.from('key'))!;
    expect(read.toString()).toBe('value');
    await store.close();
  });

  test('are one moment to a scan', async () => {
    const store = await open();
    await write(store, [
      [Buffer.of(1), Buffer.of(1)],
      [Buffer.of(2), Buffer.of(1)],
    ]);
    const scan = store.scan(WHOLE);
    await write(store, [
      [Buffer.of(1), null],
      [Buffer.of(2), Buffer.of(2)],
      [Buffer.of(3), Buffer.of(2)],
    ]);
    expect(await scan.next(10)).toEqual([
      [Buffer.of(1), Buffer.of(1)],
      [Buffer.of(2), Buffer.of(1)],
    ]);
    await scan.close();
    await scan.close();
    await store.close();
  });

  test('are refused after closing', async () => {
    const store = await open();
    await store.close();
    await store.close();
    const closed = expect.objectContaining({ code: 'STORE_CLOSED' });
    expect(() => store.get(Buffer.of(1))).toThrow(closed);
    expect(() => store.scan(WHOLE)).toThrow(closed);
    await expect((async () => store.batch().write())()).rejects.toThrow(closed);
  });

  test('can be flushed at any time', async () => {
    const store = await open();
    await store.flush();
    await write(store, [[Buffer.of(1), Buffer.alloc(100)]]);
    await store.flush();
    expect(await store.estimateBytes(WHOLE)).toBeGreaterThan(0);
    await store.close();
  });
});
