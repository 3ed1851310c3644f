/** The same sale as a careful exactly-once job on two Kafka clients for Node. */
import { join } from 'node:path';
import { installPackages, NODE_RIVALS, whyNoNpm } from './node-packages.ts';
import type { KafkaJob, KafkaRival } from './rival.ts';

const command = (file: string) => (job: KafkaJob) => [
  process.execPath,
  join(NODE_RIVALS, file),
  JSON.stringify(job),
];

/** Needs nothing but the project's own dependencies. */
export const kafkajsJob: KafkaRival = {
  kind: 'kafka',
  whyNot: () => undefined,
  prepare: async () => {},
  command: command('kafkajs-sale.ts'),
};

export const platformaticJob: KafkaRival = {
  kind: 'kafka',
  whyNot: whyNoNpm,
  prepare: async () => installPackages(),
  command: command('platformatic-sale.ts'),
};
