/**
 * Where one scenario plays: the app's instances as real processes on their Kafka, those who buy, and at
 * the end the judgement: everything decided, the sale proven, `millrace audit` content.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JournalWriter } from '../../../bench/kit/journal-writer.ts';
import { connectToSale, openSale, type Sale, type SaleClient } from '../../../bench/sale-client.ts';
import { auditWhenQuiet } from '../../kit/auditor.ts';
import type { LinkProxy } from '../../kit/link-proxy.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';
import { type Crowd, type Judgement, rushCrowd } from '../load/crowd.ts';
import { LifeCrowd, type LifeOptions } from '../load/life-crowd.ts';
import { Load, type LoadOptions } from '../load/load.ts';
import { OrderCrowd, type OrderOptions } from '../load/order-crowd.ts';
import { expect, type Scenario } from '../scenario.ts';
import type { Ground, InstanceName } from './ground.ts';
import { type Failpoint, failpointText } from './kill-points.ts';

const ZONES = 8;
const ZONE_CAPACITY = 60;
const CONNECT_WITHIN_MS = 60_000;
const READY_WITHIN_MS = 120_000;
const ENDED_WITHIN_MS = 120_000;

/** Short times, so that a fault is over soon; all within what a broker allows by default. */
const APP_ENV = {
  TICKETS_PARTITIONS: '4',
  STREAMS_SESSION_TIMEOUT_MS: '6000',
  STREAMS_TRANSACTION_TIMEOUT_MS: '4000',
  SHUTDOWN_GRACE_MS: '5000',
  LOG_LEVEL: 'info',
  TICKETS_DEMO: 'false',
};

export interface OpenOptions extends Partial<LoadOptions> {
  /** Tickets in each of the zones. */
  readonly zoneCapacity?: number;
}

/** What an instance can be told while it runs, by a file each. */
const TOLD = ['failpoint', 'clock', 'slow-disk'] as const;
type Told = (typeof TOLD)[number];

const preload = (name: string) => ['--import', join(import.meta.dirname, `${name}.ts`)];

export interface StageOptions {
  readonly scenario: Scenario;
  readonly ground: Ground;
  readonly directory: string;
  /** Says what is happening, for whoever watches. */
  readonly progress: (what: string) => void;
  /** How long scenarios without an end of their own go on. */
  readonly minutes: number;
}

export class Stage {
  readonly ground: Ground;
  readonly directory: string;
  readonly applicationId: string;
  readonly minutes: number;
  readonly #scenario: Scenario;
  readonly #progress: (what: string) => void;
  readonly #instances = new Map<InstanceName, SaleProcess>();
  readonly #journalFile: string;
  #journal: JournalWriter | undefined;
  #client: SaleClient | undefined;
  #crowd: Crowd | undefined;
  #load: Load | undefined;
  #sale: Sale | undefined;
  #isJudged = false;
  readonly #undo: (() => void)[] = [];

  constructor({ scenario, ground, directory, progress, minutes }: StageOptions) {
    this.ground = ground;
    this.directory = directory;
    this.applicationId = `ticket-sales-${scenario.name.toLowerCase()}-${Date.now().toString(36)}`;
    this.minutes = minutes;
    this.#scenario = scenario;
    this.#progress = progress;
    this.#journalFile = join(directory, 'journal.ndjson');
    mkdirSync(directory, { recursive: true });
  }

  say(what: string): void {
    this.#progress(what);
  }

