/**
 * One run: the whole sale on simulated time, network, disks and processes, decided by its seed alone.
 * First the safety phase, with faults; then the liveness phase: faults end, and everything must drain.
 * At last the audit.
 */
import { silentLog } from '../../base/log.ts';
import { createKafkaClientOver } from '../../kafka/kafka-client.ts';
import { type KafkaClient, partitionKey, type TopicPartition } from '../../kafka/ports.ts';
import { repartitionNames } from '../../runtime/assignment/topic-plan.ts';
import type { StreamsOptions } from '../../runtime/streams-config.ts';
import { ticketTopics } from '../../ticket-sales/topics.ts';
import { Audit, type OwnedTask } from './audit.ts';
import { type BrokerMutation, BrokerNode } from './broker-node.ts';
import { Buyers, type SalePlan } from './buyers.ts';
import { type EngineMutation, EngineNode } from './engine-node.ts';
import { FaultProgram } from './fault-program.ts';
import { BROKER_ADDRESS, Network } from './network.ts';
import { APPLICATION_ID, PARTITIONS, saleTopology } from './sale.ts';
import { Process, SimulationStuck, World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  readonly trace?: (line: string) => void;
  readonly mutation?: EngineMutation & BrokerMutation;
}

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly events: number;
  readonly commands: number;
  readonly counters: ReadonlyMap<string, number>;
}

/** Only looked at: every instance builds its own. */
const TOPOLOGY = saleTopology();
const REPARTITION = repartitionNames(TOPOLOGY);
const SOURCE_TOPICS = TOPOLOGY.subTopologies
  .flatMap(({ sourceTopics }) => sourceTopics)
  .map((name) => (REPARTITION.has(name) ? `${APPLICATION_ID}-${name}` : name));
const TASK_COUNT = TOPOLOGY.subTopologies.length * PARTITIONS;
const REAPER_INTERVAL = 'transaction.abort.timed.out.transaction.cleanup.interval.ms';
const DRAIN_MS = 60_000;
const DRAIN_POLL_MS = 300;
const RUN_MS_MAX = 300_000;

export async function simulate(options: RunOptions): Promise<RunResult> {
  const run = new Run(options);
  const { world } = run;
  let violations: readonly string[];
  try {
    violations = await world.run(run.whole(), RUN_MS_MAX);
  } catch (error) {
    const isStuck = error instanceof SimulationStuck;
    violations = [isStuck ? `stuck: ${error.message}` : `broken: ${(error as Error).stack}`];
  }
  return {
    seed: options.seed,
    violations: [...run.failures(), ...violations],
    traceHash: world.traceHash,
    events: world.eventCount,
    commands: run.commandCount,
    counters: world.counters,
  };
}

class Run {
  readonly world: World;
  readonly #network: Network;
  readonly #broker: BrokerNode;
  readonly #engines: EngineNode[] = [];
  readonly #auditor: Process;
  readonly #client: KafkaClient;
  readonly #buyers: Buyers;
  readonly #faultsMs: number;
  readonly #sessionTimeoutMs: number;

