/** Memory of the app: idle, at its peak while it decides everything, and at rest with its state. */
import { setTimeout as sleep } from 'node:timers/promises';
import { rateBetween } from '../kit/committed-offsets.ts';
import { benchSale } from '../kit/load/preload.ts';
import { type Bench, rounded } from '../kit/measure.ts';
import {
  isSaleProven,
  measureOf,
  noiseBetween,
  preloaded,
  untilCommitted,
  withSale,
  withSaleClient,
} from '../kit/running-sale.ts';

const REST_MS = 2_000;

export const measureMemory: Bench = async (context) => {
  const { options } = context;
  const sale = benchSale(options.zones, options.purchases);
  const zoneRecords = await preloaded(context, sale, 0);
  const idle = await withSale(context, async (app) => {
    await untilCommitted(context, app, zoneRecords);
    return app.usage();
  });
  const records = await preloaded(context, sale, options.purchases);
  return withSale(context, async (app) => {
    const before = app.usage();
    // The zones are there twice: once from each preload.
    const { samples } = await untilCommitted(context, app, records + zoneRecords);
    const busy = app.usage();
    await sleep(REST_MS);
    const { rssMiB } = app.usage();
    const isProven = await withSaleClient(context, app, (client) => isSaleProven(client, sale));
    return [
      measureOf(context, {
        bench: 'memory',
        label: `${options.purchases} purchases, ${options.threads} threads`,
        figures: {
          idleRssMiB: rounded(idle.rssMiB),
          peakRssMiB: rounded(busy.peakRssMiB),
          restRssMiB: rounded(rssMiB),
          decisionsPerSecond: rounded(rateBetween(samples[0]!, samples.at(-1)!)),
        },
        foreignCpuPercent: noiseBetween(before, busy),
        isProven,
      }),
    ];
  });
};
