/** Everything is in the topic already: how fast is it decided, and at what cost? */
import { TOPICS } from '../../ticket-sales/records.ts';
import { rateBetween, watchCommitted } from '../kit/committed-offsets.ts';
import { type Bench, rounded } from '../kit/measure.ts';
import { benchSale } from '../kit/preload.ts';
import {
  isSaleProven,
  NOTHING_USED,
  preloaded,
  type SaleUsage,
  usageFigures,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';
import { kafkaClient } from '../kit/sale-topics.ts';

const APPLICATION_ID = 'ticket-sales';
const STUCK_AFTER_MS = 60_000;

export const measureThroughput: Bench = async (context) => {
  const { options, platform, progress } = context;
  const { purchases, partitions, threads } = options;
  const sale = benchSale(options.zones, purchases);
  const records = await preloaded(context, sale, purchases);
  return withSale(context, async (app) => {
    const kafka = await kafkaClient(app.process.brokers);
    let before: SaleUsage = NOTHING_USED;
    const inputs = Array.from({ length: partitions }, (_, partition) => ({
      topic: TOPICS.commands,
      partition,
    }));
    const watch = watchCommitted(kafka, APPLICATION_ID, inputs, () => {
      before = app.usage();
    });
    const all = watch.until(records, STUCK_AFTER_MS);
    await progress.during('deciding', records, () => watch.latest, all);
    const after = app.usage();
    await kafka.close();

    const { samples } = watch;
    const [first, last] = [samples[0]!, samples.at(-1)!];
    const half = samples.find(({ total }) => total >= records / 2)!;
    const isProven = await withSaleClient(app, (client) =>
      progress.during('proving', purchases, () => 0, isSaleProven(client, sale)),
    );
    return [
      {
        bench: 'throughput',
        on: platform.name,
        label: `${purchases} purchases, ${partitions} partitions, ${threads} threads`,
        figures: {
          decisionsPerSecond: rounded(rateBetween(first, last)),
          secondHalfPerSecond: rounded(rateBetween(half, last)),
          startToFirstSeconds: rounded((first.atMs - app.startedMs) / 1_000),
          startToAllSeconds: rounded((last.atMs - app.startedMs) / 1_000),
          ...usageFigures(before, after, last.total - first.total),
        },
        isProven,
      },
    ];
  });
};
