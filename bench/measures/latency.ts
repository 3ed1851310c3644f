/** From the moment a purchase should have been sent to the moment a read_committed consumer has its outcome. */
import { TOPICS } from '../../ticket-sales/records.ts';
import { type Bench, type BenchContext, type Measure, rounded } from '../kit/measure.ts';
import { encodeAhead, sendOpenLoop } from '../kit/open-loop.ts';
import { benchSale } from '../kit/preload.ts';
import {
  isSaleProven,
  preloaded,
  type RunningSale,
  usageFigures,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import { percentiles } from '../percentiles.ts';
import { endOffsets, readTopic, type Sale, type SaleClient } from '../sale-client.ts';

/** A third of the measured time at each rate goes before it, unmeasured. */
const WARM_UP_SHARE = 1 / 3;
const GIVE_UP_AFTER_MS = 30_000;

export const measureLatency: Bench = async (context) => {
  const { options } = context;
  const asked = options.rates.map((rate) => ({
    rate,
    warmUp: Math.ceil(rate * options.seconds * WARM_UP_SHARE),
    measured: Math.ceil(rate * options.seconds),
  }));
  const all = asked.reduce((sum, { warmUp, measured }) => sum + warmUp + measured, 0);
  const sale = benchSale(options.zones, all);
  await preloaded(context, sale, 0);
  return withSale(context, (app) =>
    withSaleClient(app, async (client) => {
      const measures: Measure[] = [];
      let from = 0;
      for (const { rate, warmUp, measured } of asked) {
        await runRate(context, client, sale, { rate, from, count: warmUp });
        from += warmUp;
        measures.push(
          await measureRate(context, app, client, sale, { rate, from, count: measured }),
        );
        from += measured;
      }
      const isProven = await isSaleProven(client, sale);
      return measures.map((measure) => ({ ...measure, isProven }));
    }),
  );
};

interface RateRun {
  readonly rate: number;
  /** Number of its first purchase. */
  readonly from: number;
  readonly count: number;
}

async function measureRate(
  context: BenchContext,
  app: RunningSale,
  client: SaleClient,
  sale: Sale,
  run: RateRun,
): Promise<Measure> {
  const before = app.usage();
  const latenciesMs = await runRate(context, client, sale, run);
  const { p50, p95, p99, p999, max } = percentiles(latenciesMs);
  return {
    bench: 'latency',
    on: context.platform.name,
    label: `${run.rate} per second`,
    figures: {
      p50Ms: p50,
      p95Ms: p95,
      p99Ms: p99,
      p999Ms: p999,
      maxMs: max,
      decisions: rounded(latenciesMs.length),
      ...usageFigures(before, app.usage(), run.count),
    },
    isProven: undefined,
  };
}

/** Latencies of first outcomes, in ms. Rejects when some do not come. */
async function runRate(
  { progress }: BenchContext,
  client: SaleClient,
  sale: Sale,
  { rate, from, count }: RateRun,
): Promise<Float64Array> {
  const purchases = encodeAhead(client, sale, from, count);
  const ends = await endOffsets(client.kafka, TOPICS.purchaseStatus, 'read_committed');
  const reader = await readTopic(client.kafka, TOPICS.purchaseStatus, ends);
  const latenciesMs = new Float64Array(count);
  const seen = new Uint8Array(count);
  let decided = 0;
  const startMs = performance.now() + 50;
  const reading = reader.read(
    ({ buffer, valueStart, valueEnd }) => {
      const nowMs = performance.now();
      const { buyerId } = client.serdes.purchase.decode(buffer, valueStart, valueEnd);
      const index = Number(buyerId.slice('buyer-'.length)) - from;
      if (!(index >= 0 && index < count) || seen[index] !== 0) return;
      seen[index] = 1;
      latenciesMs[decided++] = nowMs - (startMs + (index * 1_000) / rate);
    },
    () => decided >= count,
    GIVE_UP_AFTER_MS,
  );
  const both = Promise.all([reading, sendOpenLoop(client, purchases, rate, startMs)]);
  const [isComplete] = await progress.during(`${rate} per second`, count, () => decided, both);
  await reader.close();
  if (!isComplete) throw new Error(`only ${decided} of ${count} purchases were decided`);
  return latenciesMs;
}
