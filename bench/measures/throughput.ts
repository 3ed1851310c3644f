/** Everything is in the topic already: how fast is it decided, and at what cost? */
import { rateBetween } from '../kit/committed-offsets.ts';
import { benchSale } from '../kit/load/preload.ts';
import { type Bench, rounded } from '../kit/measure.ts';
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

export const measureThroughput: Bench = async (context) => {
  const { options, progress } = context;
  const { purchases, partitions, threads, zones } = options;
  const sale = benchSale(zones, purchases);
  const records = await preloaded(context, sale, purchases);
  return withSale(context, async (app) => {
    let before: SaleUsage | undefined;
    const { samples } = await untilCommitted(context, app, records, () => {
      before ??= app.usage();
    });
    const after = app.usage();
    const [first, last] = [samples[0]!, samples.at(-1)!];
    const half = samples.find(({ total }) => total >= records / 2)!;
    const isProven = await withSaleClient(context, app, (client) =>
      progress.during('proving', purchases, () => 0, isSaleProven(client, sale)),
    );
    return [
      measureOf(context, {
        bench: 'throughput',
        label: `${purchases} purchases, ${zones} zones, ${partitions} partitions, ${threads} threads`,
        figures: {
          decisionsPerSecond: rounded(rateBetween(first, last)),
          secondHalfPerSecond: rounded(rateBetween(half, last)),
          startToFirstSeconds: rounded((first.atMs - app.startedMs) / 1_000),
          startToAllSeconds: rounded((last.atMs - app.startedMs) / 1_000),
          ...usageFigures(before!, after, last.total - first.total),
        },
        foreignCpuPercent: noiseBetween(before!, after),
        isProven,
      }),
    ];
  });
};
