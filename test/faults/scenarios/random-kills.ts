/** SIGKILL at any moment under load: of the only instance again and again, and of one of two. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from '../kit/stage.ts';
import { StockWatch } from '../kit/stock-watch.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

const KILLS = 20;
const BETWEEN = 400;
const RANDOM_MS = 60;
/** So many that each kill hits work in flight. */
const LOAD = { ratePerSecond: 1_000, window: 2_000, repeatEvery: 100, zoneCapacity: 1_000 };

async function killAgainAndAgain(stage: Stage, kills: number): Promise<Evidence> {
  const one = await stage.started();
  await stage.open(LOAD);
  let slowestMs = 0;
  for (let kill = 1; kill <= kills; kill++) {
    await stage.load.decidesMore(BETWEEN);
    await sleep(Math.random() * RANDOM_MS);
    stage.say(`kill ${kill} of ${kills}`);
    await one.kill('SIGKILL');
    const startedMs = performance.now();
    one.start();
    await stage.load.decidesMore(1);
    slowestMs = Math.max(slowestMs, Math.round(performance.now() - startedMs));
  }
  await one.ready();
  return { kills, 'slowest start to decision, ms': slowestMs };
}

export const randomKillScenarios: readonly Scenario[] = [
  {
    name: 'random-kills-embedded',
    about: 'SIGKILL at random, twenty times; the embedded broker dies with the app',
    on: 'embedded',
    run: (stage) => killAgainAndAgain(stage, KILLS),
  },
  {
    name: 'random-kill-embedded',
    about: 'SIGKILL at random, twice; the embedded broker dies with the app',
    on: 'embedded',
    isShort: true,
    run: (stage) => killAgainAndAgain(stage, 2),
  },
  {
    name: 'random-kills',
    about: 'SIGKILL at random, twenty times, on an Apache Kafka',
    on: 'kafka',
    run: (stage) => killAgainAndAgain(stage, KILLS),
  },
  {
    name: 'failover',
    about: 'SIGKILL of one of two instances on three nodes; queries are right throughout, or 503',
    on: 'kafka-3',
    run: async (stage) => {
      const one = await stage.started('one');
      const tasks = await stage.runningTasks('one');
      await stage.open(LOAD);
      const two = await stage.started('two');
      await stage.until('both instances to have partitions', async () => {
        return (await stage.runningTasks('one')) > 0 && (await stage.runningTasks('two')) > 0;
      });
      const watch = new StockWatch([one, two], stage.sale, stage.journal);
      await stage.load.decidesMore(5 * BETWEEN);
      await one.kill('SIGKILL');
      const killedMs = performance.now();
      await stage.until('two to take everything over', async () => {
        return (await stage.runningTasks('two')) >= tasks;
      });
      const takeoverMs = Math.round(performance.now() - killedMs);
      await stage.load.decidesMore(5 * BETWEEN);
      await watch.stop();
      expect(one.hasEnded, 'one to stay dead');
      const { right, unavailable } = watch;
      return { 'taken over after, ms': takeoverMs, 'right answers': right, unavailable };
    },
  },
];
