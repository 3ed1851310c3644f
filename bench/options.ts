/** What `npm run bench` understands. */
import { parseArgs } from 'node:util';
import { BENCH_NAMES, type BenchName, type BenchOptions } from './kit/measure.ts';
import type { PlatformName } from './kit/platform.ts';
import { RIVALS } from './rivals/catalogue.ts';

const HELP = `npm run bench -- [NAME…] [options]

  throughput   preloaded purchases: from the first to the last committed offset
  latency      open loop: from the intended send to a read_committed consumer
  restore      start with the state kept and with an empty state directory
  recovery     kill -9 under load, start again at once: until decisions flow, until caught up
  memory       of the app: idle, at its peak, at rest with its state
  http         POST of a purchase until decided, closed loop
  query        GET of the stock, closed loop
  growth       cost per decision as state, partitions and zones grow, and one hot zone
  (no name: all of them)

  --against LIST      rivals to measure beside ours, or all: see below      (none)
  --rounds N          ours, rival, ours, rival … so many times   (1; against rivals 3)
  --noise-max P       repeat a run while others take more of the machine, %  (12)
  --repeats N         but only so many times                                (2)
  --on WHERE          ours on embedded, kafka or both (both; kafka against rivals on Kafka)
                      kafka: the one that KAFKA_BROKERS names, else one that is started here
  --purchases N       preloaded purchases, 1 % of them twice        (1000000)
  --state N           purchases to which growth lets the state grow (10000000)
  --zones N           zones they are spread over, 90 % sold         (1000)
  --partitions N      partitions of the command topic               (4)
  --threads N         stream threads                                (1)
  --commit MS         longest time between commits                  (100)
  --guarantee G       exactly_once_v2 or at_least_once              (exactly_once_v2)
  --rates LIST        purchases per second of the latency bench     (2000,10000,55000)
  --seconds N         how long a rate or an HTTP mix is measured    (15)
  --connections N     HTTP connections                              (64)
  --short             about two seconds each, to see that it works
  --env NAME=VALUE    more environment for our app; may come again
  --out DIR           results: NAME.jsonl grows, NAME.svg is new    (bench/results)
  --delete-topics     may delete the sale's topics on the Kafka that KAFKA_BROKERS names

Rivals:
`;

export function helpText(): string {
  const rivals = Object.entries(RIVALS).map(
    ([name, { about, benches }]) => `  ${name.padEnd(19)} ${about} (${benches.join(', ')})`,
  );
  return `${HELP}${rivals.join('\n')}\n`;
}

export class UsageError extends Error {}

export interface Command {
  readonly names: readonly BenchName[];
  /** Where ours runs; undefined = as the rivals ask for. */
  readonly on: readonly PlatformName[] | undefined;
  readonly against: readonly string[];
  readonly rounds: number;
  readonly noisePercentMax: number;
  readonly repeats: number;
  readonly out: string;
  readonly deleteTopics: boolean;
  readonly options: BenchOptions;
}

const USUAL = {
  purchases: '1000000',
  state: '10000000',
  zones: '1000',
  rates: '2000,10000,55000',
  seconds: '15',
  connections: '64',
  rounds: '3',
};
const SHORT = {
  purchases: '20000',
  state: '20000',
  zones: '50',
  rates: '1000',
  seconds: '1',
  connections: '8',
  rounds: '1',
};

/** undefined when help is wanted. Throws UsageError. */
export function parseCommand(args: readonly string[], defaultOut: string): Command | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const sizes = values.short ? SHORT : USUAL;
  const size = (name: keyof typeof USUAL) => whole(name, values[name] ?? sizes[name]);
  const against = rivalsOf(values.against);
  return {
    names: benchesOf(positionals),
    on: values.on === undefined ? undefined : places(values.on),
    against,
    rounds: against.length > 0 ? size('rounds') : whole('rounds', values.rounds ?? '1'),
    noisePercentMax: whole('noise-max', values['noise-max']),
    repeats: whole('repeats', values.repeats, 0),
    out: values.out ?? defaultOut,
    deleteTopics: values['delete-topics'],
    options: {
      purchases: size('purchases'),
      state: size('state'),
      zones: size('zones'),
      partitions: whole('partitions', values.partitions),
      threads: whole('threads', values.threads),
      commitMs: whole('commit', values.commit),
      guarantee: guarantee(values.guarantee),
      rates: (values.rates ?? sizes.rates).split(',').map((rate) => whole('rates', rate)),
      seconds: size('seconds'),
      connections: size('connections'),
      env: Object.fromEntries(values.env.map(pair)),
    },
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        on: { type: 'string' },
        against: { type: 'string', default: '' },
        purchases: { type: 'string' },
        state: { type: 'string' },
        zones: { type: 'string' },
        partitions: { type: 'string', default: '4' },
        threads: { type: 'string', default: '1' },
        commit: { type: 'string', default: '100' },
        guarantee: { type: 'string', default: 'exactly_once_v2' },
        rates: { type: 'string' },
        seconds: { type: 'string' },
        connections: { type: 'string' },
        rounds: { type: 'string' },
        'noise-max': { type: 'string', default: '12' },
        repeats: { type: 'string', default: '2' },
        short: { type: 'boolean', default: false },
        env: { type: 'string', multiple: true, default: [] },
        out: { type: 'string' },
        'delete-topics': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function benchesOf(names: readonly string[]): readonly BenchName[] {
  const benches = names.map((name) => {
    const known = BENCH_NAMES.find((candidate) => candidate === name);
    if (known === undefined) throw new UsageError(`there is no bench ${name}`);
    return known;
  });
  return benches.length > 0 ? benches : BENCH_NAMES;
}

function rivalsOf(text: string): readonly string[] {
  if (text === 'all') return Object.keys(RIVALS);
  const names = text.split(',').filter((name) => name !== '');
  for (const name of names) {
    if (RIVALS[name] === undefined) throw new UsageError(`there is no rival ${name}`);
  }
  return names;
}

function guarantee(text: string): string {
  if (text === 'exactly_once_v2' || text === 'at_least_once') return text;
  throw new UsageError('--guarantee must be exactly_once_v2 or at_least_once');
}

function places(text: string): readonly PlatformName[] {
  if (text === 'both') return ['embedded', 'kafka'];
  if (text === 'embedded' || text === 'kafka') return [text];
  throw new UsageError('--on must be embedded, kafka or both');
}

function whole(name: string, text: string, min = 1): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min)
    throw new UsageError(`--${name} must be a whole number of at least ${min}`);
  return value;
}

function pair(text: string): [string, string] {
  const cut = text.indexOf('=');
  if (cut < 1) throw new UsageError(`--env ${text} is not NAME=VALUE`);
  return [text.slice(0, cut), text.slice(cut + 1)];
}
