/** What `npm run bench` understands. */
import { parseArgs } from 'node:util';
import { BENCH_NAMES, type BenchName, type BenchOptions } from './kit/measure.ts';

export const HELP = `npm run bench [NAME…] [-- options]

  throughput   preloaded purchases: from the first to the last committed offset
  latency      open loop: from the intended send to a read_committed consumer
  restore      start with the state kept and with an empty state directory
  memory       of the app: idle, at its peak, at rest with its state
  http         POST with Prefer: wait and GET of the stock, closed loop
  (no name: all of them)

  --on WHERE          embedded, kafka or both                       (both)
                      kafka: the one that KAFKA_BROKERS names, else one that is started here
  --purchases N       preloaded purchases, 1 % of them twice        (1000000)
  --zones N           zones they are spread over, 90 % sold         (1000)
  --partitions N      partitions of the command topic               (4)
  --threads N         stream threads                                (1)
  --rates LIST        purchases per second of the latency bench     (2000,10000,55000)
  --seconds N         how long a rate or an HTTP mix is measured    (15)
  --connections N     HTTP connections                              (64)
  --rounds N          everything so many times                      (1)
  --short             about two seconds each, to see that it works
  --env NAME=VALUE    more environment for the app; may come again
  --out DIR           results: NAME.jsonl grows, NAME.svg is new    (bench/results)
  --delete-topics     may delete the sale's topics on the Kafka that KAFKA_BROKERS names
`;

export class UsageError extends Error {}

export interface Command {
  readonly names: readonly BenchName[];
  readonly on: readonly ('embedded' | 'kafka')[];
  readonly rounds: number;
  readonly out: string;
  readonly deleteTopics: boolean;
  readonly options: BenchOptions;
}

const SHORT = { purchases: '20000', zones: '50', rates: '1000', seconds: '1', connections: '8' };

/** undefined when help is wanted. Throws UsageError. */
export function parseCommand(args: readonly string[], defaultOut: string): Command | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const short = values.short ? SHORT : undefined;
  const names = positionals.map((name) => {
    const known = BENCH_NAMES.find((candidate) => candidate === name);
    if (known === undefined) throw new UsageError(`there is no bench ${name}`);
    return known;
  });
  return {
    names: names.length > 0 ? names : BENCH_NAMES,
    on: places(values.on),
    rounds: whole('rounds', values.rounds),
    out: values.out ?? defaultOut,
    deleteTopics: values['delete-topics'],
    options: {
      purchases: whole('purchases', values.purchases ?? short?.purchases ?? '1000000'),
      zones: whole('zones', values.zones ?? short?.zones ?? '1000'),
      partitions: whole('partitions', values.partitions),
      threads: whole('threads', values.threads),
      rates: (values.rates ?? short?.rates ?? '2000,10000,55000')
        .split(',')
        .map((rate) => whole('rates', rate)),
      seconds: whole('seconds', values.seconds ?? short?.seconds ?? '15'),
      connections: whole('connections', values.connections ?? short?.connections ?? '64'),
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
        on: { type: 'string', default: 'both' },
        purchases: { type: 'string' },
        zones: { type: 'string' },
        partitions: { type: 'string', default: '4' },
        threads: { type: 'string', default: '1' },
        rates: { type: 'string' },
        seconds: { type: 'string' },
        connections: { type: 'string' },
        rounds: { type: 'string', default: '1' },
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

function places(text: string): readonly ('embedded' | 'kafka')[] {
  if (text === 'both') return ['embedded', 'kafka'];
  if (text === 'embedded' || text === 'kafka') return [text];
  throw new UsageError('--on must be embedded, kafka or both');
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} must be a whole number of at least 1`);
  return value;
}

function pair(text: string): [string, string] {
  const cut = text.indexOf('=');
  if (cut < 1) throw new UsageError(`--env ${text} is not NAME=VALUE`);
  return [text.slice(0, cut), text.slice(cut + 1)];
}