  constructor({ seed, trace, mutation = {} }: RunOptions) {
    const world = new World(seed, trace);
    this.world = world;
    this.#network = new Network(world);
    const transactionVersion = world.chance(0.35) ? 1 : 2;
    world.count(`transactions V${transactionVersion}`);
    const config = {
      'transaction.version': String(transactionVersion),
      // Kafka's own is 10 s: so long a zombie's transaction may stay open behind its timeout.
      [REAPER_INTERVAL]: String(world.chance(0.5) ? 1_000 : 10_000),
    };
    this.#broker = new BrokerNode(this.#network, config, mutation);
    const instances = world.pick(1, 3);
    this.#sessionTimeoutMs = world.pick(6, 10) * 1_000;
    const engineConfig = this.#engineConfig(this.#sessionTimeoutMs);
    for (let number = 1; number <= instances; number++) {
      this.#engines.push(
        new EngineNode({
          name: `engine-${number}`,
          network: this.#network,
          config: engineConfig,
          topology: saleTopology,
          mutation,
        }),
      );
    }
    this.#auditor = new Process(world, 'auditor');
    this.#client = this.#clientOf(this.#auditor, 'auditor', true);
    this.#faultsMs = faultsMs(world);
    const buyers = new Process(world, 'buyers');
    const client = this.#clientOf(buyers, 'buyers', false);
    this.#buyers = new Buyers(world, buyers, client, this.#salePlan());
  }

  get commandCount(): number {
    return this.#buyers.journal.length;
  }

  failures(): string[] {
    return [this.#broker, ...this.#engines].flatMap((node) =>
      node.failures.map(
        (error) => `${node instanceof EngineNode ? node.name : 'broker'} ended: ${error.stack}`,
      ),
    );
  }

  async whole(): Promise<readonly string[]> {
    const { world } = this;
    this.#broker.start();
    await this.#client.waitUntilReachable(new AbortController().signal, () => {});
    await this.#client.admin.createTopics(ticketTopics(PARTITIONS, 1));
    for (const engine of this.#engines) {
      const afterMs = world.chance(0.3) ? world.between(0, this.#faultsMs) : 0;
      world.schedule(world.supervisor, afterMs, () => engine.ensureStarted(), `${engine.name} due`);
    }
    const bought = this.#buyers.buyEverything();
    const faults = new FaultProgram(
      this.#network,
      this.#broker,
      this.#engines,
      this.#sessionTimeoutMs,
    );
    await faults.run(this.#faultsMs);
    world.note(world.supervisor, 'faults end');
    for (const engine of this.#engines) engine.ensureStarted();
    if (this.#broker.process?.isAlive !== true) this.#broker.start();

    const untilMs = world.nowMs + DRAIN_MS;
    const late = world.supervisor.clock.sleep(DRAIN_MS).then(() => 'late' as const);
    if ((await Promise.race([bought, late])) === 'late') return ['the buyers got no answers'];
    const undrained = await this.#drain(untilMs);
    if (undrained !== undefined) return [`not drained: ${undrained}`];
    const owned = this.#owned();
    for (const engine of this.#engines) {
      if (!(await engine.stop())) return [`${engine.name} did not stop in time`];
    }
    return this.#audit(owned);
  }

  async #audit(owned: readonly OwnedTask[]): Promise<readonly string[]> {
    const audit = new Audit(this.#client, this.#auditor);
    await audit.topics(this.#buyers.journal);
    if (audit.violations.length === 0) await audit.stores(TOPOLOGY, owned);
    return audit.violations;
  }

  /** Until all input is committed and no transaction is open; says what is not by then. */
  async #drain(untilMs: number): Promise<string | undefined> {
    for (;;) {
      const undrained = await this.#undrained();
      if (undrained === undefined) return undefined;
      if (this.world.nowMs > untilMs) return undrained;
      await this.#auditor.clock.sleep(DRAIN_POLL_MS);
    }
  }

  async #undrained(): Promise<string | undefined> {
    const sleeping = this.#engines.find(({ isRunning }) => !isRunning);
    if (sleeping !== undefined) return `${sleeping.name} is not running`;
    const owned = this.#owned();
    if (owned.length !== TASK_COUNT) {
      const told = owned.map(({ taskId, node }) => `${taskId} at ${node.name}`);
      return `of ${TASK_COUNT} tasks run ${told.join(', ')}`;
    }
    const { admin } = this.#client;
    const partitions = partitionsOf(SOURCE_TOPICS);
    // Ends after positions: what had been committed by then has its outputs below these ends.
    const committed = await admin.committedOffsets(APPLICATION_ID, partitions, {
      requireStable: true,
    });
    const ends = await admin.listOffsets(partitions, 'latest', 'read_uncommitted');
    const stable = await admin.listOffsets(partitions, 'latest', 'read_committed');
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition);
      const end = ends.get(key)!.offset;
      if (stable.get(key)!.offset < end) return `${key} has an open transaction`;
      const position = Math.max(0, committed.get(key)?.offset ?? 0);
      if (position < end) return `${key} is committed up to ${position} of ${end}`;
    }
    return undefined;
  }

  #owned(): OwnedTask[] {
    return this.#engines.flatMap((node) => node.activeTasks().map((taskId) => ({ taskId, node })));
  }

  #clientOf(process: Process, name: string, isCalm: boolean): KafkaClient {
    return createKafkaClientOver({
      connector: this.#network.connector(process, name, name, isCalm),
      bootstrap: [BROKER_ADDRESS],
      clientId: name,
      clock: process.clock,
      random: process.random,
      log: silentLog,
    });
  }

  #engineConfig(sessionTimeoutMs: number): StreamsOptions {
    return {
      applicationId: APPLICATION_ID,
      stateDir: '/state',
      commitIntervalMs: this.world.pick(1, 5) * 20,
      commitLingerMs: this.world.pick(0, 20),
      transactionTimeoutMs: this.world.chance(0.5)
        ? this.world.pick(1, 5) * 1_000
        : sessionTimeoutMs - 1,
      sessionTimeoutMs,
      heartbeatIntervalMs: 1_000,
      rebalanceTimeoutMs: this.world.pick(6, 15) * 1_000,
      numStandbyReplicas: this.world.chance(0.3) ? 1 : 0,
    };
  }

  #salePlan(): SalePlan {
    const zones = Array.from({ length: this.world.pick(1, 4) }, (_, index) => ({
      eventId: `event-${index % 2}`,
      zoneId: `zone-${index}`,
    }));
    return {
      zones,
      purchases: this.world.pick(10, this.#faultsMs > 14_000 ? 120 : 50),
      durationMs: this.#faultsMs,
    };
  }
}

/** Some are long enough for sessions to end more than once, a few for checkpoints of state to be due. */
function faultsMs(world: World): number {
  const length = world.random.next();
  if (length < 0.05) return world.between(65_000, 90_000);
  return length < 0.4 ? world.between(14_000, 25_000) : world.between(2_000, 14_000);
}

function partitionsOf(topics: readonly string[]): TopicPartition[] {
  return topics.flatMap((topic) =>
    Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })),
  );
}
