/** The whole life of a sale under kills: holds and payments, and orders of several lines. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from '../kit/stage.ts';
import { ORDER_ENV } from '../load/order-crowd.ts';
import type { Evidence, GroundName, Scenario } from '../scenario.ts';

const KILLS = 6;
const RANDOM_MS = 500;
/** The crowd's own desk is the payment side. */
const NO_PAYMENTS = { PAYMENTS: 'off' };

/** Each at a random moment, once the next share of the crowd is through. */
async function killed(stage: Stage, until: (share: number) => Promise<void>): Promise<Evidence> {
  const one = await stage.instance();
  for (let kill = 1; kill <= KILLS; kill++) {
    await until(kill / (KILLS + 2));
    await sleep(Math.random() * RANDOM_MS);
    stage.say(`kill ${kill} of ${KILLS}`);
    await one.kill('SIGKILL');
    one.start();
  }
  await one.ready();
  return { kills: KILLS };
}

const life = (name: string, on: GroundName): Scenario => ({
  name,
  about:
    'holds paid, paid late or twice, declined, given back and expired, under SIGKILLs at random',
  on,
  env: NO_PAYMENTS,
  run: async (stage) => {
    await stage.started();
    const guests = await stage.openLife();
    return killed(stage, (share) => guests.isGone(share));
  },
});

const orders = (name: string, on: GroundName): Scenario => ({
  name,
  about: 'orders of several zones, all or nothing, and their payments, under SIGKILLs at random',
  on,
  env: ORDER_ENV,
  run: async (stage) => {
    await stage.started();
    const crowd = await stage.openOrders();
    return killed(stage, (share) => crowd.isOver(share));
  },
});

export const lifeScenarios: readonly Scenario[] = [
  life('life-kills-embedded', 'embedded'),
  life('life-kills', 'kafka'),
  orders('order-kills-embedded', 'embedded'),
  orders('order-kills', 'kafka'),
];
