/** A Kafka rival as a child process, started and killed as our own app is. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '../../ticket-sales/records.ts';
import type { KafkaJob, KafkaRival } from '../rivals/rival.ts';
import type { BenchContext } from './measure.ts';
import type { MeasuredProcess } from './running-sale.ts';
import { withSaleTopics } from './sale-topics.ts';

/** The topics and schemas are there afterwards; the rival is not started yet. */
export function rivalProcess(context: BenchContext, rival: KafkaRival): Promise<MeasuredProcess> {
  const { platform, options, application } = context;
  return platform.withBroker(async (brokers) => {
    const schemas = await withSaleTopics(brokers, options.partitions, async ({ schemaId }) => ({
      commandSchema: schemaId(TOPICS.commands),
      statusSchema: schemaId(TOPICS.purchaseStatus),
      inventorySchema: schemaId(TOPICS.inventory),
    }));
    const directory = join(platform.directory, 'rival');
    mkdirSync(directory, { recursive: true });
    const job: KafkaJob = {
      application,
      brokers,
      state: join(directory, 'state'),
      threads: options.threads,
      commitMs: options.commitMs,
      guarantee: options.guarantee,
      commands: TOPICS.commands,
      status: TOPICS.purchaseStatus,
      inventory: TOPICS.inventory,
      ...schemas,
    };
    return spawnable(rival.command(job), brokers, directory, job.state);
  });
}

function spawnable(
  [program = '', ...args]: readonly string[],
  brokers: string,
  directory: string,
  stateDirectory: string,
): MeasuredProcess {
  const logFile = join(directory, 'rival.log');
  let child: ChildProcess | undefined;
  const hasEnded = () =>
    child === undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    brokers,
    logFile,
    stateDirectory,
    http: undefined,
    get pid() {
      return child?.pid;
    },
    get hasEnded() {
      return hasEnded();
    },
    start: () => {
      child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      const log = createWriteStream(logFile, { flags: 'a' });
      child.stdout?.pipe(log, { end: false });
      child.stderr?.pipe(log, { end: false });
    },
    kill: async (signal) => {
      const stopping = child;
      if (stopping === undefined || hasEnded()) return;
      const ended = new Promise((resolve) => stopping.once('exit', resolve));
      stopping.kill(signal);
      await ended;
    },
  };
}
