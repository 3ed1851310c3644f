/**
 * Where one scenario plays: the app's instances as real processes on their Kafka, buyers, and at the
 * end the judgement: everything decided, the sale proven, `millrace audit` content.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JournalWriter } from '../../../bench/kit/journal-writer.ts';
import { connectToSale, openSale, type Sale, type SaleClient } from '../../../bench/sale-client.ts';
import { isProven, proveSale, type SaleProof } from '../../../bench/sale-proof.ts';
import { auditWhenQuiet } from '../../kit/auditor.ts';
import type { LinkProxy } from '../../kit/link-proxy.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';
import { expect, type Scenario } from '../scenario.ts';
import type { Ground, InstanceName } from './ground.ts';
import { type Failpoint, failpointText } from './kill-points.ts';
import { Load, type LoadOptions } from './load.ts';

const failpoints = join(import.meta.dirname, 'failpoints.ts');
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

export interface Judgement {
  readonly proof: SaleProof;
  readonly repeated: number;
}

export class Stage {
  readonly ground: Ground;
  readonly directory: string;
  readonly applicationId: string;
  readonly #scenario: Scenario;
  readonly #progress: (what: string) => void;
  readonly #instances = new Map<InstanceName, SaleProcess>();
  readonly #journalFile: string;
  #journal: JournalWriter | undefined;
  #client: SaleClient | undefined;
  #load: Load | undefined;
  #sale: Sale | undefined;
  #isJudged = false;
  readonly #undo: (() => void)[] = [];

  constructor(
    scenario: Scenario,
    ground: Ground,
    directory: string,
    progress: (what: string) => void,
  ) {
    this.ground = ground;
    this.directory = directory;
    this.applicationId = `ticket-sales-${scenario.name.toLowerCase()}-${Date.now().toString(36)}`;
    this.#scenario = scenario;
    this.#progress = progress;
    this.#journalFile = join(directory, 'journal.ndjson');
    mkdirSync(directory, { recursive: true });
  }

  /** Says what is happening, for whoever watches. */
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
      nodeArguments: ['--import', failpoints],
      ...(kafkaBrokers === undefined ? {} : { kafkaBrokers }),
      env: {
        ...APP_ENV,
        STREAMS_APPLICATION_ID: this.applicationId,
        STREAMS_REPLICATION_FACTOR: '-1',
        MILLRACE_FAILPOINT_FILE: this.#failpointFile(name),
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

  /** From now on, running or not: the instance ends or stops itself there, once. */
  arm(failpoint: Failpoint, name: InstanceName = 'one'): void {
    // Renamed into place: half a line must not be read.
    const file = this.#failpointFile(name);
    writeFileSync(`${file}.new`, failpointText(failpoint));
    renameSync(`${file}.new`, file);
  }

  #failpointFile(name: InstanceName): string {
    return join(this.directory, `failpoint-${name}`);
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

  /** Connects to the first instance, defines event and zones, and lets the buyers in. */
  async open({ zoneCapacity = ZONE_CAPACITY, ...options }: OpenOptions = {}): Promise<void> {
    const one = await this.instance('one');
    const brokers = this.ground.brokers ?? one.brokers;
    const { registryUrl, httpUrl } = one;
    this.#client = await connectToSale({ brokers, registryUrl, httpUrl }, CONNECT_WITHIN_MS);
    this.#sale = {
      eventId: `event-${this.applicationId}`,
      zones: Array.from({ length: ZONES }, (_, index) => ({
        zoneId: `zone-${index}`,
        capacity: zoneCapacity,
      })),
    };
    await openSale(httpUrl, this.#sale);
    this.#journal = new JournalWriter(this.#journalFile);
    this.#load = new Load(this.#client, this.#sale, this.#journal, {
      httpUrl: () => httpUrl,
      ...options,
    });
    this.#load.begin();
  }

  // ── The judgement ────────────────────────────────────────────────────────────────────────────

  /** Rejects with what is wrong. */
  async judge(): Promise<Judgement> {
    this.say('draining');
    await this.load.drained();
    this.#journal?.close();
    this.#isJudged = true;
    this.say('proving');
    const proof = await proveSale(this.client, this.sale);
    if (!isProven(proof)) throw new Error(`the sale is not proven: ${JSON.stringify(proof)}`);
    expect(proof.asked === this.load.asked, `${this.load.asked} asked, not ${proof.asked}`);
    this.say('auditing');
    await this.#audited();
    return { proof, repeated: this.load.repeated };
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
    this.#load?.abandon();
    if (!this.#isJudged) this.#journal?.close();
    await Promise.all([...this.#instances.values()].map((instance) => instance.kill('SIGKILL')));
    await Promise.race([this.#client?.close(), sleep(5_000)]).catch(() => {});
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }
}
