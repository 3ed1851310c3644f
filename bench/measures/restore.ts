/**
 * How long until the sale decides again: with its state kept, and with an empty state directory.
 * One purchase per partition waits in the topic; the clock runs from the start of the process.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { partitionForKey } from '../../kafka/murmur2.ts';
import { toBytes } from '../../schemas/serde.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { watchCommitted } from '../kit/committed-offsets.ts';
import { type Bench, type BenchContext, type Measure, rounded } from '../kit/measure.ts';
import { benchSale } from '../kit/preload.ts';
import {
  isSaleProven,
  preloaded,
  type RunningSale,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import { kafkaClient, withSaleTopics } from '../kit/sale-topics.ts';
import { endOffsets, purchaseNumber, readTopic, type Sale } from '../sale-client.ts';

const APPLICATION_ID = 'ticket-sales';
const STUCK_AFTER_MS = 60_000;
const LOOK_EVERY_MS = 25;

export const measureRestore: Bench = async (context) => {
  const { options } = context;
  const sale = benchSale(options.zones, options.purchases);
  const records = await preloaded(context, sale, options.purchases);
  await decideAll(context, records);
  const kept = await measureStart(context, sale, options.purchases, 'state kept');
  rmSync(join(context.platform.directory, 'sale', 'state'), { recursive: true });
  const from = options.purchases + options.zones;
  const wiped = await measureStart(context, sale, from, 'state wiped');
  return [kept, wiped];
};

function decideAll(context: BenchContext, records: number): Promise<void> {
  return withSale(context, async ({ process }) => {
    const kafka = await kafkaClient(process.brokers);
    const inputs = Array.from({ length: context.options.partitions }, (_, partition) => ({
      topic: TOPICS.commands,
      partition,
    }));
    const watch = watchCommitted(kafka, APPLICATION_ID, inputs, () => {});
    const all = watch.until(records, STUCK_AFTER_MS);
    await context.progress.during('deciding', records, () => watch.latest, all);
    await kafka.close();
  });
}

/** `from`: number of the first purchase that has not been asked for; as many as there are zones are free. */
async function measureStart(
  context: BenchContext,
  sale: Sale,
  from: number,
  what: string,
): Promise<Measure> {
  const { platform, progress, options } = context;
  const waiting = await leaveWaiting(context, sale, from);
  return withSale(context, async (app) => {
    const seconds = () => (performance.now() - app.startedMs) / 1_000;
    const restore = new RestoreWatch(app);
    const shown = progress.during(
      `restoring, ${what}`,
      options.purchases,
      () => restore.restored,
      restore.untilRunning(),
    );
    const [toRunningSeconds, decided] = await Promise.all([
      shown.then(seconds),
      untilDecided(app, waiting, seconds),
    ]);
    const { peakRssMiB } = app.usage();
    const isProven = await withSaleClient(app, (client) => isSaleProven(client, sale));
    return {
      bench: 'restore',
      on: platform.name,
      label: `${options.purchases} purchases, ${what}`,
      figures: {
        toRunningSeconds: rounded(toRunningSeconds),
        toFirstDecisionSeconds: rounded(decided.firstSeconds),
        toAllPartitionsSeconds: rounded(decided.allSeconds),
        restoredEntries: restore.total,
        restoreSeconds: rounded(restore.seconds),
        entriesPerSecond: rounded(restore.total / restore.seconds),
        peakRssMiB: rounded(peakRssMiB),
      },
      isProven,
    };
  });
}

interface Waiting {
  readonly purchaseIds: ReadonlySet<string>;
  /** Where the status topic ended before. */
  readonly ends: ReadonlyMap<string, number>;
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
        return { purchaseIds, ends };
      },
    ),
  );
}

async function untilDecided(
  { process }: RunningSale,
  { purchaseIds, ends }: Waiting,
  seconds: () => number,
): Promise<{ firstSeconds: number; allSeconds: number }> {
  const kafka = await kafkaClient(process.brokers);
  const reader = await readTopic(kafka, TOPICS.purchaseStatus, ends);
  const missing = new Set(purchaseIds);
  let firstSeconds = 0;
  const isComplete = await reader.read(
    ({ buffer, keyStart, keyEnd }) => {
      if (!missing.delete(buffer.toString('latin1', keyStart, keyEnd))) return;
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

interface TaskList {
  readonly state: string;
  readonly items: readonly {
    readonly taskId: string;
    readonly status: string;
    readonly remainingRestoreRecords: number;
    readonly restoreTotalRecords: number;
  }[];
}

/** What the app tells of its restore, looked at from outside. */
class RestoreWatch {
  readonly #app: RunningSale;
  readonly #totals = new Map<string, number>();
  #beganMs: number | undefined;
  #endedMs = 0;
  restored = 0;

  constructor(app: RunningSale) {
    this.#app = app;
  }

  /** Changelog records that had to be restored, of all tasks. */
  get total(): number {
    return [...this.#totals.values()].reduce((sum, total) => sum + total, 0);
  }

  /** From the first look that saw a restore to the one that saw everything running; 0 = none seen. */
  get seconds(): number {
    return this.#beganMs === undefined ? 0 : (this.#endedMs - this.#beganMs) / 1_000;
  }

  async untilRunning(): Promise<void> {
    const { httpUrl } = this.#app.process;
    const deadlineMs = performance.now() + 10 * STUCK_AFTER_MS;
    while (performance.now() < deadlineMs) {
      const answer = await fetch(`${httpUrl}/v1/metadata/tasks`).catch(() => undefined);
      if (answer?.ok === true && this.#look((await answer.json()) as TaskList)) return;
      if (this.#app.process.hasEnded) throw new Error('the app has ended');
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    throw new Error('the app does not become RUNNING');
  }

  #look({ state, items }: TaskList): boolean {
    const nowMs = performance.now();
    let restoring = 0;
    for (const { taskId, status, restoreTotalRecords } of items) {
      if (status !== 'restoring') continue;
      restoring++;
      this.#totals.set(taskId, restoreTotalRecords);
    }
    this.#beganMs ??= restoring > 0 ? nowMs : undefined;
    const remaining = items.reduce((sum, task) => sum + task.remainingRestoreRecords, 0);
    this.restored = Math.max(this.restored, this.total - remaining);
    this.#endedMs = nowMs;
    return state === 'RUNNING' && restoring === 0 && items.length > 0;
  }
}
