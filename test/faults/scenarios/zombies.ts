/**
 * One of two instances stands still beyond its session, the other takes over, and then the first
 * goes on where it stood: what it still wanted to commit must be refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KillPoint } from '../kit/kill-points.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

/** The session is 6 s, a transaction is given up by the broker after 4 s and 1 s for its reaper. */
const STOPPED_MS = 10_000;
const BEFORE = 150;
const AFTER = 150;
const PARTITIONS_OF_COMMANDS = 4;

async function twoInstances(stage: Stage): Promise<void> {
  await stage.started('one');
  await stage.open();
  await stage.started('two');
  await stage.until('both instances to have partitions', async () => {
    return (await stage.runningTasks('one')) > 0 && (await stage.runningTasks('two')) > 0;
  });
  await stage.load.decidesMore(BEFORE);
}

/** From the moment it stands until it has gone on and shares the work again. */
async function standsAndGoesOn(stage: Stage): Promise<Evidence> {
  const one = await stage.instance('one');
  const dropped = await stage.logged('dropping what is uncommitted');
  stage.say('one stands still');
  await sleep(STOPPED_MS);
  await stage.until('two to have everything', async () => {
    return (await stage.runningTasks('two')) >= PARTITIONS_OF_COMMANDS;
  });
  await stage.load.decidesMore(AFTER);
  stage.say('one goes on');
  expect(one.pid !== undefined && !one.hasEnded, 'a process that stands, not one that has ended');
  process.kill(one.pid, 'SIGCONT');
  await stage.hasLogged('dropping what is uncommitted', 'one', dropped + 1);
  await stage.until('one to have partitions again', async () => {
    return (await stage.runningTasks('one')) > 0;
  });
  await stage.load.decidesMore(AFTER);
  return {
    'dropped by the zombie': (await stage.logged('dropping what is uncommitted')) - dropped,
    fenced: await stage.logged('the transaction is fenced'),
    aborted: await stage.logged('the transaction is aborted'),
  };
}

const anywhere: Scenario = {
  name: 'zombie',
  about: 'SIGSTOP of one of two instances for longer than its session, then SIGCONT',
  on: 'kafka',
  run: async (stage) => {
    await twoInstances(stage);
    const one = await stage.instance('one');
    process.kill(one.pid!, 'SIGSTOP');
    return standsAndGoesOn(stage);
  },
};

/** Stopped inside a transaction: what it sends when it goes on is late. */
const inTransaction: readonly KillPoint[] = ['K7', 'K8', 'K9', 'K10'];

export const zombieScenarios: readonly Scenario[] = [
  anywhere,
  ...inTransaction.map(
    (name): Scenario => ({
      name: `zombie-${name}`,
      about: `the same, stopped exactly at ${name}`,
      on: 'kafka',
      run: async (stage) => {
        await twoInstances(stage);
        stage.arm({ name, hit: 3, signal: 'SIGSTOP' });
        await stage.hasLogged(`failpoint ${name} reached`);
        return { stopped: name, ...(await standsAndGoesOn(stage)) };
      },
    }),
  ),
];
