/** What a run is like, before anything happens in it: drawn from its seed. */
import type { StreamsOptions } from '../runtime/streams-config.ts';
import type { Scenario } from './scenario.ts';
import type { World } from './world/world.ts';

export interface RunPlan {
  readonly instances: number;
  /** Length of the safety phase. */
  readonly faultsMs: number;
  readonly sessionTimeoutMs: number;
  readonly engine: StreamsOptions;
  readonly broker: Readonly<Record<string, string>>;
}

const REAPER_INTERVAL = 'transaction.abort.timed.out.transaction.cleanup.interval.ms';

export function drawPlan(world: World, { applicationId, config }: Scenario): RunPlan {
  const transactionVersion = world.chance(0.35) ? 1 : 2;
  world.count(`transactions V${transactionVersion}`);
  const broker = {
    'transaction.version': String(transactionVersion),
    // Kafka's own is 10 s: so long a zombie's transaction may stay open behind its timeout.
    [REAPER_INTERVAL]: String(world.chance(0.5) ? 1_000 : 10_000),
  };
  const instances = world.pick(1, 3);
  const sessionTimeoutMs = config?.sessionTimeoutMs ?? world.pick(6, 10) * 1_000;
  const drawn = engineOptions(world, applicationId, sessionTimeoutMs);
  const engine = { ...drawn, ...config, applicationId, stateDir: '/state' };
  return { instances, faultsMs: faultsMs(world), sessionTimeoutMs, engine, broker };
}

function engineOptions(
  world: World,
  applicationId: string,
  sessionTimeoutMs: number,
): StreamsOptions {
  return {
    applicationId,
    commitIntervalMs: world.pick(1, 5) * 20,
    commitLingerMs: world.pick(0, 20),
    transactionTimeoutMs: world.chance(0.5) ? world.pick(1, 5) * 1_000 : sessionTimeoutMs - 1,
    sessionTimeoutMs,
    heartbeatIntervalMs: 1_000,
    rebalanceTimeoutMs: world.pick(6, 15) * 1_000,
    numStandbyReplicas: world.chance(0.3) ? 1 : 0,
  };
}

/** Some are long enough for sessions to end more than once, a few for checkpoints of state to be due. */
function faultsMs(world: World): number {
  const length = world.random.next();
  if (length < 0.05) return world.between(65_000, 90_000);
  return length < 0.4 ? world.between(14_000, 25_000) : world.between(2_000, 14_000);
}
