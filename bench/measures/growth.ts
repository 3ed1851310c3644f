/**
 * Against itself: what a decision costs as the state grows within one run. The other ways to grow,
 * partitions and zones, are the throughput bench with other sizes: see growthCases.
 */
import { rateBetween } from '../kit/committed-offsets.ts';
import { benchSale } from '../kit/load/preload.ts';
import { type Bench, type BenchCase, type BenchOptions, rounded } from '../kit/measure.ts';
import {
  isSaleProven,
  measureOf,
  noiseBetween,
  preloaded,
  type SaleUsage,
  untilCommitted,
  usageFigures,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import { measureLatency } from './latency.ts';
import { measureThroughput } from './throughput.ts';

const PARTITIONS = [1, 4, 16, 64];
/** One zone is the hot one, alone in one partition. */
const ZONES = [100, 1_000, 10_000];
/** Fewer say nothing about a partition or a zone. */
const PURCHASES_PER_PARTITION_MIN = 15_000;
const PURCHASES_PER_ZONE_MIN = 100;
const HOT_RATE_PER_SECOND = 50_000;

export function growthCases(options: BenchOptions): BenchCase[] {
  const { purchases, rates } = options;
  const hot = { ...options, zones: 1, partitions: 1 };
  const hotRate = Math.min(HOT_RATE_PER_SECOND, Math.max(...rates));
  return [
    { measure: measureGrowingState, options: { ...options, purchases: options.state } },
    ...PARTITIONS.filter((count) => purchases / count >= PURCHASES_PER_PARTITION_MIN).map(
      (partitions) => ({ measure: measureThroughput, options: { ...options, partitions } }),
    ),
    ...ZONES.filter((count) => purchases / count >= PURCHASES_PER_ZONE_MIN).map((zones) => ({
      measure: measureThroughput,
      options: { ...options, zones },
    })),
    { measure: measureThroughput, options: hot },
    { measure: measureLatency, options: { ...hot, rates: [hotRate] } },
  ];
}

/** One run; a measure for each time the state has doubled from half a power of ten to that power. */
const measureGrowingState: Bench = async (context) => {
  const { options } = context;
  const sale = benchSale(options.zones, options.purchases);
  const records = await preloaded(context, sale, options.purchases);
  return withSale(context, async (app) => {
    const usages: SaleUsage[] = [];
    const { samples } = await untilCommitted(context, app, records, () => {
      usages.push(app.usage());
    });
    const isProven = await withSaleClient(context, app, (client) => isSaleProven(client, sale));
    return powersOfTen(options.purchases).flatMap((size) => {
      const from = samples.findLastIndex(({ total }) => total <= size / 2);
      const to = samples.findIndex(({ total }) => total >= size);
      // Small states are often passed between two looks.
      if (from < 0 || to <= from) return [];
      const [first, last] = [samples[from]!, samples[to]!];
      const [before, after] = [usages[from]!, usages[to]!];
      return measureOf(context, {
        bench: 'growth',
        label: `state grows to ${size} purchases`,
        figures: {
          decisionsPerSecond: rounded(rateBetween(first, last)),
          ...usageFigures(before, after, last.total - first.total),
        },
        foreignCpuPercent: noiseBetween(before, after),
        isProven,
      });
    });
  });
};

function powersOfTen(most: number): number[] {
  const powers: number[] = [];
  for (let size = 10_000; size <= most; size *= 10) powers.push(size);
  return powers;
}
