/**
 * What a run is like, before anything happens in it: drawn from its seed. Most runs are small: one or two
 * instances, a few sessions long, one fault right behind the other. A bug that needs many instances, a
 * long life or much input finds them in the large ones.
 */
import type { StreamsOptions } from '../runtime/streams-config.ts';
import type { Scenario } from './scenario.ts';
import type { World } from './world/world.ts';

export interface RunPlan {
  readonly instances: number;
  /** Stream threads of each. */
  readonly threads: number;
  /** Length of the safety phase. */
  readonly faultsMs: number;
  /** The longest that nothing goes wrong in it. */
  readonly quietMsMax: number;
  /** How long things stay wrong is measured by it. */
  readonly sessionTimeoutMs: number;
  readonly engine: StreamsOptions;
  readonly broker: Readonly<Record<string, string>>;
  /** The broker's clock is right. */
  readonly isLogTimeSteady: boolean;
  readonly clockErrorMsMax: number;
  /** So long one instance stays away once; 0: none does. */
  readonly absenceMs: number;
}

interface Size {
  readonly name: 'small' | 'medium' | 'large';
  /** Of all runs. */
  readonly share: number;
  readonly instancesMax: number;
  readonly faultsMs: readonly [min: number, max: number];
  readonly quietMsMax: readonly [min: number, max: number];
  readonly sessionTimeoutMs: readonly [min: number, max: number];
}

const SIZES: readonly Size[] = [
  {
    name: 'small',
    share: 0.92,
    instancesMax: 2,
    faultsMs: [500, 2_000],
    quietMsMax: [300, 1_100],
    sessionTimeoutMs: [1_010, 1_700],
  },
  {
    name: 'medium',
    share: 0.065,
    instancesMax: 3,
    faultsMs: [2_000, 9_000],
    quietMsMax: [300, 2_000],
    sessionTimeoutMs: [2_000, 6_000],
  },
  // Sessions as in production.
  {
    name: 'large',
    share: 0.015,
    instancesMax: 3,
    faultsMs: [14_000, 60_000],
    quietMsMax: [500, 4_000],
    sessionTimeoutMs: [6_000, 10_000],
  },
];

/** What a machine may do whose time service has gone astray; sessions are shorter by far. */
const CLOCK_ERROR_MS_MAX = 15_000;
const ABSENCE = 0.4;
/** Of all runs: nobody can take over there. */
const ALONE = 0.35;
/** Of all runs; of their threads each has its own member of the group and its own producers. */
const SEVERAL_THREADS = 0.05;
const TRANSACTION_TIMEOUT_MS_MIN = 1_000;
/** Of all runs: so seldom as in production is a checkpoint due in the large ones only. */
const SELDOM_FLUSHED = 0.7;
/** How often compaction and retention look around. */
const OFTEN_CLEANED_MS = 300;
const RARELY_CLEANED_MS = 30_000;
const REAPER_INTERVAL = 'transaction.abort.timed.out.transaction.cleanup.interval.ms';

export function drawPlan(
  world: World,
  { applicationId, config, broker, absenceMs, isLogTimeSteady = false, ...given }: Scenario,
): RunPlan {
  const size = drawSize(world);
  world.count(`size ${size.name}`);
  const sessionTimeoutMs =
    config?.sessionTimeoutMs ?? Math.round(draw(world, size.sessionTimeoutMs));
  const drawn = engineOptions(world, applicationId, sessionTimeoutMs);
  const instances = world.chance(ALONE) ? 1 : world.pick(2, size.instancesMax);
  const isAbsence = absenceMs !== undefined && instances > 1 && world.chance(ABSENCE);
  return {
    instances,
    faultsMs: draw(world, size.faultsMs),
    quietMsMax: draw(world, size.quietMsMax),
    sessionTimeoutMs,
    engine: { ...drawn, ...config, applicationId, stateDir: '/state' },
    broker: { ...brokerConfig(world, sessionTimeoutMs), ...broker },
    isLogTimeSteady,
    clockErrorMsMax: given.clockErrorMsMax ?? CLOCK_ERROR_MS_MAX,
    absenceMs: isAbsence ? world.between(...absenceMs) : 0,
    threads: drawThreads(world),
  };
}

function drawSize(world: World): Size {
  let left = world.random.next();
  for (const size of SIZES) {
    left -= size.share;
    if (left < 0) return size;
  }
  return SIZES[0]!;
}

function drawThreads(world: World): number {
  if (!world.chance(SEVERAL_THREADS)) return 1;
  world.count('several threads');
  return 2;
}

function draw(world: World, [min, max]: readonly [number, number]): number {
  return world.between(min, max);
}

function brokerConfig(world: World, sessionTimeoutMs: number): Readonly<Record<string, string>> {
  const transactionVersion = world.chance(0.35) ? 1 : 2;
  world.count(`transactions V${transactionVersion}`);
  return {
    'transaction.version': String(transactionVersion),
    'group.min.session.timeout.ms': '1000',
    'log.retention.check.interval.ms': String(
      world.chance(0.3) ? OFTEN_CLEANED_MS : RARELY_CLEANED_MS,
    ),
    // Kafka's own is as long as a session: so long a zombie's transaction may stay open behind its timeout.
    [REAPER_INTERVAL]: String(world.chance(0.5) ? 500 : sessionTimeoutMs),
  };
}

function engineOptions(
  world: World,
  applicationId: string,
  sessionTimeoutMs: number,
): StreamsOptions {
  const longest = sessionTimeoutMs - 1;
  return {
    applicationId,
    commitIntervalMs: world.pick(1, 5) * 20,
    commitLingerMs: world.pick(0, 20),
    transactionTimeoutMs: world.chance(0.5)
      ? world.pick(TRANSACTION_TIMEOUT_MS_MIN, longest)
      : longest,
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.min(1_000, Math.floor(sessionTimeoutMs / 4)),
    rebalanceTimeoutMs: Math.round(sessionTimeoutMs * world.between(1, 2)),
    numStandbyReplicas: world.chance(0.3) ? 1 : 0,
    checkpointIntervalMs: world.chance(SELDOM_FLUSHED) ? 60_000 : world.pick(100, 1_000),
  };
}
