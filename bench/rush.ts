/**
 * A bounded sale rush from the outside: purchases through the topic or over HTTP, a progress bar,
 * and at the end a proof read back from the topics. Exit 0 only when the proof holds.
 */
import { parseArgs } from 'node:util';
import cliProgress from 'cli-progress';
import { bearer } from '../ticket-sales/app/demo.ts';
import type { PurchaseCommand } from '../ticket-sales/domain/command.ts';
import { TOPICS } from '../ticket-sales/records.ts';
import { Gate } from './gate.ts';
import { answerOfStatus, JournalWriter } from './kit/journal-writer.ts';
import { percentiles } from './percentiles.ts';
import {
  connectToSale,
  endOffsets,
  openSale,
  purchaseNumber,
  readTopic,
  type Sale,
  type SaleClient,
} from './sale-client.ts';
import { isProven, proveSale } from './sale-proof.ts';

const HELP = `npm run rush -- [options]      a bounded sale rush against a running sale

  --purchases N   purchases to ask for                 (20000)
  --tickets N     tickets in all zones together        (half of the purchases)
  --zones N       zones they are spread over           (8)
  --via WAY       topic or http                        (topic)
  --rate N        purchases per second, 0 = all at once for the topic, 64 at a time for HTTP (0)
  --repeat N      share of purchases asked for twice   (0.01)
  --url URL       the sale's HTTP address              (HTTP_URL or http://127.0.0.1:8080)
  --brokers LIST  Kafka                                (KAFKA_BROKERS or 127.0.0.1:9092)
  --registry URL  schema registry                      (SCHEMA_REGISTRY_URL or http://127.0.0.1:8081)
  --journal FILE  write what was asked and how it was answered, for millrace audit --journal
  --json          one JSON line instead of the table

With AUTH=jwt the environment has the token of an operator in MILLRACE_TOKEN (an option would be seen by all).
`;

const TOKEN = process.env['MILLRACE_TOKEN'] || undefined;
const HTTP_IN_FLIGHT = 64;
const TOPIC_IN_FLIGHT = 20_000;

interface RushOptions {
  readonly purchases: number;
  readonly tickets: number;
  readonly zones: number;
  readonly via: 'topic' | 'http';
  readonly rate: number;
  readonly repeat: number;
  readonly journal: JournalWriter | undefined;
  readonly json: boolean;
}

