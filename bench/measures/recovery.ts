/**
 * kill -9 in the middle of a sale with much state, and a start again at once on the same disk: how
 * long until decisions flow, and until nothing is late any more? Purchases are asked for meanwhile as
 * if nothing had happened.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type OutcomeClock, startOutcomeClock } from '../kit/load/outcome-clock.ts';
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

/** Half of the highest rate that every contestant keeps up with after a restart. */
const RATE_PER_SECOND = 5_000;
/** Of the time it is asked for purchases. */
const KILLED_AFTER_SHARE = 0.25;
const LATE_MS = 1_000;

export const measureRecovery: Bench = async (context) => {
  const { options, progress } = context;
  const asked = RATE_PER_SECOND * options.seconds * 2;
  const sale = benchSale(options.zones, options.purchases + asked);
  const records = await preloaded(context, sale, options.purchases);
  return withSale(context, async (app) => {
    await untilCommitted(context, app, records);
    return withSaleClient(context, app, async (client) => {
      const plan = { ratePerSecond: RATE_PER_SECOND, from: options.purchases, count: asked };
      const clock = await startOutcomeClock(client, sale, plan);
      const shown = progress.during('deciding', asked, () => clock.decided, clock.complete);
      const before = app.usage();
      const killedMs = await killAndRestart(app.process, (asked / RATE_PER_SECOND) * 1_000);
      await shown;
      const after = app.usage();
      const isProven = await isSaleProven(client, sale);
      return [
        measureOf(context, {
          bench: 'recovery',
          label: `${options.purchases} purchases in state, ${RATE_PER_SECOND} per second`,
          figures: { ...recoveryFigures(clock, killedMs), peakRssMiB: rounded(after.peakRssMiB) },
          foreignCpuPercent: noiseBetween(before, after),
          isProven,
        }),
      ];
    });
  });
};

async function killAndRestart(
  process: { kill(signal: NodeJS.Signals): Promise<void>; start(): void },
  durationMs: number,
): Promise<number> {
  await sleep(durationMs * KILLED_AFTER_SHARE);
  const killedMs = performance.now();
  await process.kill('SIGKILL');
  process.start();
  return killedMs;
}

/** Outcomes that were committed before the kill may be seen just after it: the silence tells. */
function recoveryFigures({ seenAtMs, latenciesMs }: OutcomeClock, killedMs: number) {
  let [silenceMs, silenceEndMs, lastLateMs, previousMs] = [0, killedMs, killedMs, killedMs];
  for (const [index, atMs] of seenAtMs.entries()) {
    if (atMs < killedMs) continue;
    if (atMs - previousMs > silenceMs) [silenceMs, silenceEndMs] = [atMs - previousMs, atMs];
    previousMs = atMs;
    if (latenciesMs[index]! > LATE_MS) lastLateMs = atMs;
  }
  return {
    toDecidingSeconds: rounded((silenceEndMs - killedMs) / 1_000),
    toCaughtUpSeconds: rounded((lastLateMs - killedMs) / 1_000),
    longestSilenceSeconds: rounded(silenceMs / 1_000),
  };
}
