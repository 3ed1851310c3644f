/**
 * Two instances on an Apache Kafka of three nodes (replication 3), one killed under load: the other
 * takes its partitions over, queries are right throughout or say 503, and the sale is proven.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Gate } from '../../bench/gate.ts';
import { JournalWriter } from '../../bench/kit/journal-writer.ts';
import {
  connectToSale,
  endOffsets,
  openSale,
  purchaseNumber,
  readTopic,
  type Sale,
  type SaleClient,
} from '../../bench/sale-client.ts';
import { isProven, proveSale } from '../../bench/sale-proof.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { startKafkaCluster, whyNoKafka } from '../kit/apache-kafka.ts';
import { auditRunningSale } from '../kit/audited-sale.ts';
import { type SaleProcess, saleProcess } from '../kit/sale-process.ts';

const HELP = `npm run failover -- [options]     two instances on three Kafka nodes, one killed under load

  --purchases N   one ticket each              (20000)
  --rate N        per second                   (1000)
  --nodes N       Kafka nodes, 1 or 3          (3)
`;
const ZONES = 16;
const SESSION_TIMEOUT_MS = 8_000;

interface Load {
  readonly purchases: number;
  readonly rate: number;
}

interface Queries {
  right: number;
  unavailable: number;
  readonly wrong: string[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      purchases: { type: 'string', default: '20000' },
      rate: { type: 'string', default: '1000' },
      nodes: { type: 'string', default: '3' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const missing = whyNoKafka();
  if (missing !== undefined) {
    console.log(`SKIPPED: no Apache Kafka here (${missing})`);
    return 1;
  }
  const directory = mkdtempSync(join(tmpdir(), 'millrace-failover-'));
  const cluster = await startKafkaCluster({
    directory: join(directory, 'apache'),
    nodeCount: values.nodes === '1' ? 1 : 3,
  });
  const instances: SaleProcess[] = [];
  try {
    const applicationId = `failover-${Date.now().toString(36)}`;
    for (const name of ['one', 'two']) {
      instances.push(
        await saleProcess({
          directory: join(directory, name),
          kafkaBrokers: cluster.brokers,
          env: {
            STREAMS_APPLICATION_ID: applicationId,
            STREAMS_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
            STREAMS_REPLICATION_FACTOR: values.nodes === '1' ? '1' : '3',
          },
        }),
      );
    }
    const code = await run(instances, applicationId, {
      journalFile: join(directory, 'journal.ndjson'),
      purchases: Number(values.purchases),
      rate: Number(values.rate),
    });
    if (code === 0) rmSync(directory, { recursive: true, force: true });
    return code;
  } finally {
    await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
    await cluster.stop();
  }
}

async function run(
  instances: readonly SaleProcess[],
  applicationId: string,
  { journalFile, ...load }: Load & { readonly journalFile: string },
): Promise<number> {
  const [one, two] = instances as [SaleProcess, SaleProcess];
  one.start();
  await one.ready();
  two.start();
  await two.ready();
  await until(
    'both instances have partitions',
    async () => (await ownedTasks(one)) > 0 && (await ownedTasks(two)) > 0,
  );
  const client = await connectToSale(
    { brokers: one.brokers, registryUrl: one.registryUrl, httpUrl: two.httpUrl },
    30_000,
  );
  const capacity = Math.ceil(load.purchases / 2 / ZONES);
  const sale: Sale = {
    eventId: `failover-${Date.now().toString(36)}`,
    zones: Array.from({ length: ZONES }, (_, index) => ({ zoneId: `zone-${index}`, capacity })),
  };
  await openSale(two.httpUrl, sale);

  const decidedAtMs = Array.from({ length: client.partitionCount }, () => [] as number[]);
  const queries: Queries = { right: 0, unavailable: 0, wrong: [] };
  const journal = new JournalWriter(journalFile);
  const stopped = new AbortController();
  const querying = Promise.all(
    instances.map((instance) => query(instance, sale, queries, journal, stopped.signal)),
  );
  const watching = watch(client, sale, load.purchases, decidedAtMs);
  const asking = ask(client, journal, sale, load);
  await until('a third is decided', async () => total(decidedAtMs) > load.purchases / 3, 120_000);
  const killedAtMs = performance.now();
  await one.kill('SIGKILL');
  console.error(`killed one of two at ${total(decidedAtMs)} decisions`);
  await asking;
  const complete = await watching;
  stopped.abort();
  await querying;
  journal.close();

  const takeoverMs = Math.max(
    ...decidedAtMs.map(
      (times) => (times.find((time) => time > killedAtMs) ?? Infinity) - killedAtMs,
    ),
  );
  const proof = await proveSale(client, sale);
  await client.close();
  const { verdict: audited } = await auditRunningSale(two, applicationId, journalFile);
  console.log(
    JSON.stringify({
      ...load,
      complete,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      lastPartitionDecidesAgainAfterMs: Math.round(takeoverMs),
      queries: { ...queries, wrong: queries.wrong.slice(0, 5) },
      ...proof,
      audited,
    }),
  );
  const ok =
    complete &&
    isProven(proof) &&
    audited === 'right' &&
    queries.wrong.length === 0 &&
    queries.right > 0 &&
    Number.isFinite(takeoverMs);
  console.log(ok ? 'PROVEN' : 'FAILED');
  return ok ? 0 : 1;
}

async function ownedTasks(instance: SaleProcess): Promise<number> {
  const answer = await fetch(`${instance.httpUrl}/v1/metadata/tasks`).catch(() => undefined);
  if (answer?.ok !== true) return 0;
  const { items } = (await answer.json()) as { items: { status: string }[] };
  return items.filter(({ status }) => status === 'running').length;
}

/** Asks this instance about all zones in turn, whoever owns them. A dead instance asks nothing any more. */
async function query(
  instance: SaleProcess,
  sale: Sale,
  queries: Queries,
  journal: JournalWriter,
  signal: AbortSignal,
): Promise<void> {
  const lastSold = new Map<string, number>();
  for (let index = 0; !signal.aborted && !instance.hasEnded; index++) {
    const { zoneId, capacity } = sale.zones[index % sale.zones.length]!;
    const url = `${instance.httpUrl}/v1/events/${sale.eventId}/zones/${zoneId}/inventory`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    if (answer === undefined) {
      await pause(20);
      continue;
    }
    if (answer.status === 503 || answer.status === 504) {
      await answer.arrayBuffer();
      queries.unavailable++;
    } else if (answer.status !== 200) queries.wrong.push(`${answer.status} ${await answer.text()}`);
    else {
      const stock = (await answer.json()) as {
        available: number;
        held: number;
        sold: number;
        capacity: number;
        version: number;
      };
      journal.read({
        reader: instance.httpUrl,
        key: `${sale.eventId}/${zoneId}`,
        version: stock.version,
      });
      const sound =
        stock.capacity === capacity &&
        stock.available >= 0 &&
        stock.available + stock.held + stock.sold === capacity;
      const before = lastSold.get(zoneId) ?? 0;
      if (!sound) queries.wrong.push(`impossible stock ${JSON.stringify(stock)}`);
      else if (stock.sold < before)
        queries.wrong.push(`${zoneId}: sold went back from ${before} to ${stock.sold}`);
      else queries.right++;
      lastSold.set(zoneId, Math.max(before, stock.sold));
    }
    await pause(2);
  }
}

