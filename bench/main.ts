/**
 * `npm run bench`: measures the sale as it is started by its users, from outside. One JSON line per
 * measure, a table at the end, a picture beside the lines. Exit 0 only when every proof holds.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { KAFKA_VERSION, whyNoKafka } from '../test/kit/apache-kafka.ts';
import { claimTopics } from './kit/claim-topics.ts';
import type { Bench, BenchName, Measure } from './kit/measure.ts';
import {
  embeddedPlatform,
  outsideKafka,
  type Platform,
  startedKafkaPlatform,
} from './kit/platform.ts';
import { noProgress, progressBars } from './kit/progress.ts';
import { jsonLine, keepLine, keepPictures } from './kit/results.ts';
import { tablesOf } from './kit/table.ts';
import { measureHttp } from './measures/http.ts';
import { measureLatency } from './measures/latency.ts';
import { measureMemory } from './measures/memory.ts';
import { measureRestore } from './measures/restore.ts';
import { measureThroughput } from './measures/throughput.ts';
import { type Command, HELP, parseCommand, UsageError } from './options.ts';

const BENCHES: Readonly<Record<BenchName, Bench>> = {
  throughput: measureThroughput,
  latency: measureLatency,
  restore: measureRestore,
  memory: measureMemory,
  http: measureHttp,
};

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2), join(import.meta.dirname, 'results'));
  if (command === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const measures: Measure[] = [];
  for (let round = 1; round <= command.rounds; round++) {
    for (const name of command.names) {
      for (const where of command.on) measures.push(...(await measure(command, name, where)));
    }
  }
  if (measures.length === 0) return 0;
  console.log(`\n${tablesOf(measures)}\n`);
  for (const file of keepPictures(command.out, measures)) console.log(relative('', file));
  return measures.some(({ isProven }) => isProven === false) ? 1 : 0;
}

async function measure(
  command: Command,
  name: BenchName,
  where: Platform['name'],
): Promise<Measure[]> {
  const missing = where === 'kafka' && ownBrokers() === undefined ? whyNoKafka() : undefined;
  if (missing !== undefined) {
    console.log(`SKIPPED: ${name} on Apache Kafka (${missing})`);
    return [];
  }
  console.error(`${name} on ${where === 'kafka' ? 'Apache Kafka' : 'the embedded broker'}`);
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  let platform: Platform | undefined;
  try {
    platform = await openPlatform(command, where, directory);
    const { options } = command;
    const progress = process.stderr.isTTY ? progressBars : noProgress;
    const measures = await BENCHES[name]({ options, platform, progress });
    for (const each of measures) {
      const line = jsonLine(each, options);
      keepLine(command.out, name, line);
      console.log(line);
    }
    return measures;
  } finally {
    await platform?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function openPlatform(
  command: Command,
  where: Platform['name'],
  directory: string,
): Promise<Platform> {
  if (where === 'embedded') return embeddedPlatform(directory);
  const brokers = ownBrokers();
  if (brokers !== undefined) {
    await claimTopics(brokers, command.deleteTopics);
    return outsideKafka(directory, brokers);
  }
  console.error(`Apache Kafka ${KAFKA_VERSION}: starting`);
  return startedKafkaPlatform(directory);
}

function ownBrokers(): string | undefined {
  return process.env['KAFKA_BROKERS'];
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof UsageError ? `${error.message}\n\n${HELP}` : error);
    process.exit(error instanceof UsageError ? 2 : 1);
  },
);
