/** The sale as a child process, as a user starts it: to be killed, restarted, and looked at from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freePort } from './apache-kafka.ts';

const root = resolve(import.meta.dirname, '../..');

export interface SaleProcessOptions {
  /** Everything it keeps lies below. */
  readonly directory: string;
  /** Unset = the embedded broker. */
  readonly kafkaBrokers?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** For node, before the program. */
  readonly nodeArguments?: readonly string[];
}

export interface SaleProcess {
  readonly httpUrl: string;
  readonly registryUrl: string;
  readonly brokers: string;
  readonly pid: number | undefined;
  readonly logFile: string;
  /** True when it is not running, by our doing or its own. */
  readonly hasEnded: boolean;
  /** What ended it, once it has. */
  readonly endedBy: NodeJS.Signals | number | undefined;
  /** Starts it (again) on the same folders and ports, with `more` environment; resolves at once. */
  start(more?: Readonly<Record<string, string>>): void;
  /** Resolves when /readyz says yes. Rejects when it ends before. */
  ready(timeoutMs?: number): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Picks ports; starts nothing yet. */
export async function saleProcess(options: SaleProcessOptions): Promise<SaleProcess> {
  const { directory, kafkaBrokers } = options;
  mkdirSync(directory, { recursive: true });
  const [httpPort, registryPort, kafkaPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const logFile = join(directory, 'sale.log');
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  const env: Record<string, string | undefined> = {
    ...process.env,
    HTTP_PORT: String(httpPort),
    EMBEDDED_REGISTRY_PORT: String(registryPort),
    EMBEDDED_LISTEN: `127.0.0.1:${kafkaPort}`,
    EMBEDDED_DATA_DIR: join(directory, 'kafka'),
    STREAMS_STATE_DIR: join(directory, 'state'),
    KAFKA_BROKERS: kafkaBrokers,
    ...options.env,
  };
  let child: ChildProcess | undefined;
  const hasEnded = () =>
    child === undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    httpUrl,
    registryUrl: options.env?.['SCHEMA_REGISTRY_URL'] ?? `http://127.0.0.1:${registryPort}`,
    brokers: kafkaBrokers ?? `127.0.0.1:${kafkaPort}`,
    get pid() {
      return child?.pid;
    },
    logFile,
    get hasEnded() {
      return hasEnded();
    },
    get endedBy() {
      return child?.signalCode ?? child?.exitCode ?? undefined;
    },
    start: (more = {}) => {
      const args = [...(options.nodeArguments ?? []), 'cli/main.ts', 'start', '--no-demo'];
      child = spawn(process.execPath, args, {
        cwd: root,
        env: { ...env, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const log = createWriteStream(logFile, { flags: 'a' });
      child.stdout?.pipe(log, { end: false });
      child.stderr?.pipe(log, { end: false });
    },
    ready: async (timeoutMs = 60_000) => {
      const deadlineMs = performance.now() + timeoutMs;
      for (;;) {
        if (hasEnded()) {
          const said = readFileSync(logFile, 'utf8').trim().split('\n').at(-1);
          throw new Error(`the sale ended while starting, see ${logFile}: ${said}`);
        }
        const answer = await fetch(`${httpUrl}/readyz`).catch(() => undefined);
        if (answer?.ok === true) return;
        if (performance.now() > deadlineMs)
          throw new Error(`the sale does not become ready, see ${logFile}`);
        await new Promise((resolveLater) => setTimeout(resolveLater, 25));
      }
    },
    kill: async (signal) => {
      const stopping = child;
      if (stopping === undefined || hasEnded()) return;
      const ended = new Promise((resolveEnd) => stopping.once('exit', resolveEnd));
      stopping.kill(signal);
      await ended;
    },
  };
}
