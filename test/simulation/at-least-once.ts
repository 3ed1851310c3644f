/**
 * A count of words with processing.guarantee at_least_once: what is promised then is less, and must hold
 * all the same. Nothing acknowledged goes uncounted, nothing comes from nowhere, and the stores are what
 * their changelogs say.
 */
import { fromBytes } from '../../schemas/serde.ts';
import { int64Serde, stringSerde } from '../../schemas/serdes.ts';
import type { Outcome, Scenario, SimulatedRun } from '../../simulation/scenario.ts';
import { between, pick } from '../../simulation/world/draw.ts';
import { StreamsBuilder } from '../../topology/streams-builder.ts';

const APPLICATION_ID = 'at-least-once';
const PARTITIONS = 2;
const STORE = 'counts';
const WORDS = ['apple', 'pear', 'plum', 'fig'];
const LINES_MAX = 30;

function build() {
  const builder = new StreamsBuilder();
  builder
    .stream('words', { name: 'words', keySerde: stringSerde, valueSerde: stringSerde })
    .groupByKey({ name: 'by-word', keySerde: stringSerde, valueSerde: stringSerde })
    .count({ name: 'count', store: STORE })
    .toStream({ name: 'changes' })
    .to('word-counts', { name: 'out', keySerde: stringSerde, valueSerde: int64Serde });
  return builder.build().build();
}

const topology = build();
const topic = (name: string) => ({
  name,
  partitions: PARTITIONS,
  replicationFactor: 1,
  configs: {},
});

export const atLeastOnce: Scenario = {
  applicationId: APPLICATION_ID,
  topology: () => topology,
  topics: [topic('words'), topic('word-counts')],
  config: { processingGuarantee: 'at_least_once', deliveryTimeoutMs: 5_000 },
  begin: (run) => ({ feed: () => feed(run), check }),
};

async function feed(run: SimulatedRun): Promise<void> {
  const lines = pick(run.random, 5, LINES_MAX);
  for (let line = 0; line < lines; line++) {
    await run.clock.sleep(between(run.random, 0, (2 * run.faultsMs) / lines));
    const number = pick(run.random, 0, WORDS.length - 1);
    const key = Buffer.from(WORDS[number]!);
    const partition = number % PARTITIONS;
    while ((await run.send('words', partition, { key, value: key })) !== 'acknowledged') {
      await run.clock.sleep(between(run.random, 10, 300));
    }
  }
}

async function check(outcome: Outcome): Promise<readonly string[]> {
  const said = new Map<string, number>();
  for (const { key } of (await outcome.records('words')).flat()) {
    said.set(key, (said.get(key) ?? 0) + 1);
  }
  const counted = await lastCounts(outcome, 'word-counts');
  const logged = await lastCounts(outcome, `${APPLICATION_ID}-${STORE}-changelog`);
  const stored = new Map<unknown, number>();
  for (const { entries } of await outcome.stores()) {
    for (const [word, count] of entries) stored.set(word, Number(count));
  }
  const violations: string[] = [];
  for (const word of new Set([...said.keys(), ...counted.keys(), ...logged.keys()])) {
    const [times, count] = [said.get(word) ?? 0, counted.get(word) ?? 0];
    if (times === 0) violations.push(`${word} was never said and counted ${count} times`);
    if (count < times)
      violations.push(`${word} was said ${times} times and counted ${count} times`);
    const [store, log] = [stored.get(word), logged.get(word)];
    if (store !== log)
      violations.push(`${word} is ${store} in the store and ${log} in its changelog`);
  }
  return said.size === 0 ? ['nothing was said'] : violations;
}

async function lastCounts(outcome: Outcome, from: string): Promise<ReadonlyMap<string, number>> {
  const records = (await outcome.records(from)).flat();
  return new Map(records.map(({ key, value }) => [key, Number(fromBytes(int64Serde, value!))]));
}
