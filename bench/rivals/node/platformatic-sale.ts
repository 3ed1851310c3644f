/**
 * The same job with @platformatic/kafka: the stream's records, of all partitions, are gathered into
 * one transaction of one producer. Offsets are added one partition at a time; ids of -1, else a
 * restart fences itself. Any failure ends the process: nothing was kept, the next start replays.
 */
import { Consumer, compatibilityPartitioner, type Message, Producer } from '@platformatic/kafka';
import type { KafkaJob } from '../rival.ts';
import { SaleRecords } from './sale-records.ts';
import { type Output, SaleState } from './sale-state.ts';

const GATHERED_MAX = 20_000;
const NEW_IDS = { producerId: -1n, producerEpoch: -1 };

const job = JSON.parse(process.argv[2]!) as KafkaJob;
const state = await SaleState.open(job.state, new SaleRecords(job));
const connection = {
  bootstrapBrokers: job.brokers.split(','),
  retries: 100,
  retryDelay: 20,
  timeout: 30_000,
};
const producer = new Producer({
  ...connection,
  ...NEW_IDS,
  clientId: `${job.application}-producer`,
  idempotent: true,
  transactionalId: `${job.application}-0`,
  partitioner: compatibilityPartitioner,
});
const consumer = new Consumer({
  ...connection,
  clientId: `${job.application}-consumer`,
  groupId: job.application,
  autocommit: false,
});
const stream = await consumer.consume({
  topics: [job.commands],
  mode: 'committed',
  fallbackMode: 'earliest',
  autocommit: false,
  isolationLevel: 1,
  maxBytes: 4 << 20,
  maxWaitTime: 500,
  highWaterMark: GATHERED_MAX,
});

let gathered: Message[] = [];
let wake = () => {};
stream.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
stream.on('data', (message) => {
  if (gathered.push(message) >= GATHERED_MAX) stream.pause();
  wake();
});
process.once('SIGTERM', () => process.exit(0));

for (;;) {
  if (gathered.length === 0) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  const messages = gathered;
  gathered = [];
  stream.resume();
  await decideAll(messages);
}

async function decideAll(messages: readonly Message[]): Promise<void> {
  const decided = await state.decide(
    messages.map(({ value, offset, timestamp }) => ({
      value,
      offset: String(offset),
      timestampMs: Number(timestamp),
    })),
  );
  const last = new Map(messages.map((message) => [message.partition, message]));
  const to = (topic: string, outputs: readonly Output[]) =>
    outputs.map(({ key, value }) => ({ topic, key: Buffer.from(key), value }));
  const transaction = await producer.beginTransaction(NEW_IDS);
  await transaction.send({
    acks: -1,
    messages: [...to(job.status, decided.statuses), ...to(job.inventory, decided.inventories)],
  });
  await transaction.addConsumer(consumer);
  for (const message of last.values()) await transaction.addOffset(message);
  await transaction.commit();
  const next = [...last].map(([partition, { offset }]): [number, string] => [
    partition,
    String(offset + 1n),
  ]);
  await state.keep(decided, new Map(next));
}
