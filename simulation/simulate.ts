/**
 * One run: a whole application on simulated time, network, disks and processes, decided by its seed
 * alone. First the safety phase, with faults; then the liveness phase: faults end, and everything must
 * drain. At last the scenario's own check.
 */
import { isMillraceError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { createKafkaClientOver, type KafkaClientOverOptions } from '../kafka/kafka-client.ts';
import type { KafkaClient } from '../kafka/ports.ts';
import type { BrokerConnector } from '../kafka/wire.ts';
import type { BuiltTopology } from '../topology/sub-topology.ts';
import { Drain } from './drain.ts';
import { ChangelogLoss } from './faults/changelog-loss.ts';
import { FaultProgram } from './faults/fault-program.ts';
import { MAY_LOSE_CHANGELOG } from './faults/sometimes.ts';
import { directConnector } from './network/direct-connection.ts';
import { BROKER_ADDRESS, Network } from './network/network.ts';
import { type BrokerMutation, BrokerNode } from './nodes/broker-node.ts';
import { type EngineMutation, EngineNode } from './nodes/engine-node.ts';
import { drawPlan, type RunPlan } from './run-plan.ts';
import type { Outcome, Scenario, ScenarioOfSeed, SimulatedRun, Workload } from './scenario.ts';
import { type OwnedTask, readStores } from './store-reader.ts';
import { TopicReader } from './topic-reader.ts';
import { Process } from './world/process.ts';
import { SimulationStuck, World } from './world/world.ts';

export interface SimulateOptions {
  readonly seed: number;
  /** Called with one line for everything of interest that happens. */
  readonly trace?: (line: string) => void;
  /** A bug to plant: what catches it is worth something. */
  readonly mutation?: EngineMutation & BrokerMutation;
  /** In place of what is drawn from the seed. */
  readonly plan?: Partial<RunPlan>;
  /** In place of faults that are drawn from the seed; it starts the instances, too. */
  readonly script?: (machines: Machines) => Promise<void>;
  /** Asked about a death that no fault of the simulation explains: true lets the run go on, with another life. */
  readonly isExplained?: (name: string, error: Error) => boolean;
}

/** What a script may start, stop and break. */
export interface Machines {
  readonly world: World;
  readonly network: Network;
  readonly broker: BrokerNode;
  readonly engines: readonly EngineNode[];
}

export interface RunResult {
  readonly seed: number;
  /** None = the run passed. */
  readonly violations: readonly string[];
  /** Equal for equal seeds on equal code, or the run was not a function of its seed. */
  readonly traceHash: string;
  readonly events: number;
  /** How often what happened: faults, and what they led to. */
  readonly counters: ReadonlyMap<string, number>;
}

/** In sessions: how long a record is sent again and again. */
const DELIVERY = 0.6;
/** Of the safety phase: before that little has been committed that could be lost. */
const EARLIEST_LOSS = 0.25;
const DRAIN_MS = 60_000;
const DRAIN_POLL_MS = 300;
const RESTART_MS = 100;
const RUN_MS_MAX = 300_000;

/** Never rejects: whatever goes wrong in the run is a violation. */
export async function simulate(
  scenario: Scenario | ScenarioOfSeed,
  options: SimulateOptions,
): Promise<RunResult> {
  const chosen = typeof scenario === 'function' ? scenario(options.seed) : scenario;
  const run = new Run(chosen, options);
  const { world } = run;
  let violations: readonly string[];
  try {
    violations = await world.run(Promise.race([run.whole(), run.failed]), RUN_MS_MAX);
  } catch (error) {
    const isStuck = error instanceof SimulationStuck;
    violations = [isStuck ? `stuck: ${error.message}` : `broken: ${(error as Error).stack}`];
  }
  return {
    seed: options.seed,
    violations,
    traceHash: world.traceHash,
    events: world.eventCount,
    counters: world.counters,
  };
}

class Run {
  readonly world: World;
  /** Resolves with what a process ended with though nothing had harmed it: the run goes no further. */
  readonly failed: Promise<readonly string[]>;
  readonly #scenario: Scenario;
  readonly #plan: RunPlan;
  readonly #network: Network;
  readonly #broker: BrokerNode;
  readonly #engines: readonly EngineNode[];
  readonly #auditor: Process;
  readonly #kafka: KafkaClient;
  readonly #workload: Workload;
  /** Only looked at: every instance asks for its own. */
  readonly #topology: BuiltTopology;
  readonly #drain: Drain;
  readonly #loss: ChangelogLoss | undefined;
  readonly #script: SimulateOptions['script'];

  constructor(scenario: Scenario, { seed, trace, mutation = {}, ...given }: SimulateOptions) {
    const world = new World(seed, trace);
    this.world = world;
    this.#scenario = scenario;
    const plan = { ...drawPlan(world, scenario), ...given.plan };
    this.#plan = plan;
    this.#script = given.script;
    this.#network = new Network(world);
    const { promise: failed, resolve } = Promise.withResolvers<readonly string[]>();
    this.failed = failed;
    const onFailure = (name: string, error: Error) => {
      if (given.isExplained?.(name, error) === true) this.#startBrokerSoon();
      else resolve([`${name} ended: ${error.stack}`]);
    };
    this.#broker = new BrokerNode(this.#network, { config: plan.broker, mutation, onFailure });
    this.#engines = Array.from(
      { length: plan.instances },
      (_, index) =>
        new EngineNode({
          name: `engine-${index + 1}`,
          network: this.#network,
          config: plan.engine,
          threads: plan.threads,
          topology: () => scenario.topology(),
          mutation,
          onFailure,
          onViolation: (sentence) => {
            // An open store goes on in what has its changelog's name, and has another position there.
            if (this.#loss?.hasStruck !== true) resolve([sentence]);
          },
          watch: scenario.watch,
        }),
    );
    this.#auditor = new Process(world, 'auditor');
    this.#kafka = createKafkaClientOver(this.#directAccess(this.#auditor));
    this.#topology = scenario.topology();
    const { applicationId } = scenario;
    this.#drain = new Drain(applicationId, this.#topology, this.#kafka, this.#engines);
    if (scenario.losesChangelog === true) {
      world.count(MAY_LOSE_CHANGELOG);
      const [topology, engines, kafka] = [this.#topology, this.#engines, this.#kafka];
      this.#loss = new ChangelogLoss({ world, applicationId, topology, kafka, engines });
    }
    this.#workload = scenario.begin(this.#simulatedRun());
  }

  async whole(): Promise<readonly string[]> {
    const { world } = this;
    this.#broker.start();
    await this.#kafka.waitUntilReachable(new AbortController().signal, () => {});
    await this.#kafka.admin.createTopics(this.#scenario.topics);
    if (this.#script === undefined) this.#startEngines();
    const fed = this.#workload.feed();
    const struck = this.#loss?.strike(world.between(EARLIEST_LOSS, 1) * this.#plan.faultsMs);
    await this.#faults();
    await struck;
    const late = world.supervisor.clock.sleep(DRAIN_MS).then(() => 'late' as const);
    if ((await Promise.race([fed, late])) === 'late') return ['the workload got no answers'];
    const mixed = await this.#loss?.judge(world.nowMs + DRAIN_MS, this.#plan.sessionTimeoutMs);
    if (mixed !== undefined) return [mixed];
    const reset = await this.#loss?.reset();
    const undrained = await this.#untilDrained(world.nowMs + DRAIN_MS);
    if (undrained !== undefined) return [`not drained: ${undrained}`];
    const owned = this.#drain.owned();
    for (const engine of this.#engines) {
      if (!(await engine.stop())) return [`${engine.name} did not stop in time`];
    }
    return this.#workload.check(this.#outcome(owned, reset));
  }

  /** Engines are started again by their own nodes. */
  #startBrokerSoon(): void {
    const { world } = this;
    const start = () => {
      if (this.#broker.process?.isAlive !== true) this.#broker.start();
    };
    world.schedule(world.supervisor, RESTART_MS, start, 'broker due');
  }

  #startEngines(): void {
    const { world } = this;
    for (const engine of this.#engines) {
      const afterMs = world.chance(0.3) ? world.between(0, this.#plan.faultsMs) : 0;
      world.schedule(world.supervisor, afterMs, () => engine.ensureStarted(), `${engine.name} due`);
    }
  }

  /** The safety phase; afterwards everything runs. */
  async #faults(): Promise<void> {
    const { world } = this;
    const [network, broker, engines] = [this.#network, this.#broker, this.#engines];
    if (this.#script !== undefined) await this.#script({ world, network, broker, engines });
    else await new FaultProgram(network, broker, engines, this.#plan).run(this.#plan.faultsMs);
    world.note(world.supervisor, 'faults end');
    for (const engine of this.#engines) engine.ensureStarted();
    if (this.#broker.process?.isAlive !== true) this.#broker.start();
  }

  /**
   * Says what is not drained by then. Never looks at once: an answer that a link has just released is still
   * on its way, and whoever stops before it is there has not written to its stores what topics say.
   */
  async #untilDrained(untilMs: number): Promise<string | undefined> {
    for (;;) {
      await this.#auditor.clock.sleep(DRAIN_POLL_MS);
      const undrained = await this.#drain.undrained();
      if (undrained === undefined) return undefined;
      if (this.world.nowMs > untilMs) return undrained;
    }
  }

  #simulatedRun(): SimulatedRun {
    const process = new Process(this.world, 'users');
    const connector = this.#network.connector(process, process.name, process.name);
    const kafka = createKafkaClientOver(this.#access(process, connector));
    const producer = kafka.producer({
      deliveryTimeoutMs: Math.round(DELIVERY * this.#plan.sessionTimeoutMs),
      lingerMs: 0,
      compression: 'none',
    });
    return {
      random: process.random,
      clock: process.clock,
      faultsMs: this.#plan.faultsMs,
      absenceMs: this.#plan.absenceMs,
      kafka,
      send: async (topic, partition, record) => {
        try {
          await producer.send(topic, partition, record);
          return 'acknowledged';
        } catch (error) {
          if (isMillraceError(error, 'KAFKA_FATAL')) throw error;
          const outcome = isMillraceError(error, 'KAFKA_AMBIGUOUS') ? 'unknown' : 'not sent';
          this.world.count(`a record was ${outcome}`);
          return outcome;
        }
      },
      count: (what) => this.world.count(what),
    };
  }

  #outcome(owned: readonly OwnedTask[], reset: ReadonlyMap<string, number> | undefined): Outcome {
    const kafka = this.#kafka;
    const reader = new TopicReader(kafka);
    return {
      kafka,
      access: this.#directAccess(this.#auditor),
      reset,
      records: (topic) => reader.read(topic),
      stores: () => readStores(this.#topology, owned, this.#auditor),
    };
  }

  #directAccess(process: Process): KafkaClientOverOptions {
    return this.#access(process, directConnector(this.#network, process.name));
  }

  #access(process: Process, connector: BrokerConnector): KafkaClientOverOptions {
    const { name: clientId, clock, random } = process;
    return { connector, bootstrap: [BROKER_ADDRESS], clientId, clock, random, log: silentLog };
  }
}
