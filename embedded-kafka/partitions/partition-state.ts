/** What a partition derives from its batches, producers and leader epochs, as its log sees it. */
import type { DerivedState } from '../log/partition-log.ts';
import type { EpochStart, LeaderEpochs } from './leader-epochs.ts';
import type { ProducerStates } from './producer-states.ts';

interface SavedState {
  readonly producerEntries: ReturnType<ProducerStates['save']>;
  readonly epochStarts: readonly EpochStart[];
}

export function derivedState(producers: ProducerStates, epochs: LeaderEpochs): DerivedState {
  return {
    reset: () => {
      producers.reset();
      epochs.reset();
    },
    restore: (saved) => {
      const { producerEntries, epochStarts } = saved as SavedState;
      producers.restore(producerEntries);
      epochs.restore(epochStarts);
    },
    apply: (batch) => {
      epochs.assign(batch.header.leaderEpoch, batch.header.baseOffset);
      return producers.apply(batch);
    },
    save: (): SavedState => ({
      producerEntries: producers.save(),
      epochStarts: epochs.save(),
    }),
  };
}
