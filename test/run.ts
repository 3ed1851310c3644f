/**
 * `npm test`: everything that needs no outside broker, then everything that needs a real Apache
 * Kafka: the one that KAFKA_BROKERS names, else one that is started here where Java and Maven are,
 * else SKIPPED, aloud. The last line is the tally.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  KAFKA_VERSION,
  type KafkaCluster,
  startKafkaCluster,
  whyNoKafka,
} from './kit/apache-kafka.ts';

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const SUITE_TIMEOUT_MS = 20 * 60_000;

const scratch = mkdtempSync(join(tmpdir(), 'millrace-test-'));
const tally: Tally = { passed: 0, failed: 0, skipped: 0 };

function vitest(config: string, env: NodeJS.ProcessEnv): void {
  const report = join(scratch, `${config}.json`);
  const args = [
    'vitest',
    'run',
    '--config',
    config,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  // A test that hangs must not hang everything: the missing report then counts as a failure.
  const timeout = SUITE_TIMEOUT_MS;
  const result = spawnSync('npx', ['--no-install', ...args], { stdio: 'inherit', env, timeout });
  try {
    const counts = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
      numPendingTests: number;
      numTotalTests: number;
    };
    tally.passed += counts.numPassedTests;
    tally.failed += counts.numFailedTests;
    tally.skipped += counts.numPendingTests;
    if (result.status !== 0 && counts.numFailedTests === 0) tally.failed += 1;
  } catch {
    tally.failed += 1;
  }
}

async function realKafka(): Promise<void> {
  let cluster: KafkaCluster | undefined;
  let brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined) {
    const missing = whyNoKafka();
    if (missing !== undefined) {
      console.log(`SKIPPED: tests on Apache Kafka (${missing})`);
      return;
    }
    console.log(`Apache Kafka ${KAFKA_VERSION}: starting`);
    cluster = await startKafkaCluster({ directory: join(scratch, 'kafka') });
    brokers = cluster.brokers;
  }
  console.log(`Apache Kafka: ${brokers}`);
  try {
    const isScratch = cluster === undefined ? {} : { KAFKA_IS_SCRATCH: 'true' };
    vitest('vitest.kafka.config.ts', { ...process.env, ...isScratch, KAFKA_BROKERS: brokers });
  } finally {
    await cluster?.stop();
  }
}

try {
  vitest('vitest.config.ts', process.env);
  await realKafka();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;
