/**
 * The sale under measure as a child process, ours or a rival's: how it is started, what it uses, how
 * far it is. Both read and write the same topics, so both are watched and proven alike.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '../../ticket-sales/records.ts';
import type { Sale, SaleOnKafka } from '../sale-client.ts';
import { isProven, proveSale } from '../sale-proof.ts';
import { type OffsetsWatch, watchCommitted } from './committed-offsets.ts';
import type { LoopTarget } from './load/closed-loop.ts';
import { preload } from './load/preload.ts';
import { type BenchContext, type Measure, rounded } from './measure.ts';
import { answers } from './platform.ts';
import { rivalProcess } from './rival-process.ts';
import { kafkaClient, withSaleTopics } from './sale-topics.ts';
import { foreignCpuPercent, type MachineTime, machineTime } from './usage/machine-noise.ts';
import { type ProcessUsage, processUsage } from './usage/process-usage.ts';

const STUCK_AFTER_MS = 180_000;
const LOG_TAIL = 4_000;
/** As embedded-kafka/server/embedded-broker.ts names its thread. */
const BROKER_THREAD = 'embedded-kafka';
/** Threads of the engine are named after the application id, cut to 15 letters. */
const STREAM_THREAD = /^ticket-sales-/;

export interface MeasuredProcess {
  readonly brokers: string;
  readonly pid: number | undefined;
  readonly logFile: string;
  readonly stateDirectory: string;
  readonly hasEnded: boolean;
  /** Only our own sale has it. */
  readonly http: { readonly url: string } | undefined;
  start(): void;
  kill(signal: NodeJS.Signals): Promise<void>;
}

export interface RunningSale {
  readonly process: MeasuredProcess;
  /** On the clock of performance.now(). */
  readonly startedMs: number;
  usage(): SaleUsage;
}

/** So far. Of the embedded broker only its own thread is known: the pool is shared. */
export interface SaleUsage {
  readonly machine: MachineTime;
  readonly appCpuSeconds: number;
  readonly brokerCpuSeconds: number;
  /** 0 for rivals. */
  readonly streamThreadCpuSeconds: number;
  readonly peakRssMiB: number;
  readonly rssMiB: number;
}

/** Starts the sale, waits until its broker listens, and stops it after `use`, whichever way. */
export async function withSale<T>(
  context: BenchContext,
  use: (sale: RunningSale) => Promise<T>,
): Promise<T> {
  const { platform, rival } = context;
  const process =
    rival?.kind === 'kafka' ? await rivalProcess(context, rival) : await ownProcess(context);
  const brokerBefore = platform.brokerCpuSeconds();
  const brokerCpuSeconds = () =>
    brokerBefore === undefined ? undefined : platform.brokerCpuSeconds()! - brokerBefore;
  const startedMs = performance.now();
  process.start();
  const usage = () => saleUsage(processUsage(process.pid ?? 0), brokerCpuSeconds());
  try {
    await answers(process.brokers.split(',')[0]!, () => process.hasEnded);
    return await use({ process, startedMs, usage });
  } catch (error) {
    if (!process.hasEnded) throw error;
    // The folder of the run goes: what the app said last must not.
    const said = readFileSync(process.logFile, 'utf8').slice(-LOG_TAIL);
    throw new Error(`the app has ended; it said last:\n${said}`, { cause: error });
  } finally {
    await process.kill('SIGTERM');
  }
}

async function ownProcess({ platform, options, application }: BenchContext) {
  const process = await platform.sale({
    STREAMS_APPLICATION_ID: application,
    TICKETS_PARTITIONS: String(options.partitions),
    // The index of buyers reads every outcome once more: not what is compared here.
    TICKETS_BUYER_QUERIES: 'off',
    STREAMS_NUM_STREAM_THREADS: String(options.threads),
    STREAMS_COMMIT_INTERVAL_MS: String(options.commitMs),
    STREAMS_PROCESSING_GUARANTEE: options.guarantee,
    ...options.env,
  });
  const own: MeasuredProcess = {
    brokers: process.brokers,
    logFile: process.logFile,
    stateDirectory: join(platform.directory, 'sale', 'state'),
    http: { url: process.httpUrl },
    get pid() {
      return process.pid;
    },
    get hasEnded() {
      return process.hasEnded;
    },
    start: () => process.start(),
    kill: (signal) => process.kill(signal),
  };
  return own;
}