interface Decided {
  /** ms from the intended send to the moment a read_committed consumer had it. */
  readonly latenciesMs: Float64Array;
  count: number;
  firstMs: number;
  lastMs: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      purchases: { type: 'string', default: '20000' },
      tickets: { type: 'string' },
      zones: { type: 'string', default: '8' },
      via: { type: 'string', default: 'topic' },
      rate: { type: 'string', default: '0' },
      repeat: { type: 'string', default: '0.01' },
      url: { type: 'string', default: process.env['HTTP_URL'] ?? 'http://127.0.0.1:8080' },
      brokers: { type: 'string', default: process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092' },
      registry: {
        type: 'string',
        default: process.env['SCHEMA_REGISTRY_URL'] ?? 'http://127.0.0.1:8081',
      },
      journal: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const options: RushOptions = {
    purchases: positive('purchases', values.purchases),
    tickets: positive('tickets', values.tickets ?? String(Math.ceil(Number(values.purchases) / 2))),
    zones: positive('zones', values.zones),
    via: way(values.via),
    rate: number('rate', values.rate),
    repeat: number('repeat', values.repeat),
    journal: values.journal === undefined ? undefined : new JournalWriter(values.journal),
    json: values.json,
  };
  try {
    const client = await connectToSale(
      { brokers: values.brokers, registryUrl: values.registry, httpUrl: values.url },
      15_000,
    );
    try {
      return await rush(client, options);
    } finally {
      await client.close();
    }
  } finally {
    options.journal?.close();
  }
}

async function rush(client: SaleClient, options: RushOptions): Promise<number> {
  const sale = newSale(options);
  await openSale(client.addresses.httpUrl, sale, undefined, TOKEN);
  const decided: Decided = {
    latenciesMs: new Float64Array(options.purchases),
    count: 0,
    firstMs: 0,
    lastMs: 0,
  };
  const intendedMs = new Float64Array(options.purchases);
  const bar = new cliProgress.SingleBar(
    {
      format: 'asked {asked}  decided {value}/{total} [{bar}] {duration_formatted}',
      clearOnComplete: false,
      stream: process.stderr,
    },
    cliProgress.Presets.shades_classic,
  );
  if (!options.json) bar.start(options.purchases, 0, { asked: 0 });
  let asked = 0;
  const shown = setInterval(() => bar.update(decided.count, { asked }), 200);
  const reader = await readTopic(
    client.kafka,
    TOPICS.purchaseStatus,
    await endOffsets(client.kafka, TOPICS.purchaseStatus, 'read_committed'),
  );
  const watching = watch(client, reader, sale, options, intendedMs, decided);
  await ask(client, sale, options, intendedMs, () => asked++);
  const complete = await watching;
  clearInterval(shown);
  bar.update(decided.count, { asked });
  bar.stop();
  await reader.close();
  const proof = await proveSale(client, sale);
  report(options, decided, proof, complete);
  return complete && isProven(proof) ? 0 : 1;
}

function newSale(options: RushOptions): Sale {
  const share = Math.floor(options.tickets / options.zones);
  const zones = Array.from({ length: options.zones }, (_, index) => ({
    zoneId: `zone-${index}`,
    capacity: index === 0 ? options.tickets - share * (options.zones - 1) : share,
  }));
  return { eventId: `rush-${Date.now().toString(36)}`, zones };
}

/** First outcomes, by the number in the buyer's name. */
async function watch(
  client: SaleClient,
  reader: Awaited<ReturnType<typeof readTopic>>,
  sale: Sale,
  options: RushOptions,
  intendedMs: Float64Array,
  decided: Decided,
): Promise<boolean> {
  const seen = new Uint8Array(options.purchases);
  return reader.read(
    (record) => {
      if (record.valueStart < 0) return;
      const purchase = client.serdes.purchase.decode(
        record.buffer,
        record.valueStart,
        record.valueEnd,
      );
      if (purchase.eventId !== sale.eventId) return;
      const index = Number(purchase.buyerId.slice('buyer-'.length));
      if (seen[index] !== 0) return;
      seen[index] = 1;
      const nowMs = performance.now();
      if (decided.count === 0) decided.firstMs = nowMs;
      decided.lastMs = nowMs;
      decided.latenciesMs[decided.count++] = nowMs - intendedMs[index]!;
    },
    () => decided.count >= options.purchases,
    60_000,
  );
}

/** Open loop when a rate is given: the intended time counts, however late the sender is. */
async function ask(
  client: SaleClient,
  sale: Sale,
  options: RushOptions,
  intendedMs: Float64Array,
  onAsked: () => void,
): Promise<void> {
  const gate = new Gate(options.via === 'http' ? HTTP_IN_FLIGHT : TOPIC_IN_FLIGHT);
  const startMs = performance.now();
  for (let index = 0; index < options.purchases; index++) {
    const dueMs = options.rate > 0 ? startMs + (index * 1_000) / options.rate : performance.now();
    if (dueMs > performance.now())
      await new Promise((resolve) => setTimeout(resolve, dueMs - performance.now()));
    intendedMs[index] = options.rate > 0 ? dueMs : performance.now();
    const repeats = (index % 1_000) / 1_000 < options.repeat ? 2 : 1;
    for (let time = 0; time < repeats; time++) {
      await gate.enter();
      gate.leaveAfter(askOnce(client, sale, options, index));
    }
    onAsked();
    if (index % 256 === 255) await new Promise((resolve) => setImmediate(resolve));
  }
  await gate.empty();
}

async function askOnce(
  client: SaleClient,
  sale: Sale,
  options: RushOptions,
  index: number,
): Promise<void> {
  const purchase = purchaseNumber(sale, index);
  if (options.via === 'http') return askByHttp(client.addresses.httpUrl, purchase, index, options);
  const produced = client.send(purchase);
  return options.journal?.follow(purchase, produced) ?? produced;
}

async function askByHttp(
  httpUrl: string,
  purchase: PurchaseCommand,
  index: number,
  { journal }: RushOptions,
): Promise<void> {
  const { eventId, zoneId, buyerId, quantity } = purchase;
  const idempotencyKey = `rush-${index}`;
  for (;;) {
    const answered = journal?.sent(purchase, idempotencyKey);
    const answer = await fetch(`${httpUrl}/v1/purchases`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': idempotencyKey,
        ...bearer(TOKEN),
      },
      body: JSON.stringify({ eventId, zoneId, buyerId, quantity }),
    });
    const text = await answer.text();
    answered?.(answerOfStatus(answer.status));
    if (answer.status < 500) {
      if (answer.status !== 202) throw new Error(`POST /v1/purchases: ${answer.status} ${text}`);
      return;
    }
    await new Promise((resolve) =>
      setTimeout(resolve, 1_000 * Number(answer.headers.get('retry-after') ?? 1)),
    );
  }
}

function report(
  options: RushOptions,
  decided: Decided,
  proof: Awaited<ReturnType<typeof proveSale>>,
  complete: boolean,
): void {
  const seconds = Math.max(0.001, (decided.lastMs - decided.firstMs) / 1_000);
  const latency = percentiles(decided.latenciesMs.subarray(0, decided.count));
  const perSecond = Math.round(decided.count / seconds);
  if (options.json) {
    const { journal: _, ...asked } = options;
    console.log(JSON.stringify({ ...asked, complete, perSecond, latencyMs: latency, ...proof }));
    return;
  }
  const rows: readonly (readonly [string, string | number])[] = [
    ['asked', proof.asked],
    ['sold', proof.sold],
    ['rejected', proof.rejected],
    ['oversold', proof.oversold],
    ['lost', proof.lost],
    ['doubled', proof.doubled],
    ['outcomes nobody asked for', proof.ghosts],
    ['zones announced wrongly', proof.zonesWrong],
    ['told sold out wrongly', proof.refusedWrongly],
    ['decisions per second', perSecond],
    [
      'latency ms p50 / p95 / p99 / max',
      `${latency.p50} / ${latency.p95} / ${latency.p99} / ${latency.max}`,
    ],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(34)} ${value}`);
  for (const problem of proof.problems) console.log(`PROBLEM ${problem}`);
  console.log(
    complete && isProven(proof)
      ? 'PROVEN'
      : complete
        ? 'VIOLATED'
        : 'NOT VALID: not everything was decided in time',
  );
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new UsageError(`--${name} must be a number of at least 0`);
  return value;
}

function positive(name: string, text: string): number {
  const value = number(name, text);
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name} must be a whole number of at least 1`);
  return value;
}

function way(text: string): 'topic' | 'http' {
  if (text !== 'topic' && text !== 'http') throw new UsageError('--via must be topic or http');
  return text;
}

class UsageError extends Error {}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error((error as Error).message);
    if (
      error instanceof UsageError ||
      (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
    ) {
      console.error(`\n${HELP}`);
      process.exitCode = 2;
    } else process.exitCode = 1;
  },
);
