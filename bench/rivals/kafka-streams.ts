/** Kafka Streams: compiled on first use against the jars that are fetched for Apache Kafka anyway. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { kafkaClassPath, whyNoKafka } from '../../test/kit/apache-kafka.ts';
import type { KafkaRival } from './rival.ts';

const SOURCES = join(import.meta.dirname, 'kafka-streams', 'src');
const COMPLETE = '.complete';

export interface KafkaStreamsTuning {
  readonly java: readonly string[];
  /** Instead of the bench's own, e.g. the interval that suits a rate best. */
  readonly commitMs?: number;
}

/** As for speed: a heap that never is the limit, and the collector with the most throughput. */
export const FAST = { java: ['-XX:+UseParallelGC', '-Xms768m', '-Xmx768m'] };
/** As for little memory. */
export const LEAN = { java: ['-XX:+UseParallelGC', '-Xmx256m', '-Drocks.buffer.mb=8'] };

export function kafkaStreams({ java, commitMs }: KafkaStreamsTuning): KafkaRival {
  return {
    kind: 'kafka',
    whyNot: () =>
      whyNoKafka() ??
      (spawnSync('javac', ['-version']).status === 0 ? undefined : 'no javac on the PATH'),
    prepare: async () => compile(),
    command: (job) => [
      'java',
      ...java,
      '-cp',
      [classesHome(), kafkaClassPath()].join(delimiter),
      'TicketSale',
      ...Object.entries(commitMs === undefined ? job : { ...job, commitMs }).map(
        ([name, value]) => `${name}=${value}`,
      ),
    ],
  };
}

/** One folder per state of the sources: an old one is never run by mistake. */
function classesHome(): string {
  const hash = createHash('sha256');
  for (const file of sourceFiles()) hash.update(readFileSync(file));
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'millrace', `kafka-streams-rival-${hash.digest('hex').slice(0, 12)}`);
}

function compile(): void {
  const home = classesHome();
  if (existsSync(join(home, COMPLETE))) return;
  mkdirSync(home, { recursive: true });
  const args = ['-d', home, '-cp', kafkaClassPath(), ...sourceFiles()];
  const javac = spawnSync('javac', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (javac.status !== 0) throw new Error(`javac ended with ${javac.status}`);
  writeFileSync(join(home, COMPLETE), '');
}

function sourceFiles(): string[] {
  return readdirSync(SOURCES)
    .sort()
    .map((name) => join(SOURCES, name));
}