  get client(): SaleClient {
    expect(this.#client !== undefined, 'the sale to be open');
    return this.#client;
  }

  get sale(): Sale {
    expect(this.#sale !== undefined, 'the sale to be open');
    return this.#sale;
  }

  get journal(): JournalWriter {
    expect(this.#journal !== undefined, 'the journal to be open');
    return this.#journal;
  }

  get load(): Load {
    expect(this.#load !== undefined, 'buyers');
    return this.#load;
  }

  // ── Instances ────────────────────────────────────────────────────────────────────────────────

  /** The same process each time it is asked for; not started yet the first time. */
  async instance(name: InstanceName = 'one'): Promise<SaleProcess> {
    const known = this.#instances.get(name);
    if (known !== undefined) return known;
    const kafkaBrokers = this.ground.brokersOf(name);
    const instance = await saleProcess({
      directory: join(this.directory, name),
      nodeArguments: ['failpoints', ...(this.#scenario.preloads ?? [])].flatMap(preload),
      ...(kafkaBrokers === undefined ? {} : { kafkaBrokers }),
      env: {
        ...APP_ENV,
        STREAMS_APPLICATION_ID: this.applicationId,
        STREAMS_REPLICATION_FACTOR: '-1',
        ...Object.fromEntries(
          TOLD.map((what) => [
            `MILLRACE_${what.toUpperCase().replace('-', '_')}_FILE`,
            this.#toldFile(name, what),
          ]),
        ),
        ...this.#scenario.env,
      },
    });
    this.#instances.set(name, instance);
    return instance;
  }

  async started(
    name: InstanceName = 'one',
    env: Readonly<Record<string, string>> = {},
  ): Promise<SaleProcess> {
    const instance = await this.instance(name);
    instance.start(env);
    await instance.ready(READY_WITHIN_MS);
    return instance;
  }

  /** From now on, running or not: the instance does it to itself there, once. */
  arm(failpoint: Failpoint, name: InstanceName = 'one'): void {
    this.#tell(name, 'failpoint', failpointText(failpoint));
  }

  /** Sets the wall clock of an instance to so many milliseconds too much. Needs its preload. */
  setClock(errorMs: number, name: InstanceName = 'one'): void {
    this.#tell(name, 'clock', String(errorMs));
  }

  /** Each write of an instance takes so many milliseconds more; undefined: none any more. Needs its preload. */
  slowDisk(
    range: readonly [leastMs: number, mostMs: number] | undefined,
    name: InstanceName,
  ): void {
    if (range === undefined) rmSync(this.#toldFile(name, 'slow-disk'), { force: true });
    else this.#tell(name, 'slow-disk', range.join('-'));
  }

  #tell(name: InstanceName, what: Told, text: string): void {
    // Renamed into place: half a line must not be read.
    const file = this.#toldFile(name, what);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }

  #toldFile(name: InstanceName, what: Told): string {
    return join(this.directory, `${what}-${name}`);
  }

  /** Where the tasks of an instance keep their stores. */
  stateDirectory(name: InstanceName = 'one'): string {
    return join(this.directory, name, 'state', this.applicationId);
  }

  links(name: InstanceName = 'one'): readonly LinkProxy[] {
    return this.ground.linksOf(name);
  }

  /** How often a text occurs in what an instance has written so far. */
  async logged(text: string | RegExp, name: InstanceName = 'one'): Promise<number> {
    const { logFile } = await this.instance(name);
    if (!existsSync(logFile)) return 0;
    const pattern =
      typeof text === 'string' ? text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&') : text;
    return [...readFileSync(logFile, 'utf8').matchAll(new RegExp(pattern, 'g'))].length;
  }

  async hasLogged(text: string | RegExp, name: InstanceName = 'one', atLeast = 1): Promise<number> {
    await this.until(
      `${name} to log ${text}`,
      async () => (await this.logged(text, name)) >= atLeast,
    );
    return this.logged(text, name);
  }

  /** The process has ended by itself; resolves with its exit code or signal. */
  async ended(name: InstanceName = 'one'): Promise<NodeJS.Signals | number> {
    const instance = await this.instance(name);
    await this.until(`${name} to end`, () => instance.hasEnded, ENDED_WITHIN_MS);
    return instance.endedBy ?? 'SIGKILL';
  }

  /** Partitions whose task runs there. */
  async runningTasks(name: InstanceName = 'one'): Promise<number> {
    const { httpUrl } = await this.instance(name);
    const answer = await fetch(`${httpUrl}/v1/metadata/tasks`, {
      signal: AbortSignal.timeout(2_000),
    }).catch(() => undefined);
    if (answer?.ok !== true) return 0;
    const { items } = (await answer.json()) as { items: { status: string; role?: string }[] };
    return items.filter(({ status }) => status === 'running').length;
  }

  async until(
    what: string,
    holds: () => boolean | Promise<boolean>,
    timeoutMs = READY_WITHIN_MS,
  ): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!(await holds())) {
      if (performance.now() > deadlineMs) throw new Error(`not in time: ${what}`);
      await sleep(50);
    }
  }

  /** Called at the end, however the scenario ends, last first. */
  atTheEnd(undo: () => void): void {
    this.#undo.push(undo);
  }

  // ── The sale ─────────────────────────────────────────────────────────────────────────────────

  /** Connects to the first instance, defines event and zones, and lets a rush of buyers in. */
  async open({ zoneCapacity = ZONE_CAPACITY, ...options }: OpenOptions = {}): Promise<void> {
    const { client, journal, httpUrl } = await this.#connected();
    this.#sale = {
      eventId: `event-${this.applicationId}`,
      zones: Array.from({ length: ZONES }, (_, index) => ({
        zoneId: `zone-${index}`,
        capacity: zoneCapacity,
      })),
    };
    await openSale(httpUrl, this.#sale);
    this.#load = new Load(client, this.#sale, journal, { httpUrl: () => httpUrl, ...options });
    this.#crowd = rushCrowd(this.#load, client, this.#sale);
    this.#load.begin();
  }

  /** The same with guests who hold, pay, give back and forget. */
  async openLife(options: Partial<LifeOptions> = {}): Promise<LifeCrowd> {
    const parts = { ...(await this.#connected()), name: Date.now().toString(36) };
    const life = new LifeCrowd(parts, options);
    this.#crowd = life;
    await life.begin();
    return life;
  }

  /** The same with orders of several lines. */
  async openOrders(options: Partial<OrderOptions> = {}): Promise<OrderCrowd> {
    const { httpUrl } = await this.#connected();
    const orders = new OrderCrowd(httpUrl, Date.now().toString(36), options);
    this.#crowd = orders;
    await orders.begin();
    return orders;
  }

  async #connected() {
    const one = await this.instance('one');
    const brokers = this.ground.brokers ?? one.brokers;
    const { registryUrl, httpUrl } = one;
    const client = await connectToSale({ brokers, registryUrl, httpUrl }, CONNECT_WITHIN_MS);
    this.#client = client;
    const journal = new JournalWriter(this.#journalFile);
    this.#journal = journal;
    return { client, journal, httpUrl };
  }

  // ── The judgement ────────────────────────────────────────────────────────────────────────────

  /** Rejects with what is wrong. */
  async judge(): Promise<Judgement> {
    expect(this.#crowd !== undefined, 'somebody who buys');
    this.say('waiting for the last buyers');
    const judgement = await this.#crowd.judge();
    this.#journal?.close();
    this.#isJudged = true;
    this.say('auditing');
    await this.#audited();
    return judgement;
  }

  /** `millrace audit` until the log is quiet; then once more, and what is open is a violation. */
  async #audited(): Promise<void> {
    const living = [...this.#instances.values()].find((instance) => !instance.hasEnded);
    expect(living !== undefined, 'an instance whose registry the auditor can ask');
    const { exitCode, report } = await auditWhenQuiet({
      brokers: this.ground.brokers ?? living.brokers,
      registryUrl: living.registryUrl,
      applicationId: this.applicationId,
      journalFile: this.#journalFile,
    });
    const auditFile = join(this.directory, 'audit.txt');
    writeFileSync(auditFile, report);
    if (exitCode !== 0) {
      throw new Error(`millrace audit: exit code ${exitCode}, see ${auditFile}`);
    }
  }

  /** Whatever happened: nothing of it goes on. */
  async clear(): Promise<void> {
    this.#crowd?.abandon();
    if (!this.#isJudged) this.#journal?.close();
    await Promise.all([...this.#instances.values()].map((instance) => instance.kill('SIGKILL')));
    await Promise.race([this.#client?.close(), sleep(5_000)]).catch(() => {});
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }
}
