/**
 * Gives every run its platform: a folder, and topics in which nothing is. An Apache Kafka that the
 * bench starts itself serves all runs of a stage, so that who is compared meets the same warm broker.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KAFKA_VERSION, whyNoKafka } from '../../test/kit/apache-kafka.ts';
import { claimTopics } from './claim-topics.ts';
import {
  embeddedPlatform,
  kafkaPlatform,
  type Platform,
  type PlatformName,
  type RunningKafka,
  startKafka,
} from './platform.ts';

export class Stage {
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  readonly #mayDeleteTopics: boolean;
  #kafka: RunningKafka | undefined;

  /** `mayDeleteTopics`: on a Kafka that is not ours. */
  constructor(mayDeleteTopics: boolean) {
    this.#mayDeleteTopics = mayDeleteTopics;
  }

  /** undefined when it can be had here; else the reason to print beside SKIPPED. */
  static whyNot(name: PlatformName): string | undefined {
    return name === 'kafka' && outsideBrokers() === undefined ? whyNoKafka() : undefined;
  }

  async withPlatform<T>(name: PlatformName, use: (platform: Platform) => Promise<T>): Promise<T> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-run-'));
    try {
      if (name === 'embedded') return await use(embeddedPlatform(directory));
      const kafka = this.#kafka ?? (await this.#openKafka());
      this.#kafka = kafka;
      await claimTopics(kafka.brokers, kafka.pid !== undefined || this.#mayDeleteTopics);
      return await use(kafkaPlatform(directory, kafka));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    await this.#kafka?.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #openKafka(): Promise<RunningKafka> {
    const brokers = outsideBrokers();
    if (brokers !== undefined) return { brokers, pid: undefined, stop: async () => {} };
    console.error(`Apache Kafka ${KAFKA_VERSION}: starting`);
    return startKafka(join(this.#directory, 'kafka'));
  }
}

function outsideBrokers(): string | undefined {
  return process.env['KAFKA_BROKERS'];
}
