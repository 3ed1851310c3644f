/** The app as a child process under measure: how it is started, what it uses, when it stands where. */
import type { SaleProcess } from '../../test/kit/sale-process.ts';
import { connectToSale, type Sale, type SaleClient } from '../sale-client.ts';
import { isProven, proveSale } from '../sale-proof.ts';
import { type BenchContext, type BenchOptions, rounded } from './measure.ts';
import { answers } from './platform.ts';
import { preload } from './preload.ts';
import { type ProcessUsage, processUsage } from './process-usage.ts';
import { withSaleTopics } from './sale-topics.ts';

const CONNECT_WITHIN_MS = 30_000;
/** As embedded-kafka/server/embedded-broker.ts names its thread. */
const BROKER_THREAD = 'embedded-kafka';
const MAIN_THREAD = 'MainThread';
/** Threads of the engine are named after the application id. */
const STREAM_THREAD = /^ticket-sales-/;

export interface RunningSale {
  readonly process: SaleProcess;
  /** On the clock of performance.now(). */
  readonly startedMs: number;
  usage(): SaleUsage;
}

/** CPU seconds so far. Of the embedded broker only its own thread is known: the pool is shared. */
export interface SaleUsage {
  readonly app: number;
  readonly broker: number;
  readonly main: number;
  readonly streamThreads: number;
  readonly peakRssMiB: number;
  readonly rssMiB: number;
}

/** Starts the app, waits until its broker listens, and stops it after `use`, whichever way. */
export async function withSale<T>(
  { platform, options }: BenchContext,
  use: (sale: RunningSale) => Promise<T>,
): Promise<T> {
  const process = await platform.sale(appEnv(options));
  const brokerBefore = platform.brokerCpuSeconds();
  const startedMs = performance.now();
  process.start();
  const usage = () =>
    saleUsage(
      processUsage(process.pid ?? 0),
      brokerBefore === undefined ? undefined : platform.brokerCpuSeconds()! - brokerBefore,
    );
  try {
    await answers(process.brokers.split(',')[0]!, () => process.hasEnded);
    return await use({ process, startedMs, usage });
  } catch (error) {
    if (!process.hasEnded) throw error;
    throw new Error(`the app has ended, see ${process.logFile}`, { cause: error });
  } finally {
    await process.kill('SIGTERM');
  }
}

export function appEnv(options: BenchOptions): Record<string, string> {
  return {
    TICKETS_PARTITIONS: String(options.partitions),
    STREAMS_NUM_STREAM_THREADS: String(options.threads),
    ...options.env,
  };
}

function saleUsage(used: ProcessUsage, outsideBroker: number | undefined): SaleUsage {
  const { cpuSeconds, cpuSecondsByThread, peakRssMiB, rssMiB } = used;
  const broker = outsideBroker ?? cpuSecondsByThread.get(BROKER_THREAD) ?? 0;
  const streamThreads = [...cpuSecondsByThread]
    .filter(([name]) => STREAM_THREAD.test(name))
    .reduce((sum, [, seconds]) => sum + seconds, 0);
  return {
    app: outsideBroker === undefined ? cpuSeconds - broker : cpuSeconds,
    broker,
    main: cpuSecondsByThread.get(MAIN_THREAD) ?? 0,
    streamThreads,
    peakRssMiB,
    rssMiB,
  };
}

/** What every measure tells of the time between two looks. */
export function usageFigures(before: SaleUsage, after: SaleUsage, decisions: number) {
  const appCpuSeconds = after.app - before.app;
  return {
    appCpuSeconds: rounded(appCpuSeconds),
    streamThreadCpuSeconds: rounded(after.streamThreads - before.streamThreads),
    brokerCpuSeconds: rounded(after.broker - before.broker),
    decisionsPerAppCpuSecond: rounded(decisions / appCpuSeconds),
    peakRssMiB: rounded(after.peakRssMiB),
  };
}

export const NOTHING_USED: SaleUsage = {
  app: 0,
  broker: 0,
  main: 0,
  streamThreads: 0,
  peakRssMiB: 0,
  rssMiB: 0,
};

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

export async function withSaleClient<T>(
  { process }: RunningSale,
  use: (client: SaleClient) => Promise<T>,
): Promise<T> {
  const { brokers, registryUrl, httpUrl } = process;
  await process.ready(CONNECT_WITHIN_MS);
  const client = await connectToSale({ brokers, registryUrl, httpUrl }, CONNECT_WITHIN_MS);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** Reads everything back from the topics. Problems go to stderr. */
export async function isSaleProven(client: SaleClient, sale: Sale): Promise<boolean> {
  const proof = await proveSale(client, sale);
  for (const problem of proof.problems) console.error(`PROBLEM ${problem}`);
  return isProven(proof);
}
