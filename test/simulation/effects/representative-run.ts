/**
 * The run in which effects fail: two instances sell, one after the other is started, stopped in order and
 * killed, and the broker loses its power. Everything in it is fixed but the one error that is
 * asked for; without one it is the run that makes the list.
 */

import type { StreamsOptions } from '../../../runtime/streams-config.ts';
import type { Scenario } from '../../../simulation/scenario.ts';
import { type Machines, type RunResult, simulate } from '../../../simulation/simulate.ts';
import { APPLICATION_ID } from '../sale.ts';
import { wholeSale } from '../simulate.ts';
import { failingDisk, failingStoreEngine } from './disk-effects.ts';
import { type Injection, Injector, injectionsOf } from './injector.ts';
import { lateClock } from './timer-effects.ts';
import { failingConnector, type Resent } from './wire-effects.ts';

/** How the engine commits, and what the broker offers for it. */
export type Mode = 'transactions V2' | 'transactions V1' | 'at least once';
export const MODES: readonly Mode[] = ['transactions V2', 'transactions V1', 'at least once'];

/** In the other modes only what they write with is of interest: the rest is the same. */
const WRITING =
  /^(AddPartitionsToTxn|AddOffsetsToTxn|Produce|TxnOffsetCommit|EndTxn|InitProducerId|OffsetCommit) /;

const SEED = 1;
const SESSION_TIMEOUT_MS = 3_000;
/** Before the first instance: so long a repartition topic is not purged, and buyers queue up. */
const QUEUE_MS = 29_500;
const FAULTS_MS = QUEUE_MS + 7_000;

const ENGINE: StreamsOptions = {
  applicationId: APPLICATION_ID,
  stateDir: '/state',
  commitIntervalMs: 50,
  commitLingerMs: 5,
  transactionTimeoutMs: 2_000,
  sessionTimeoutMs: SESSION_TIMEOUT_MS,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 4_000,
  numStandbyReplicas: 1,
};

export interface EffectRun {
  readonly result: RunResult;
  readonly injector: Injector;
  readonly resent: Resent;
  /** What the broker has ended with, by its disk's fault. */
  readonly brokerDeaths: readonly Error[];
  /** What the engine has logged, and how its processes ended. */
  readonly lines: readonly string[];
}

export async function runOnce(mode: Mode, injection?: Injection): Promise<EffectRun> {
  const { effect = '' } = injection ?? {};
  const injector = new Injector(injection);
  const resent: Resent = { body: undefined, sameAgain: 0, others: 0 };
  const lines: string[] = [];
  const brokerDeaths: Error[] = [];
  const result = await simulate(mode === 'at least once' ? uncheckedSale : wholeSale, {
    seed: SEED,
    trace: (line) => {
      if (TOLD.test(line)) lines.push(line.trim());
    },
    mutation: {
      connector: (connector, process) => failingConnector(connector, process, injector, resent),
      storeEngine: (engine) => failingStoreEngine(engine, injector),
      clock: (clock) => lateClock(clock, injector),
      disk: (disk) => failingDisk(disk, injector),
    },
    plan: {
      instances: 2,
      faultsMs: FAULTS_MS,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      engine: {
        ...ENGINE,
        processingGuarantee: mode === 'at least once' ? 'at_least_once' : 'exactly_once_v2',
      },
      broker: {
        'transaction.version': mode === 'transactions V1' ? '1' : '2',
        'group.min.session.timeout.ms': '1000',
        'log.retention.check.interval.ms': '5000',
      },
    },
    script,
    isExplained: (name, error) => {
      const isItsDisk = name === 'broker' && injector.isDone && BROKER_DISK.test(effect);
      if (isItsDisk) brokerDeaths.push(error);
      return isItsDisk;
    },
  });
  return { result, injector, resent, brokerDeaths, lines };
}

const BROKER_DISK = /^broker disk: /;
const TOLD = /^ +[\w-]+\.\d+ ("|ended: )/;

/** Records may be there twice then: that they are all there is what draining says. */
const uncheckedSale: Scenario = {
  ...wholeSale,
  begin: (run) => ({ ...wholeSale.begin(run), check: async () => [] }),
};

/** Every way in which an effect of this mode can fail, the first time and later. */
export function injectionsIn(mode: Mode, { injector }: EffectRun): readonly Injection[] {
  const all = injectionsOf(injector);
  return mode === 'transactions V2' ? all : all.filter(({ effect }) => WRITING.test(effect));
}

async function script({ world, broker, engines }: Machines): Promise<void> {
  const { clock } = world.supervisor;
  const [first, second] = engines as [Machines['engines'][number], Machines['engines'][number]];
  await clock.sleep(QUEUE_MS);
  first.ensureStarted();
  await clock.sleep(1_200);
  second.ensureStarted();
  await clock.sleep(1_500);
  await Promise.race([second.stop(), clock.sleep(1_000)]);
  second.kill(false);
  second.ensureStarted();
  await clock.sleep(800);
  first.kill(false);
  await clock.sleep(100);
  first.ensureStarted();
  await clock.sleep(1_000);
  second.kill(false);
  await clock.sleep(100);
  second.ensureStarted();
  await clock.sleep(1_000);
  broker.kill(true);
  await clock.sleep(200);
  if (broker.process?.isAlive !== true) broker.start();
  await clock.sleep(1_000);
}