async function watch(
  client: SaleClient,
  sale: Sale,
  purchases: number,
  decidedAtMs: number[][],
): Promise<boolean> {
  const reader = await readTopic(
    client.kafka,
    TOPICS.purchaseStatus,
    await endOffsets(client.kafka, TOPICS.purchaseStatus, 'read_committed'),
  );
  const seen = new Set<string>();
  const complete = await reader.read(
    (record, partition) => {
      if (record.valueStart < 0) return;
      const purchase = client.serdes.purchase.decode(
        record.buffer,
        record.valueStart,
        record.valueEnd,
      );
      if (purchase.eventId !== sale.eventId || seen.has(purchase.purchaseId)) return;
      seen.add(purchase.purchaseId);
      decidedAtMs[partition]!.push(performance.now());
    },
    () => seen.size >= purchases,
    90_000,
  );
  await reader.close();
  return complete;
}

async function ask(
  client: SaleClient,
  journal: JournalWriter,
  sale: Sale,
  { purchases, rate }: Load,
): Promise<void> {
  const gate = new Gate(20_000);
  const startMs = performance.now();
  for (let index = 0; index < purchases; index++) {
    const dueMs = startMs + (index * 1_000) / rate;
    if (dueMs > performance.now()) await pause(dueMs - performance.now());
    await gate.enter();
    const purchase = purchaseNumber(sale, index);
    gate.leaveAfter(journal.follow(purchase, client.send(purchase)));
  }
  await gate.empty();
}

function total(decidedAtMs: readonly (readonly number[])[]): number {
  return decidedAtMs.reduce((sum, times) => sum + times.length, 0);
}

async function until(
  what: string,
  holds: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${what}`);
    await pause(50);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Whatever still waits for a process that is gone must not keep this one.
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
