/**
 * Where a sale runs for one measure: the embedded broker inside the app, an Apache Kafka that the
 * bench starts itself, or the one that KAFKA_BROKERS names. Each run finds empty topics and folders.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { freePort, startKafkaCluster } from '../../test/kit/apache-kafka.ts';
import { type SaleProcess, saleProcess } from '../../test/kit/sale-process.ts';
import { processUsage } from './usage/process-usage.ts';

const root = resolve(import.meta.dirname, '../..');
const HEAP_MB = 1_024;
const ANSWERS_WITHIN_MS = 120_000;

export type PlatformName = 'embedded' | 'kafka';

export interface Platform {
  readonly name: PlatformName;
  /** A folder of its own. */
  readonly directory: string;
  /** Runs `use` while the broker is up and the app is not. */
  withBroker<T>(use: (brokers: string) => Promise<T>): Promise<T>;
  /** The app on this broker; not started yet. */
  sale(env: Readonly<Record<string, string>>): Promise<SaleProcess>;
  /** CPU seconds of a broker that is a process of its own; undefined for others. */
  brokerCpuSeconds(): number | undefined;
}

/** The broker lives in the app's process, as for somebody who just starts it; before, it runs alone. */
export function embeddedPlatform(directory: string): Platform {
  const dataDirectory = join(directory, 'sale', 'kafka');
  return {
    name: 'embedded',
    directory,
    withBroker: async (use) => {
      const address = `127.0.0.1:${await freePort()}`;
      const args = ['embedded-kafka/main.ts', '--data-dir', dataDirectory, '--listen', address];
      const broker = spawn(process.execPath, args, {
        cwd: root,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      try {
        await answers(address, () => broker.exitCode !== null);
        return await use(address);
      } finally {
        await ended(broker);
      }
    },
    sale: (env) => saleProcess({ directory: join(directory, 'sale'), env }),
    brokerCpuSeconds: () => undefined,
  };
}

/** An Apache Kafka that outlives the runs on it. */
export interface RunningKafka {
  readonly brokers: string;
  /** undefined for somebody else's. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** A single node with a heap that never is the limit; fresh in this folder. */
export async function startKafka(directory: string): Promise<RunningKafka> {
  const cluster = await startKafkaCluster({ directory, heapMb: HEAP_MB });
  return {
    brokers: cluster.brokers,
    pid: cluster.nodes[0]?.process()?.pid,
    stop: () => cluster.stop(),
  };
}

/** The sale on a Kafka of its own process: whoever calls has made sure that its topics may be used. */
export function kafkaPlatform(directory: string, { brokers, pid }: RunningKafka): Platform {
  return {
    name: 'kafka',
    directory,
    withBroker: (use) => use(brokers),
    sale: (env) => saleProcess({ directory: join(directory, 'sale'), kafkaBrokers: brokers, env }),
    brokerCpuSeconds: () => (pid === undefined ? undefined : processUsage(pid).cpuSeconds),
  };
}

/** Resolves when somebody listens there; rejects when who should has ended. */
export async function answers(address: string, hasEnded: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + ANSWERS_WITHIN_MS;
  while (!(await isListening(address))) {
    if (hasEnded()) throw new Error(`what should listen at ${address} has ended`);
    if (performance.now() > deadlineMs) throw new Error(`nobody answers at ${address}`);
    await new Promise((resolveLater) => setTimeout(resolveLater, 10));
  }
}

function isListening(address: string): Promise<boolean> {
  const cut = address.lastIndexOf(':');
  return new Promise((resolveIt) => {
    const socket = connect(Number(address.slice(cut + 1)), address.slice(0, cut));
    const done = (answer: boolean) => {
      socket.destroy();
      resolveIt(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}
