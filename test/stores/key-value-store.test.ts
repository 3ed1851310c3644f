import { rm } from 'node:fs/promises';
import { SimulatedDisk } from '../../stores/simulated-disk.ts';
import type { StoreSpec } from '../../stores/state-store.ts';
import { openTaskState } from '../../stores/task-state.ts';
import { temporaryDirectory } from './fixtures.ts';
import { describeKeyValueStores } from './key-value-store.conformance.ts';
import { optionsOf } from './task-options.ts';

describeKeyValueStores({
  name: 'LevelDB',
  persistence: 'leveldb',
  open: async (specs) => {
    const directory = await temporaryDirectory();
    await rm(directory, { recursive: true });
    return openTaskState(optionsOf({ directory, specs }));
  },
});

describeKeyValueStores({
  name: 'memory',
  persistence: 'memory',
  open: (specs) => openTaskState(optionsOf({ specs })),
});

describeKeyValueStores({
  name: 'memory beside LevelDB',
  persistence: 'memory',
  open: async (specs) => openTaskState(optionsOf({ directory: await temporaryDirectory(), specs })),
});

describeKeyValueStores({
  name: 'the simulated disk',
  persistence: 'leveldb',
  open: (specs) =>
    openTaskState(optionsOf({ directory: '/simulated/0_0', specs, engine: new SimulatedDisk() })),
});

const remembering = (specs: readonly StoreSpec[], knownKeysMax: number) =>
  specs.map((spec) => ({ ...spec, knownKeysMax }));

describeKeyValueStores({
  name: 'LevelDB that remembers its keys',
  persistence: 'leveldb',
  open: async (specs) =>
    openTaskState(
      optionsOf({ directory: await temporaryDirectory(), specs: remembering(specs, 1_000_000) }),
    ),
});

describeKeyValueStores({
  name: 'LevelDB that has to find out which keys it has, and has too many',
  persistence: 'leveldb',
  open: async (specs) => {
    const directory = await temporaryDirectory();
    const options = optionsOf({ directory, specs: remembering(specs, 3) });
    const before = await openTaskState(options);
    await before.close({ clean: true });
    return openTaskState(options);
  },
});

describeKeyValueStores({
  name: 'a simulated disk that finds out which keys it has',
  persistence: 'leveldb',
  open: async (specs) => {
    const engine = new SimulatedDisk();
    const options = optionsOf({ directory: '/0_0', specs: remembering(specs, 1_000), engine });
    const before = await openTaskState(options);
    await before.close({ clean: true });
    return openTaskState(options);
  },
});
