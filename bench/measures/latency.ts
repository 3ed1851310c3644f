/** From the moment a purchase should have been sent to the moment a read_committed consumer has its outcome. */

import { type LoopPlan, startOutcomeClock } from '../kit/load/outcome-clock.ts';
import { benchSale } from '../kit/load/preload.ts';
import { type Bench, type BenchContext, type Measure, rounded } from '../kit/measure.ts';
import {
  isSaleProven,
  measureOf,
  noiseBetween,
  preloaded,
  type RunningSale,
  untilCommitted,
  usageFigures,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import { percentiles } from '../percentiles.ts';
import type { Sale, SaleOnKafka } from '../sale-client.ts';

/** A third of the measured time at each rate goes before it, unmeasured. */
const WARM_UP_SHARE = 1 / 3;

export const measureLatency: Bench = async (context) => {
  const { options } = context;
  const asked = options.rates.map((rate) => ({
    rate,
    warmUp: Math.ceil(rate * options.seconds * WARM_UP_SHARE),
    measured: Math.ceil(rate * options.seconds),
  }));
  const all = asked.reduce((sum, { warmUp, measured }) => sum + warmUp + measured, 0);
  const sale = benchSale(options.zones, all);
  const records = await preloaded(context, sale, 0);
  return withSale(context, async (app) => {
    await untilCommitted(context, app, records);
    return withSaleClient(context, app, async (client) => {
      const measures: Measure[] = [];
      let from = 0;
      for (const { rate, warmUp, measured } of asked) {
        await runRate(context, client, sale, { ratePerSecond: rate, from, count: warmUp });
        from += warmUp;
        const plan = { ratePerSecond: rate, from, count: measured };
        measures.push(await measureRate(context, app, client, sale, plan));
        from += measured;
      }
      const isProven = await isSaleProven(client, sale);
      return measures.map((measure) => ({ ...measure, isProven }));
    });
  });
};

async function measureRate(
  context: BenchContext,
  app: RunningSale,
  client: SaleOnKafka,
  sale: Sale,
  plan: LoopPlan,
): Promise<Measure> {
  const { zones, partitions, threads } = context.options;
  const before = app.usage();
  const latenciesMs = await runRate(context, client, sale, plan);
  const after = app.usage();
  const { p50, p95, p99, p999, max } = percentiles(latenciesMs);
  const shape = `${zones} zones, ${partitions} partitions, ${threads} threads`;
  return measureOf(context, {
    bench: 'latency',
    label: `${plan.ratePerSecond} per second, ${shape}`,
    figures: {
      p50Ms: p50,
      p95Ms: p95,
      p99Ms: p99,
      p999Ms: p999,
      maxMs: max,
      decisions: rounded(latenciesMs.length),
      ...usageFigures(before, after, plan.count),
    },
    foreignCpuPercent: noiseBetween(before, after),
    isProven: undefined,
  });
}

async function runRate(
  { progress }: BenchContext,
  client: SaleOnKafka,
  sale: Sale,
  plan: LoopPlan,
): Promise<Float64Array> {
  const clock = await startOutcomeClock(client, sale, plan);
  const what = `${plan.ratePerSecond} per second`;
  await progress.during(what, plan.count, () => clock.decided, clock.complete);
  return clock.latenciesMs;
}
