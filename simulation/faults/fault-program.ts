/**
 * What goes wrong in a run, drawn from its seed. Each run has its own selection: with everything at once
 * nothing would get far enough to break in an interesting place.
 */

import { CALM, type Direction, type Network, type NetworkTrouble } from '../network/network.ts';
import type { BrokerNode } from '../nodes/broker-node.ts';
import type { EngineNode } from '../nodes/engine-node.ts';
import type { RunPlan } from '../run-plan.ts';
import type { Process, WallClock } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { KILL_POINTS, type KillPointName } from './kill-points.ts';

type Fault = (program: FaultProgram) => Promise<void>;

/** Effects on the outside between deciding to kill a process and its death. */
const KILL_EFFECTS_MAX = 60;
/** In sessions: how long something stays wrong at most. */
const PAUSED_MAX = 1.6;
const BLOCKED_MAX = 0.8;
const DOWN_MAX = 0.3;
const LATE_MAX = 0.8;
/** Longer than a session: others may have taken over what the transaction is about. */
const MARKER_MAX = 1.8;
const MOVING_MAX = 0.3;
const HEARTBEATS = /^group-/;
const STOPPING_EFFECTS_MAX = 12;
/** The way from a producer to its transaction's coordinator. */
const TRANSACTIONS = /-transaction$/;
/** In some runs clocks go right, or would not tell what follows from a jump alone. */
const CLOCKS_APART = 0.5;
/** Points that a process comes to in the beginning. */
const STARTING: ReadonlySet<KillPointName> = new Set(['K1', 'K2', 'K3']);
/** Points that come once in a life, or seldom. */
const RARE: ReadonlySet<KillPointName> = new Set([...STARTING, 'K13']);
/** What is seldom reached is tried more often. */
const POINTS = [
  ...(Object.keys(KILL_POINTS) as KillPointName[]),
  'K2',
  'K3',
  'K4',
  'K5',
  'K6',
  'K7',
  'K8',
  'K8',
  'K9',
  'K10',
  'K13',
  'K13',
  'K13',
] as const;
/** Of a zombie; the one in the middle is what its generation fences. */
const LAST_REQUESTS = ['Produce', 'TxnOffsetCommit', 'TxnOffsetCommit', 'EndTxn'];

/** A late second one of these acts on the next transaction: the hole that transactions V2 closed. */
const ONCE_UNDER_V1: ReadonlySet<string> = new Set([
  'AddPartitionsToTxn',
  'AddOffsetsToTxn',
  'TxnOffsetCommit',
  'EndTxn',
]);
const NONE: ReadonlySet<string> = new Set();

/** In every run, and twice as often as another one: this fault has fourteen faces. */
const ALWAYS = ['engine killed at a point', 'engine killed at a point'];

const FAULTS: Readonly<Record<string, Fault>> = {
  'engine killed': (program) => program.killEngine(false, 0),
  'engine killed at an effect': (program) => program.killEngine(false, KILL_EFFECTS_MAX),
  'engine killed at a point': (program) => program.killAtPoint(),
  'engine lost power': (program) => program.killEngine(true, 0),
  'engine lost power at an effect': (program) => program.killEngine(true, KILL_EFFECTS_MAX),
  'engine paused': (program) => program.pauseEngine(),
  'engine paused in a commit': (program) => program.pauseInCommit(),
  'engine stopped in order': (program) => program.stopEngine(),
  'commit left unknown': (program) => program.hideCommit(),
  'link cut': (program) => program.cut(['toBroker', 'toClient']),
  'link cut to the broker': (program) => program.cut(['toBroker']),
  'link cut to the client': (program) => program.cut(['toClient']),
  'last requests of a zombie': (program) => program.delayZombie(),
  'offsets of a zombie': (program) => program.outliveGeneration(),
  'broker killed at an effect': (program) => program.killBroker(false),
  'broker lost power': (program) => program.killBroker(true),
  'broker disk failed': (program) => program.failBrokerDisk(),
  'coordinator moved': (program) => program.moveCoordinator(),
  'clock jumped': (program) => program.jumpClock(),
  'store write failed': (program) => program.failStore(),
};

export class FaultProgram {
  readonly #world: World;
  readonly #network: Network;
  readonly #broker: BrokerNode;
  readonly #engines: readonly EngineNode[];
  readonly #plan: RunPlan;
  readonly #faults: readonly string[];
  readonly #running = new Set<Promise<void>>();

