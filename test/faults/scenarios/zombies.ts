/**
 * One of two instances stands still beyond its session, the other takes over, and then the first
 * goes on where it stood: what it still wanted to commit must be refused. Where it stood inside of a
 * transaction, Kafka itself must have refused it: the instance knows of nothing yet when it sends on.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { heartbeatApi } from '../../../kafka/protocol/messages/heartbeat.ts';
import type { Verdict } from '../../kit/link-proxy.ts';
import { type KillPoint, STALL_MS } from '../kit/kill-points.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario } from '../scenario.ts';

/** The session is 6 s, a transaction is given up by the broker after 4 s and 1 s for its reaper. */
const STOPPED_MS = 10_000;
const BEFORE = 150;
const AFTER = 150;
const DROPPING = 'dropping what is uncommitted';
/**
 * What Kafka says to a zombie, as the log has it, once per line. An outcome `aborted` says so, too: to
 * a transaction that has run out of its time the coordinator says the same as to a producer that was
 * replaced; to its EndTxn also that the transaction has ended otherwise.
 */
const REFUSED =
  /the transaction is [a-z]+: (?:TxnOffsetCommit|EndTxn) of [^\n]*?(?:INVALID_TXN_STATE|INVALID_PRODUCER_EPOCH|PRODUCER_FENCED|INVALID_PRODUCER_ID_MAPPING|UNKNOWN_MEMBER_ID|FENCED_INSTANCE_ID)[^\n]*/;

/** Resolves with how many tasks they share. */
async function twoInstances(stage: Stage): Promise<number> {
  await stage.started('one');
  const tasks = await stage.runningTasks('one');
  await stage.open();
  await stage.started('two');
  await stage.until('both instances to have partitions', async () => {
    return (await stage.runningTasks('one')) > 0 && (await stage.runningTasks('two')) > 0;
  });
  await stage.load.decidesMore(BEFORE);
  return tasks;
}

/** It stands: until the other has everything, and goes on. */
async function othersTakeOver(stage: Stage, tasks: number): Promise<void> {
  stage.say('one stands still');
  await stage.until('two to have everything', async () => {
    return (await stage.runningTasks('two')) >= tasks;
  });
  await stage.load.decidesMore(AFTER);
}

/** From the moment it goes on until it shares the work again. `dropped`: how often it had dropped before. */
async function isBack(stage: Stage, dropped: number): Promise<Evidence> {
  await stage.hasLogged(DROPPING, 'one', dropped + 1);
  await stage.until('one to have partitions again', async () => {
    return (await stage.runningTasks('one')) > 0;
  });
  await stage.load.decidesMore(AFTER);
  return { 'dropped by the zombie': (await stage.logged(DROPPING)) - dropped };
}

async function standsAndGoesOn(stage: Stage, tasks: number): Promise<Evidence> {
  const one = await stage.instance('one');
  const dropped = await stage.logged(DROPPING);
  const standing = sleep(STOPPED_MS);
  await othersTakeOver(stage, tasks);
  await standing;
  stage.say('one goes on');
  expect(one.pid !== undefined && !one.hasEnded, 'a process that stands, not one that has ended');
  process.kill(one.pid, 'SIGCONT');
  return isBack(stage, dropped);
}

async function refusals(stage: Stage): Promise<number> {
  const refused = await stage.logged(REFUSED);
  expect(refused > 0, 'Kafka to refuse what the zombie sends');
  return refused;
}

const anywhere: Scenario = {
  name: 'zombie',
  about: 'SIGSTOP of one of two instances for longer than its session, then SIGCONT',
  on: 'kafka',
  run: async (stage) => {
    const tasks = await twoInstances(stage);
    const one = await stage.instance('one');
    process.kill(one.pid!, 'SIGSTOP');
    return standsAndGoesOn(stage, tasks);
  },
};

/** Where it stands, and whether its transaction is open then: else nothing of it is left to be refused. */
const IN_TRANSACTION: readonly (readonly [KillPoint, isOpen: boolean])[] = [
  ['K7', true],
  ['K8', true],
  ['K9', false],
  ['K10', false],
];

const inTransaction = IN_TRANSACTION.map(
  ([name, isOpen]): Scenario => ({
    name: `zombie-${name}`,
    about: isOpen
      ? `the same, stopped exactly at ${name}: Kafka must refuse its transaction`
      : `the same, stopped exactly at ${name}: its transaction is decided already`,
    on: 'kafka',
    run: async (stage) => {
      const tasks = await twoInstances(stage);
      stage.arm({ name, hit: 3, deed: 'SIGSTOP' });
      await stage.hasLogged(`failpoint ${name} reached`);
      const evidence = { stopped: name, ...(await standsAndGoesOn(stage, tasks)) };
      return isOpen ? { ...evidence, 'refused by Kafka': await refusals(stage) } : evidence;
    },
  }),
);

const stalled: Scenario = {
  name: 'stall-K7',
  about: 'the stream thread of one of two instances does nothing for 10 s inside of a transaction',
  on: 'kafka',
  run: async (stage) => {
    const tasks = await twoInstances(stage);
    const dropped = await stage.logged(DROPPING);
    stage.arm({ name: 'K7', hit: 3, deed: 'STALL' });
    await stage.hasLogged('failpoint K7 reached');
    const stalling = sleep(STALL_MS);
    await othersTakeOver(stage, tasks);
    await stalling;
    const evidence = await isBack(stage, dropped);
    return { ...evidence, 'refused by Kafka': await refusals(stage) };
  },
};

const twin: Scenario = {
  name: 'zombie-twin',
  about: 'stopped at K7; a twin with a copy of its state, so with its ids, takes its place: fenced',
  on: 'kafka',
  // Nothing may end by its time: only the twin may be why the zombie is refused.
  env: { STREAMS_SESSION_TIMEOUT_MS: '120000', STREAMS_TRANSACTION_TIMEOUT_MS: '100000' },
  run: async (stage) => {
    await stage.started('one');
    await stage.open();
    await stage.load.decidesMore(BEFORE);
    stage.arm({ name: 'K7', hit: 3, deed: 'SIGSTOP' });
    await stage.hasLogged('failpoint K7 reached');
    await stage.instance('two');
    const stateOf = (name: string) => join(stage.directory, name, 'state');
    cpSync(stateOf('one'), stateOf('two'), { recursive: true });
    stage.say('the twin starts');
    await stage.started('two');
    await stage.load.decidesMore(AFTER);
    stage.say('the zombie goes on');
    const zombie = await stage.instance('one');
    // The group says it, too, and that ends the zombie: only later, or its transaction is never told.
    const isFenced = stage.hasLogged(/the transaction is fenced[^\n]*/);
    for (const link of stage.links('one')) {
      link.gate = async ({ header }): Promise<Verdict> => {
        if (header.apiKey === heartbeatApi.key) await isFenced;
        return 'forward';
      };
    }
    process.kill(zombie.pid!, 'SIGCONT');
    const fenced = await isFenced;
    const endedBy = await stage.ended('one');
    expect(endedBy === 1, `the zombie to end with exit code 1, not ${endedBy}`);
    const replaced = await stage.logged(/KAFKA_FENCED[^\n]*/);
    expect(replaced > 0, 'the zombie to say that another has its place');
    await stage.load.decidesMore(AFTER);
    return { fenced, 'the zombie ends with': endedBy };
  },
};

export const zombieScenarios: readonly Scenario[] = [anywhere, ...inTransaction, stalled, twin];