function saleUsage(used: ProcessUsage, outsideBroker: number | undefined): SaleUsage {
  const { cpuSeconds, cpuSecondsByThread, peakRssMiB, rssMiB } = used;
  const broker = outsideBroker ?? cpuSecondsByThread.get(BROKER_THREAD) ?? 0;
  const streamThreads = [...cpuSecondsByThread]
    .filter(([name]) => STREAM_THREAD.test(name))
    .reduce((sum, [, seconds]) => sum + seconds, 0);
  return {
    machine: machineTime(),
    appCpuSeconds: outsideBroker === undefined ? cpuSeconds - broker : cpuSeconds,
    brokerCpuSeconds: broker,
    streamThreadCpuSeconds: streamThreads,
    peakRssMiB,
    rssMiB,
  };
}

/** What every measure tells of the time between two looks. */
export function usageFigures(before: SaleUsage, after: SaleUsage, decisions: number) {
  const app = after.appCpuSeconds - before.appCpuSeconds;
  const broker = after.brokerCpuSeconds - before.brokerCpuSeconds;
  const streamThreads = after.streamThreadCpuSeconds - before.streamThreadCpuSeconds;
  return {
    appCpuSeconds: rounded(app),
    ...(streamThreads > 0 ? { streamThreadCpuSeconds: rounded(streamThreads) } : {}),
    brokerCpuSeconds: rounded(broker),
    decisionsPerAppCpuSecond: rounded(decisions / app),
    decisionsPerCpuSecond: rounded(decisions / (app + broker)),
    peakRssMiB: rounded(after.peakRssMiB),
  };
}

export function noiseBetween(before: SaleUsage, after: SaleUsage): number {
  return rounded(foreignCpuPercent(before.machine, after.machine));
}

/** Our own sale as somebody who only speaks HTTP sees it. */
export function httpTarget({ process, usage }: RunningSale): LoopTarget {
  if (process.http === undefined) throw new Error('this rival does not speak HTTP');
  return {
    url: process.http.url,
    usage: () => {
      const { appCpuSeconds, brokerCpuSeconds, peakRssMiB } = usage();
      return { appCpuSeconds, otherCpuSeconds: brokerCpuSeconds, appPeakRssMiB: peakRssMiB };
    },
  };
}

/** A measure of this run; who it is of and where comes from the context. */
export function measureOf(
  { by, platform, rival }: BenchContext,
  measure: Omit<Measure, 'by' | 'on'>,
): Measure {
  return { ...measure, by, on: rival?.kind === 'http' ? '-' : platform.name };
}

/** Puts the whole sale into the command topic while no app runs. Resolves with the record count. */
export function preloaded(context: BenchContext, sale: Sale, purchases: number): Promise<number> {
  const { platform, options, progress } = context;
  const { partitions } = options;
  let written = 0;
  return platform.withBroker((brokers) =>
    withSaleTopics(brokers, partitions, (topics) =>
      progress.during(
        'preloading',
        purchases,
        () => written,
        preload(topics, { sale, purchases, partitions }, (count) => {
          written = count;
        }),
      ),
    ),
  );
}

/**
 * Resolves when the sale has committed so many records of the command topic; rejects when it stands
 * still. `onLook` sees every change, the first included.
 */
export async function untilCommitted(
  context: BenchContext,
  { process }: RunningSale,
  records: number,
  onLook: () => void = () => {},
): Promise<OffsetsWatch> {
  const { application, options, progress } = context;
  const kafka = await kafkaClient(process.brokers);
  try {
    const inputs = Array.from({ length: options.partitions }, (_, partition) => ({
      topic: TOPICS.commands,
      partition,
    }));
    const watch = watchCommitted(kafka, application, inputs, onLook);
    const all = watch.until(records, STUCK_AFTER_MS);
    await progress.during('deciding', records, () => watch.latest, all);
    return watch;
  } finally {
    await kafka.close();
  }
}

/** A client of the sale that needs nothing but its broker. */
export function withSaleClient<T>(
  context: BenchContext,
  { process }: RunningSale,
  use: (client: SaleOnKafka) => Promise<T>,
): Promise<T> {
  return withSaleTopics(process.brokers, context.options.partitions, use);
}

/** Reads everything back from the topics. Problems go to stderr. */
export async function isSaleProven(client: SaleOnKafka, sale: Sale): Promise<boolean> {
  const proof = await proveSale(client, sale);
  for (const problem of proof.problems) console.error(`PROBLEM ${problem}`);
  return isProven(proof);
}
