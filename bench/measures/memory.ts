/** Memory of the app: idle, at its peak while it decides everything, and at rest with its state. */
import { TOPICS } from '../../ticket-sales/records.ts';
import { watchCommitted } from '../kit/committed-offsets.ts';
import { type Bench, rounded } from '../kit/measure.ts';
import { benchSale } from '../kit/preload.ts';
import { isSaleProven, preloaded, withSale, withSaleClient } from '../kit/running-sale.ts';
import { kafkaClient } from '../kit/sale-topics.ts';

const APPLICATION_ID = 'ticket-sales';
const STUCK_AFTER_MS = 60_000;
const READY_WITHIN_MS = 60_000;
const REST_MS = 2_000;

export const measureMemory: Bench = async (context) => {
  const { options, platform, progress } = context;
  const sale = benchSale(options.zones, options.purchases);
  await preloaded(context, sale, 0);
  const idle = await withSale(context, async (app) => {
    await app.process.ready(READY_WITHIN_MS);
    return app.usage();
  });
  const records = await preloaded(context, sale, options.purchases);
  return withSale(context, async (app) => {
    const kafka = await kafkaClient(app.process.brokers);
    const inputs = Array.from({ length: options.partitions }, (_, partition) => ({
      topic: TOPICS.commands,
      partition,
    }));
    const watch = watchCommitted(kafka, APPLICATION_ID, inputs, () => {});
    // The zones are there twice: once from each preload.
    const all = watch.until(records + sale.zones.length, STUCK_AFTER_MS);
    await progress.during('deciding', records, () => watch.latest, all);
    const { peakRssMiB } = app.usage();
    await kafka.close();
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const { rssMiB } = app.usage();
    const isProven = await withSaleClient(app, (client) => isSaleProven(client, sale));
    return [
      {
        bench: 'memory',
        on: platform.name,
        label: `${options.purchases} purchases`,
        figures: {
          idleRssMiB: rounded(idle.rssMiB),
          peakRssMiB: rounded(peakRssMiB),
          restRssMiB: rounded(rssMiB),
        },
        isProven,
      },
    ];
  });
};
