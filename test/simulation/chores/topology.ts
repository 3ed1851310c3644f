/**
 * What the sale does not do: punctuators that write, and stores from which entries go away. Chores are
 * opened and done; what is open lies in a store whose changelog is compacted soon and hard. Rounds are
 * counted by the wall clock, one after the other, whether or not anything comes in.
 */
import { stringSerde } from '../../../schemas/serdes.ts';
import type { StoreSpec } from '../../../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../../../topology/processor.ts';
import type { BuiltTopology } from '../../../topology/sub-topology.ts';
import { Topology } from '../../../topology/topology.ts';

export const TOPICS = { chores: 'chores', finished: 'finished', rounds: 'rounds' } as const;
export const STORES = { open: 'open-chores', round: 'round' } as const;
export const ROUND_KEY = 'round';
/** So long tombstones of a changelog stay. */
const DELETE_RETENTION_MS = 4_000;
/**
 * What the engine is told of it: a position is trusted for half of that. With a day the rest is hours in
 * which a restore may be held up; here it is to be as long as the network holds anything up.
 */
export const TOLD_RETENTION_MS = 3_000;

const ROUND_MS = 400;
const NODE = 'keeper';

const COMPACTED_SOON = {
  'segment.ms': '200',
  'min.cleanable.dirty.ratio': '0',
  'delete.retention.ms': String(DELETE_RETENTION_MS),
};

class Keeper implements Processor<string, string, string, string> {
  #context!: ProcessorContext<string, string>;

  init(context: ProcessorContext<string, string>): void {
    this.#context = context;
    context.schedule(ROUND_MS, 'wall-clock-time', (nowMs) => this.#nextRound(nowMs));
  }

  process({ key, value, timestampMs }: StreamRecord<string, string>): void {
    const open = this.#context.getStateStore<string, string>(STORES.open);
    const { offset } = this.#context.recordMetadata()!;
    if (value === 'open') {
      open.put(key, String(offset));
      return;
    }
    const since = open.get(key);
    if (since !== undefined) open.delete(key);
    this.#forward(TOPICS.finished, key, finishedValue(since, offset), timestampMs);
  }

  #nextRound(nowMs: number): void {
    const store = this.#context.getStateStore<string, string>(STORES.round);
    const round = String(Number(store.get(ROUND_KEY) ?? 0) + 1);
    store.put(ROUND_KEY, round);
    this.#forward(TOPICS.rounds, ROUND_KEY, round, nowMs);
  }

  #forward(sink: string, key: string, value: string, timestampMs: number): void {
    this.#context.forward({ key, value, timestampMs, headers: [] }, sink);
  }
}

/** From which offset to which a chore was open. */
export function finishedValue(since: string | undefined, offset: number): string {
  return `${since ?? 'never'} to ${offset}`;
}

export function choresTopology(): BuiltTopology {
  const text = { keySerde: stringSerde, valueSerde: stringSerde };
  const partitioner = ({ taskPartition }: { taskPartition: number }) => taskPartition;
  const sink = (name: string) => ({ name, topic: name, ...text, partitioner, parents: [NODE] });
  return new Topology()
    .addSource({ name: 'source', topics: [TOPICS.chores], ...text })
    .addProcessor({ name: NODE, supplier: () => new Keeper(), parents: ['source'] })
    .addStateStore(store(STORES.open, COMPACTED_SOON), NODE)
    .addStateStore(store(STORES.round, COMPACTED_SOON), NODE)
    .addSink(sink(TOPICS.finished))
    .addSink(sink(TOPICS.rounds))
    .build();
}

function store(name: string, configs: Readonly<Record<string, string>>): StoreSpec<string, string> {
  return {
    kind: 'keyValue',
    name,
    keySerde: stringSerde,
    valueSerde: stringSerde,
    persistence: 'leveldb',
    changelog: { configs },
  };
}
