/**
 * How long until the sale decides again: with its state kept, and with an empty state directory.
 * One purchase per partition waits in the topic; the clock runs from the start of the process.
 */
import { rmSync } from 'node:fs';
import { partitionForKey } from '../../kafka/murmur2.ts';
import { toBytes } from '../../schemas/serde.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { type TicketSerdes, TOPICS } from '../../ticket-sales/records.ts';
import { benchSale } from '../kit/load/preload.ts';
import { type Bench, type BenchContext, type Measure, rounded } from '../kit/measure.ts';
import { RestoreWatch } from '../kit/restore-watch.ts';
import {
  isSaleProven,
  measureOf,
  noiseBetween,
  preloaded,
  type RunningSale,
  untilCommitted,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import { kafkaClient, withSaleTopics } from '../kit/sale-topics.ts';
import { endOffsets, purchaseNumber, readTopic, type Sale } from '../sale-client.ts';

const STUCK_AFTER_MS = 180_000;

export const measureRestore: Bench = async (context) => {
  const { options } = context;
  const sale = benchSale(options.zones, options.purchases);
  const records = await preloaded(context, sale, options.purchases);
  const stateDirectory = await withSale(context, async (app) => {
    await untilCommitted(context, app, records);
    return app.process.stateDirectory;
  });
  const kept = await measureStart(context, sale, options.purchases, 'state kept');
  rmSync(stateDirectory, { recursive: true });
  const from = options.purchases + options.zones;
  const wiped = await measureStart(context, sale, from, 'state wiped');
  return [kept, wiped];
};

/** `from`: number of the first purchase that has not been asked for; as many as there are zones are free. */
async function measureStart(
  context: BenchContext,
  sale: Sale,
  from: number,
  what: string,
): Promise<Measure> {
  const { progress, options } = context;
  const waiting = await leaveWaiting(context, sale, from);
  return withSale(context, async (app) => {
    const before = app.usage();
    const seconds = () => (performance.now() - app.startedMs) / 1_000;
    const url = app.process.http?.url;
    const watch = url === undefined ? undefined : new RestoreWatch(url, app.process);
    const running = watch?.untilRunning().then(seconds);
    const both = Promise.all([running, untilDecided(app, waiting, seconds)]);
    const restored = () => watch?.restored ?? 0;
    const shown = progress.during(`restoring, ${what}`, options.purchases, restored, both);
    const [toRunningSeconds, decided] = await shown;
    const after = app.usage();
    const isProven = await withSaleClient(context, app, (client) => isSaleProven(client, sale));
    return measureOf(context, {
      bench: 'restore',
      label: `${options.purchases} purchases, ${what}`,
      figures: {
        toFirstDecisionSeconds: rounded(decided.firstSeconds),
        toAllPartitionsSeconds: rounded(decided.allSeconds),
        ...(watch === undefined || toRunningSeconds === undefined
          ? {}
          : {
              toRunningSeconds: rounded(toRunningSeconds),
              restoredEntries: watch.total,
              restoreSeconds: rounded(watch.seconds),
              entriesPerSecond: rounded(watch.total / watch.seconds),
            }),
        appCpuSeconds: rounded(after.appCpuSeconds),
        peakRssMiB: rounded(after.peakRssMiB),
      },
      foreignCpuPercent: noiseBetween(before, after),
      isProven,
    });
  });
}

interface Waiting {
  readonly purchaseIds: ReadonlySet<string>;
  /** Where the status topic ended before. */
  readonly ends: ReadonlyMap<string, number>;
  readonly serdes: TicketSerdes;
}

/** One purchase for every partition that has a zone. */
function leaveWaiting({ platform, options }: BenchContext, sale: Sale, from: number) {
  return platform.withBroker((brokers) =>
    withSaleTopics(
      brokers,
      options.partitions,
      async ({ kafka, producer, serdes }): Promise<Waiting> => {
        const ends = await endOffsets(kafka, TOPICS.purchaseStatus, 'read_committed');
        const purchaseIds = new Set<string>();
        const taken = new Set<number>();
        for (let index = from; index < from + sale.zones.length; index++) {
          const purchase = purchaseNumber(sale, index);
          const key = Buffer.from(zoneKey(purchase.eventId, purchase.zoneId));
          const partition = partitionForKey(key, 0, key.length, options.partitions);
          if (taken.has(partition)) continue;
          taken.add(partition);
          const value = toBytes(serdes.command, purchase);
          await producer.send(TOPICS.commands, partition, { key, value });
          purchaseIds.add(purchase.purchaseId);
        }
        return { purchaseIds, ends, serdes };
      },
    ),
  );
}

async function untilDecided(
  { process }: RunningSale,
  { purchaseIds, ends, serdes }: Waiting,
  seconds: () => number,
): Promise<{ firstSeconds: number; allSeconds: number }> {
  const kafka = await kafkaClient(process.brokers);
  const reader = await readTopic(kafka, TOPICS.purchaseStatus, ends);
  const missing = new Set(purchaseIds);
  let firstSeconds = 0;
  const isComplete = await reader.read(
    ({ buffer, valueStart, valueEnd }) => {
      const { purchaseId } = serdes.purchase.decode(buffer, valueStart, valueEnd);
      if (!missing.delete(purchaseId)) return;
      if (firstSeconds === 0) firstSeconds = seconds();
    },
    () => missing.size === 0,
    STUCK_AFTER_MS,
  );
  const allSeconds = seconds();
  await reader.close();
  await kafka.close();
  if (!isComplete) throw new Error(`${missing.size} purchases that waited were not decided`);
  return { firstSeconds, allSeconds };
}
