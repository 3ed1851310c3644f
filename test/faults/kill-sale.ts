/**
 * A sale whose process is killed (SIGKILL) at random again and again, and the proof afterwards: sold
 * exactly what there is, nothing lost, nothing doubled. With the embedded broker the broker dies too.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Gate } from '../../bench/gate.ts';
import { JournalWriter } from '../../bench/kit/journal-writer.ts';
import { percentiles } from '../../bench/percentiles.ts';
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
import { type KafkaCluster, startKafkaCluster, whyNoKafka } from '../kit/apache-kafka.ts';
import { auditRunningSale } from '../kit/audited-sale.ts';
import { type SaleProcess, saleProcess } from '../kit/sale-process.ts';

const HELP = `npm run kills -- [options]     kill the sale at random while it sells, then prove it

  --on WHERE      embedded or kafka                     (embedded)
  --kills N       SIGKILLs                              (20)
  --purchases N   one ticket each                       (100000)
  --tickets N     in all zones together                 (50000)
  --zones N       zones they are spread over            (16)
  --partitions N  partitions of the sale's topics       (8)
`;

interface KillOptions {
  /** What was asked, and how it was answered: for the auditor. */
  readonly journalFile: string;
  /** Undefined = topics that others use too: their outcomes would be taken for ours. */
  readonly auditedId: string | undefined;
  readonly kills: number;
  readonly purchases: number;
  readonly tickets: number;
  readonly zones: number;
}