  constructor(network: Network, broker: BrokerNode, engines: readonly EngineNode[], plan: RunPlan) {
    this.#plan = plan;
    this.#world = network.world;
    this.#network = network;
    this.#broker = broker;
    this.#engines = engines;
    const drawn = Object.keys(FAULTS).filter(() => this.#world.chance(0.4));
    this.#faults = [...drawn, ...ALWAYS];
  }

  /** Faults for that long, then their consequences end too: everything runs, and the network is calm. */
  async run(durationMs: number): Promise<void> {
    const untilMs = this.#world.nowMs + durationMs;
    this.#network.trouble = this.#trouble();
    if (this.#world.chance(CLOCKS_APART)) this.#setClocksApart();
    if (this.#plan.absenceMs > 0) this.#begin(this.stayAway(durationMs));
    while (this.#world.nowMs < untilMs) {
      await this.#sleep(this.#world.between(0, this.#plan.quietMsMax));
      const name = this.#faults[this.#world.pick(0, this.#faults.length - 1)];
      if (name === undefined) continue;
      this.#world.note(this.#world.supervisor, name);
      this.#begin(FAULTS[name]!(this));
    }
    this.#network.trouble = CALM;
    // What has begun runs its course: a fault that is cut short has not been one.
    await Promise.all(this.#running);
    this.#network.coordinators.moving = undefined;
    this.#network.unblockAll();
    for (const { process, machine } of this.#engines) {
      process?.resume();
      machine.disk.heal();
    }
  }

  #begin(fault: Promise<void>): void {
    const running = fault.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async killEngine(isPowerLost: boolean, effectsMax: number): Promise<void> {
    const engine = this.#anyEngine();
    const { process } = engine;
    if (process === undefined || !process.isAlive) return;
    if (effectsMax > 0) {
      process.atEffect(this.#world.pick(1, effectsMax), () => process.kill());
      await this.#sleepSessions(0, 0.15);
    }
    if (engine.process !== process) return;
    this.#world.count(isPowerLost ? 'engine lost power' : 'engine killed');
    engine.kill(isPowerLost);
    await this.#sleepSessions(0, DOWN_MAX);
    engine.ensureStarted();
  }

  /** At the first, second or third time from now that it comes to this point of its work. */
  async killAtPoint(): Promise<void> {
    const engine = this.#anyEngine();
    if (engine.process?.isAlive !== true || engine.process.isPaused) return;
    const name = this.#world.oneOf(POINTS);
    if (STARTING.has(name)) {
      engine.kill(false);
      engine.start();
    }
    const process = engine.process;
    const die = () => {
      this.#world.count(`killed at ${name}`);
      process.kill();
    };
    if (name === 'K14') {
      process.atEffect(this.#world.pick(1, STOPPING_EFFECTS_MAX), die);
      void engine.stop();
    } else {
      const nth = RARE.has(name) ? 1 : this.#world.pick(1, 2);
      process.atEffect(nth, die, KILL_POINTS[name].effect);
    }
    const isDead = new Promise<void>((resolve) => process.onDeath(resolve));
    await Promise.race([isDead, this.#sleepSessions(0.5, 1)]);
    if (engine.process !== process) return;
    process.atEffect(Number.POSITIVE_INFINITY, () => {});
    if (name === 'K14') engine.kill(false);
    if (process.isAlive) return;
    await this.#sleepSessions(0, DOWN_MAX);
    engine.ensureStarted();
  }

  async pauseEngine(): Promise<void> {
    const { process } = this.#anyEngine();
    if (process === undefined || !process.isAlive || process.isPaused) return;
    this.#world.count('engine paused');
    if (this.#world.chance(0.3)) process.pause();
    else process.atEffect(this.#world.pick(1, KILL_EFFECTS_MAX), () => process.pause());
    await this.#sleepSessions(0, PAUSED_MAX);
    process.atEffect(Number.POSITIVE_INFINITY, () => {});
    process.resume();
  }

  /** Until its session is over: awake again it goes on with a commit for what others have by then. */
  async pauseInCommit(): Promise<void> {
    const { process } = this.#anyEngine();
    if (process === undefined || !process.isAlive || process.isPaused) return;
    const pause = () => {
      this.#world.count('engine paused in a commit');
      process.pause();
    };
    if (!(await this.#meet(process, this.#world.oneOf(LAST_REQUESTS), 1, pause))) return;
    await this.#sleepSessions(1.1, 1.6);
    process.resume();
  }

  async stopEngine(): Promise<void> {
    const engine = this.#anyEngine();
    const { process } = engine;
    if (process === undefined || !process.isAlive || process.isPaused) return;
    this.#world.count('engine stopped in order');
    const stopped = engine.stop();
    await Promise.race([stopped, this.#sleep(5_000)]);
    if (engine.process !== process) return;
    engine.kill(false);
    await this.#sleepSessions(0, DOWN_MAX);
    engine.ensureStarted();
  }

  /** Until its state is too old to be trusted: others have its tasks, and what they delete is cleaned away. */
  async stayAway(durationMs: number): Promise<void> {
    const engine = this.#anyEngine();
    await this.#sleep(this.#world.between(0, durationMs));
    if (engine.process?.isAlive !== true || engine.process.isPaused) return;
    this.#world.count('engine away for long');
    if (this.#world.chance(0.5)) await Promise.race([engine.stop(), this.#sleep(1_000)]);
    engine.kill(false);
    await this.#sleep(this.#plan.absenceMs);
    engine.ensureStarted();
  }

  /**
   * The coordinator commits and cannot say so: not to this request, and to no other one before the
   * transaction's time is over, or nearly. The instance lives on, and must find out.
   */
  async hideCommit(): Promise<void> {
    const { process, name } = this.#anyEngine();
    if (process === undefined || !process.isAlive || process.isPaused) return;
    const hide = () => {
      this.#world.count('commit left unknown');
      this.#network.block(name, ['toClient'], TRANSACTIONS);
    };
    // Not always the first one of a life: what is unknown then is the difference to one that is known.
    if (!(await this.#meet(process, 'sent EndTxn', this.#world.pick(1, 3), hide))) return;
    await this.#sleep(this.#world.between(0.9, 1.2) * this.#plan.engine.transactionTimeoutMs!);
    this.#network.unblock(name);
  }

  async cut(directions: readonly Direction[]): Promise<void> {
    const links = ['users', ...this.#engines.map(({ name }) => name)];
    const link = this.#world.oneOf(links);
    this.#world.count(`link cut ${directions.join('+')}`);
    this.#network.block(link, directions);
    await this.#sleepSessions(0, BLOCKED_MAX);
    this.#network.unblock(link);
  }

  /**
   * Heartbeats stay away until the session is about to end; then the next request, and everything
   * behind it, is held back until others have taken over: what a zombie has in flight arrives late.
   */
  async delayZombie(): Promise<void> {
    const engine = this.#anyEngine();
    const { process, name } = engine;
    if (process === undefined || !process.isAlive || this.#engines.length === 1) return;
    this.#world.count('last requests of a zombie');
    this.#network.block(name, ['toBroker'], HEARTBEATS);
    await this.#sleepSessions(0.75, 0.97);
    const hold = () => this.#network.block(name, ['toBroker', 'toClient']);
    const last = this.#world.oneOf(LAST_REQUESTS);
    process.atEffect(1, hold, last);
    await this.#sleepSessions(0.15, 0.6);
    process.atEffect(Number.POSITIVE_INFINITY, () => {});
    this.#network.unblock(name);
  }

  /**
   * What its generation alone fences: the offsets of a zombie whose transaction is still open arrive when
   * the one who took over has just read where to begin.
   */
  async outliveGeneration(): Promise<void> {
    const zombie = this.#anyEngine();
    const heirs = this.#engines.filter(
      ({ process }) => process?.isAlive && process !== zombie.process,
    );
    const { process, name } = zombie;
    if (process === undefined || !process.isAlive || heirs.length === 0) return;
    this.#world.count('offsets of a zombie');
    this.#network.block(name, ['toBroker'], HEARTBEATS);
    await this.#sleepSessions(0.75, 0.97);
    process.atEffect(
      1,
      () => this.#network.block(name, ['toBroker', 'toClient']),
      'TxnOffsetCommit',
    );
    const release = () => this.#network.unblock(name);
    const heir = this.#world.oneOf(heirs).process!;
    await this.#meet(heir, 'answered OffsetFetch', 1, release);
    process.atEffect(Number.POSITIVE_INFINITY, () => {});
    release();
  }

  async killBroker(isPowerLost: boolean): Promise<void> {
    const { process } = this.#broker;
    if (process === undefined || !process.isAlive) return;
    process.atEffect(this.#world.pick(1, KILL_EFFECTS_MAX), () => process.kill());
    await this.#sleepSessions(0, 0.08);
    if (this.#broker.process !== process) return;
    this.#world.count(isPowerLost ? 'broker lost power' : 'broker killed');
    this.#broker.kill(isPowerLost);
    await this.#sleepSessions(0, DOWN_MAX);
    if (this.#broker.process === process) this.#broker.start();
  }

  async failBrokerDisk(): Promise<void> {
    const { process } = this.#broker;
    if (process === undefined || !process.isAlive) return;
    const kind = this.#world.chance(0.5) ? 'append' : 'sync';
    this.#broker.failDisk(kind, this.#world.chance(0.5) ? 'EIO' : 'ENOSPC');
    await this.#sleepSessions(0, DOWN_MAX);
    this.#broker.healDisk();
    if (this.#broker.process === process && !process.isAlive) this.#broker.start();
  }

  /** Often in the middle of a commit: that is seldom met by chance. */
  async moveCoordinator(): Promise<void> {
    const kind = this.#world.chance(0.8) ? 'transaction' : 'group';
    const move = () => {
      this.#world.count(`${kind} coordinator moved`);
      this.#network.coordinators.move(kind);
    };
    const { process } = this.#anyEngine();
    const isInCommit = process?.isAlive === true && this.#world.chance(0.7);
    if (isInCommit) {
      process.atEffect(1, move, kind === 'transaction' ? 'EndTxn' : 'TxnOffsetCommit');
      await this.#sleepSessions(0.2, 0.6);
      process.atEffect(Number.POSITIVE_INFINITY, () => {});
    } else {
      move();
      await this.#sleepSessions(0, MOVING_MAX);
    }
    this.#network.coordinators.moving = undefined;
  }

  /** Of one machine, however often its process is started again. */
  async jumpClock(): Promise<void> {
    const clock = this.#world.oneOf(this.#wrongClocks());
    const before = clock.errorMs;
    clock.errorMs = this.#clockErrorMs();
    this.#world.count(clock.errorMs > before ? 'clock jumped forward' : 'clock jumped back');
  }

  async failStore(): Promise<void> {
    this.#world.count('store write failed');
    const fault = this.#world.chance(0.5) ? 'EIO' : 'ENOSPC';
    this.#anyEngine().machine.disk.failWrite(this.#world.pick(1, 10), fault);
  }

  #setClocksApart(): void {
    this.#world.count('clocks apart');
    for (const clock of this.#wrongClocks()) clock.errorMs = this.#clockErrorMs();
  }

  /** Those that may be wrong. */
  #wrongClocks(): WallClock[] {
    const clocks = this.#engines.map(({ machine }) => machine.wallClock);
    return this.#plan.isLogTimeSteady ? clocks : [this.#broker.wallClock, ...clocks];
  }

  #clockErrorMs(): number {
    const { clockErrorMsMax } = this.#plan;
    return this.#world.pick(-clockErrorMsMax, clockErrorMsMax);
  }

  #trouble(): NetworkTrouble {
    const sometimes = (probabilityMax: number) =>
      this.#world.chance(0.4) ? this.#world.between(0, probabilityMax) : 0;
    return {
      delayMsMax: this.#world.between(0.3, 20),
      loseRequest: sometimes(0.02),
      loseAnswer: sometimes(0.02),
      lateRequest: sometimes(0.02),
      duplicate: sometimes(0.02),
      stall: sometimes(0.03),
      halfOpen: sometimes(0.002),
      lateMarker: sometimes(0.6),
      markerMsMax: this.#world.between(10, MARKER_MAX * this.#plan.sessionTimeoutMs),
      refuse: sometimes(0.06),
      lateMsMax: this.#world.between(10, LATE_MAX * this.#plan.sessionTimeoutMs),
      neverTwice: this.#plan.broker['transaction.version'] === '2' ? NONE : ONCE_UNDER_V1,
    };
  }

  /** Acts when the process comes to such an effect for the n-th time; false: it did not within a while. */
  async #meet(process: Process, effect: string, nth: number, act: () => void): Promise<boolean> {
    const { promise: met, resolve } = Promise.withResolvers<boolean>();
    process.atEffect(
      nth,
      () => {
        act();
        resolve(true);
      },
      effect,
    );
    const isOver = this.#sleepSessions(0.5, 1).then(() => false);
    const isMet = await Promise.race([met, isOver]);
    process.atEffect(Number.POSITIVE_INFINITY, () => {});
    return isMet;
  }

  #anyEngine(): EngineNode {
    return this.#world.oneOf(this.#engines);
  }

  #sleepSessions(min: number, max: number): Promise<void> {
    return this.#sleep(this.#world.between(min, max) * this.#plan.sessionTimeoutMs);
  }

  #sleep(durationMs: number): Promise<void> {
    return this.#world.supervisor.clock.sleep(durationMs);
  }
}
