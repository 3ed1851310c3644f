import { rm } from 'node:fs/promises';
import { SimulatedDisk } from '../../stores/simulated-disk.ts';
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