interface Watch {
  decided: number;
  /** Set at a restart; cleared, and reported, by the next decision. */
  restartedAtMs: number | undefined;
  readonly restartToDecisionMs: number[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      on: { type: 'string', default: 'embedded' },
      kills: { type: 'string', default: '20' },
      purchases: { type: 'string', default: '100000' },
      tickets: { type: 'string', default: '50000' },
      zones: { type: 'string', default: '16' },
      partitions: { type: 'string', default: '8' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const missing =
    values.on === 'kafka' && process.env['KAFKA_BROKERS'] === undefined ? whyNoKafka() : undefined;
  if (missing !== undefined) {
    console.log(`SKIPPED: no Apache Kafka here (${missing})`);
    return 1;
  }
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kills-'));
  let cluster: KafkaCluster | undefined;
  let sale: SaleProcess | undefined;
  try {
    if (values.on === 'kafka' && process.env['KAFKA_BROKERS'] === undefined) {
      cluster = await startKafkaCluster({ directory: join(directory, 'apache') });
    }
    const kafkaBrokers =
      values.on === 'kafka' ? (process.env['KAFKA_BROKERS'] ?? cluster?.brokers) : undefined;
    const applicationId = `kills-${Date.now().toString(36)}`;
    sale = await saleProcess({
      directory: join(directory, 'sale'),
      ...(kafkaBrokers === undefined ? {} : { kafkaBrokers }),
      env: {
        TICKETS_PARTITIONS: values.partitions,
        STREAMS_APPLICATION_ID: applicationId,
      },
    });
    const code = await run(sale, {
      journalFile: join(directory, 'journal.ndjson'),
      auditedId: kafkaBrokers === undefined || cluster !== undefined ? applicationId : undefined,
      kills: Number(values.kills),
      purchases: Number(values.purchases),
      tickets: Number(values.tickets),
      zones: Number(values.zones),
    });
    // After a failure the folder stays, to be looked into.
    if (code === 0) rmSync(directory, { recursive: true, force: true });
    return code;
  } finally {
    await sale?.kill('SIGKILL');
    await cluster?.stop();
  }
}

async function run(process: SaleProcess, options: KillOptions): Promise<number> {
  process.start();
  await process.ready();
  const client = await connectToSale(
    { brokers: process.brokers, registryUrl: process.registryUrl, httpUrl: process.httpUrl },
    30_000,
  );
  const share = Math.floor(options.tickets / options.zones);
  const zones = Array.from({ length: options.zones }, (_, index) => ({
    zoneId: `zone-${index}`,
    capacity: index === 0 ? options.tickets - share * (options.zones - 1) : share,
  }));
  const sale: Sale = { eventId: `kills-${Date.now().toString(36)}`, zones };
  await openSale(process.httpUrl, sale);

  const watch: Watch = { decided: 0, restartedAtMs: undefined, restartToDecisionMs: [] };
  const watching = watchDecisions(client, sale, options, watch);
  const journal = new JournalWriter(options.journalFile);
  const asking = ask(client, journal, sale, options, watch);
  const kills = await killAtRandom(process, options, watch);
  await asking;
  journal.close();
  const complete = await watching;
  const proof = await proveSale(client, sale);
  await client.close();
  const audited = await auditedVerdict(process, options);
  const restart = percentiles(Float64Array.from(watch.restartToDecisionMs));
  console.log(
    JSON.stringify({
      ...options,
      kills,
      complete,
      restartToDecisionMs: restart,
      ...proof,
      audited,
    }),
  );
  const sellsOut = proof.sold === Math.min(options.tickets, options.purchases);
  const ok =
    complete &&
    kills >= options.kills &&
    isProven(proof) &&
    audited !== 'violated' &&
    audited !== 'not-valid' &&
    sellsOut &&
    proof.asked === options.purchases;
  console.log(ok ? 'PROVEN' : 'FAILED');
  return ok ? 0 : 1;
}

async function auditedVerdict(process: SaleProcess, { auditedId, journalFile }: KillOptions) {
  if (auditedId === undefined) return 'SKIPPED: the topics are not ours alone';
  return (await auditRunningSale(process, auditedId, journalFile)).verdict;
}

/** Asks in step with the kills, so that each of them hits work in flight. */
async function ask(
  client: SaleClient,
  journal: JournalWriter,
  sale: Sale,
  options: KillOptions,
  watch: Watch,
): Promise<void> {
  const gate = new Gate(5_000);
  for (let index = 0; index < options.purchases; index++) {
    while (index - watch.decided > options.purchases / options.kills) await pause(5);
    const times = index % 100 === 0 ? 2 : 1;
    for (let time = 0; time < times; time++) {
      await gate.enter();
      const purchase = purchaseNumber(sale, index);
      gate.leaveAfter(journal.follow(purchase, client.send(purchase)));
    }
    if (index % 256 === 255) await pause(0);
  }
  await gate.empty();
}

async function killAtRandom(
  process: SaleProcess,
  options: KillOptions,
  watch: Watch,
): Promise<number> {
  const step = options.purchases / (options.kills + 1);
  for (let kill = 1; kill <= options.kills; kill++) {
    const target = Math.min(options.purchases - 1, Math.floor(step * kill));
    let stuckSinceMs = performance.now();
    for (let before = watch.decided; watch.decided < target; await pause(2)) {
      if (watch.decided !== before) [before, stuckSinceMs] = [watch.decided, performance.now()];
      if (process.hasEnded) throw new Error(`the sale ended by itself, see ${process.logFile}`);
      if (performance.now() - stuckSinceMs > 90_000)
        throw new Error(`the sale is stuck, see ${process.logFile}`);
    }
    await pause(Math.random() * 60);
    await process.kill('SIGKILL');
    const restartedAtMs = performance.now();
    process.start();
    watch.restartedAtMs = restartedAtMs;
    console.error(`kill ${kill}/${options.kills} at ${watch.decided} decisions`);
  }
  return options.kills;
}

async function watchDecisions(
  client: SaleClient,
  sale: Sale,
  options: KillOptions,
  watch: Watch,
): Promise<boolean> {
  const reader = await readTopic(
    client.kafka,
    TOPICS.purchaseStatus,
    await endOffsets(client.kafka, TOPICS.purchaseStatus, 'read_committed'),
  );
  const seen = new Uint8Array(options.purchases);
  const complete = await reader.read(
    (record) => {
      if (record.valueStart < 0) return;
      const purchase = client.serdes.purchase.decode(
        record.buffer,
        record.valueStart,
        record.valueEnd,
      );
      if (purchase.eventId !== sale.eventId) return;
      const index = Number(purchase.buyerId.slice('buyer-'.length));
      if (seen[index] === 1) return;
      seen[index] = 1;
      watch.decided++;
      if (watch.restartedAtMs !== undefined) {
        watch.restartToDecisionMs.push(performance.now() - watch.restartedAtMs);
        watch.restartedAtMs = undefined;
      }
    },
    () => watch.decided >= options.purchases,
    100_000,
  );
  await reader.close();
  return complete;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => (ms === 0 ? setImmediate(resolve) : setTimeout(resolve, ms)));
}

// Whatever still waits for a process that is gone must not keep this one.
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
