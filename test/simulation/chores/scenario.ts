/** Chores as a scenario: its workload, and an independent fold over what was asked for. */
import { partitionForKey } from '../../../kafka/murmur2.ts';
import type {
  Outcome,
  Scenario,
  SendOutcome,
  SimulatedRun,
  StoreContent,
  Workload,
} from '../../../simulation/scenario.ts';
import type { ReadRecord } from '../../../simulation/topic-reader.ts';
import { between, pick } from '../../../simulation/world/draw.ts';
import { readRounds } from './round-reader.ts';
import {
  choresTopology,
  finishedValue,
  ROUND_KEY,
  STORES,
  TOLD_RETENTION_MS,
  TOPICS,
} from './topology.ts';

const PARTITIONS = 3;
const CHORES_MAX = 60;
/** Longer than tombstones stay, and than it takes to clean them away. */
const ABSENCE_MS = [5_500, 8_000] as const;
/** Chores go on while an instance is away, and when it is back: only a log that grows is cleaned. */
const BACK_MS = 1_500;

const topology = choresTopology();

export const chores: Scenario = {
  applicationId: 'chores',
  topology: () => topology,
  topics: Object.values(TOPICS).map((name) => ({
    name,
    partitions: PARTITIONS,
    replicationFactor: 1,
    configs: {},
  })),
  config: { changelogDeleteRetentionMs: TOLD_RETENTION_MS },
  broker: { 'log.retention.check.interval.ms': '300' },
  // Seconds stand for hours here: clocks that are wrong by seconds would be wrong by hours.
  clockErrorMsMax: 100,
  absenceMs: ABSENCE_MS,
  begin: (run) => new ChoresWorkload(run),
  watch: readRounds,
};

interface Sent {
  readonly key: string;
  readonly value: string;
  outcome: SendOutcome | undefined;
}

class ChoresWorkload implements Workload {
  readonly #run: SimulatedRun;
  readonly #sent: Sent[] = [];

  constructor(run: SimulatedRun) {
    this.#run = run;
  }

  async feed(): Promise<void> {
    const { random, clock, faultsMs, absenceMs } = this.#run;
    const count = pick(random, 10, CHORES_MAX);
    const feedMs = absenceMs > 0 ? Math.max(faultsMs, absenceMs + BACK_MS) : faultsMs;
    const pauseMsMax = (2 * feedMs) / count;
    const running: Promise<void>[] = [];
    for (let number = 0; number < count; number++) {
      await clock.sleep(between(random, 0, pauseMsMax));
      running.push(this.#chore(`chore-${number}`));
    }
    await Promise.all(running);
  }

  /** Opened, and most of them done a while later. */
  async #chore(key: string): Promise<void> {
    const { random, clock } = this.#run;
    await this.#send(key, 'open');
    if (random.next() < 0.2) return;
    await clock.sleep(between(random, 0, 2_000));
    await this.#send(key, 'done');
  }

  async #send(key: string, value: string): Promise<void> {
    const sent: Sent = { key, value, outcome: undefined };
    this.#sent.push(sent);
    const bytes = Buffer.from(key);
    const partition = partitionForKey(bytes, 0, bytes.length, PARTITIONS);
    const record = { key: bytes, value: Buffer.from(value) };
    sent.outcome = await this.#run.send(TOPICS.chores, partition, record);
  }

  async check(outcome: Outcome): Promise<readonly string[]> {
    const input = await outcome.records(TOPICS.chores);
    const finished = await outcome.records(TOPICS.finished);
    const rounds = await outcome.records(TOPICS.rounds);
    const stores = await outcome.stores();
    const violations = this.#sends(input.flat());
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const place = `partition ${partition}`;
      const fold = foldOf(input[partition]!);
      const content = contentOf(stores, partition);
      violations.push(
        ...differences(
          `${TOPICS.finished} of ${place}`,
          texts(finished[partition]!),
          fold.finished,
        ),
        ...differences(`${STORES.open} of ${place}`, content(STORES.open), fold.open),
        ...roundsOf(place, rounds[partition]!, content(STORES.round)),
      );
    }
    return violations;
  }

  /** Acknowledged sends are there once, refused ones are not, unknown ones at most once. */
  #sends(records: readonly ReadRecord[]): string[] {
    const nameOf = (key: string, value: string) => `${key}: ${value}`;
    const found = Map.groupBy(records, ({ key, value }) => nameOf(key, String(value)));
    return this.#sent.flatMap(({ key, value, outcome }) => {
      const times = found.get(nameOf(key, value))?.length ?? 0;
      if (outcome === 'acknowledged' ? times === 1 : times <= 1) return [];
      return [`"${nameOf(key, value)}" (${outcome}) is in the log ${times} times`];
    });
  }
}

interface Fold {
  /** As sorted lines. */
  readonly open: readonly string[];
  readonly finished: readonly string[];
}

/** What must have come of these records; it knows nothing of transactions. */
function foldOf(records: readonly ReadRecord[]): Fold {
  const open = new Map<string, string>();
  const finished: string[] = [];
  for (const { key, value, offset } of records) {
    if (String(value) === 'open') {
      open.set(key, String(offset));
    } else {
      finished.push(lineOf(key, finishedValue(open.get(key), offset)));
      open.delete(key);
    }
  }
  return { open: [...open].map(([key, value]) => lineOf(key, value)).sort(), finished };
}

/** Each round follows the one before it: none is missing, none is there twice. */
function roundsOf(place: string, records: readonly ReadRecord[], store: readonly string[]) {
  const wanted = records.map((_, index) => lineOf(ROUND_KEY, String(index + 1)));
  return [
    ...differences(`${TOPICS.rounds} of ${place}`, texts(records), wanted),
    ...differences(`${STORES.round} of ${place}`, store, wanted.slice(-1)),
  ];
}

function contentOf(stores: readonly StoreContent[], partition: number) {
  return (name: string): readonly string[] => {
    const owned = stores.filter((each) => each.store === name && each.partition === partition);
    if (owned.length !== 1) return [`${owned.length} owners`];
    return [...owned[0]!.entries].map(([key, value]) => lineOf(key, value)).sort();
  };
}

function texts(records: readonly ReadRecord[]): readonly string[] {
  return records.map(({ key, value }) => lineOf(key, String(value)));
}

function lineOf(key: unknown, value: unknown): string {
  return `${key} = ${value}`;
}

/** The first difference. */
function differences(
  place: string,
  found: readonly string[],
  wanted: readonly string[],
): readonly string[] {
  for (let index = 0; index < Math.max(found.length, wanted.length); index++) {
    if (found[index] === wanted[index]) continue;
    const counts = `${found.length}/${wanted.length}`;
    return [`${place}, line ${index}: ${found[index]} instead of ${wanted[index]} (${counts})`];
  }
  return [];
}
