import { describe, expect, test } from 'vitest';
import { StoreHomes } from '../../runtime/queries/store-homes.ts';

const plan = {
  subTopologies: [
    {
      taskCount: 2,
      subTopology: {
        id: 3,
        stores: [
          { name: 'words', persistence: 'leveldb' },
          { name: 'scratch', persistence: 'memory' },
        ],
      },
    },
  ],
} as unknown as ConstructorParameters<typeof StoreHomes>[0];

const US = 'us';
const host = (processId: string, active: string[]) => ({
  processId,
  endpoint: { host: processId, port: 1 },
  active,
  standby: [],
});

describe('the home of a store', () => {
  test('is its tasks, and tells what only they can read', () => {
    const homes = new StoreHomes(plan, US);
    expect(homes.of('words')?.taskIds).toEqual(['3_0', '3_1']);
    expect(homes.of('words')?.isInMemory).toBe(false);
    expect(homes.of('scratch')?.isInMemory).toBe(true);
    expect(homes.of('nothing')).toBeUndefined();
  });

  test('is where the leader said last', () => {
    const homes = new StoreHomes(plan, US);
    const words = homes.of('words')!;
    expect(words.location(1)).toMatchObject({ active: undefined, isLocal: false });
    homes.hostsChanged([host(US, ['3_0', '3_1'])]);
    expect(words.location(1)).toMatchObject({ partition: 1, isLocal: true });
    homes.hostsChanged([host(US, ['3_0']), host('them', ['3_1'])]);
    expect(words.location(0)).toMatchObject({ isLocal: true });
    expect(words.location(1)).toMatchObject({ active: { host: 'them', port: 1 }, isLocal: false });
  });

  test('has no owner for what is no partition of it', () => {
    const homes = new StoreHomes(plan, US);
    homes.hostsChanged([host(US, ['3_0', '3_1'])]);
    expect(homes.of('words')!.location(2)).toMatchObject({ active: undefined, isLocal: false });
  });
});
