/**
 * The sale as kafkajs 2.2.4 documents exactly-once: eachBatch, one transaction per batch for outputs
 * and offsets, a transactional producer per partition, state written after the commit. Retries begin
 * at 20 ms: the broker answers CONCURRENT_TRANSACTIONS often, and the default of 300 ms would be most
 * of the latency.
 */
import { join } from 'node:path';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import type { KafkaJob } from '../rival.ts';
import { SaleRecords } from './sale-records.ts';
import { SaleState } from './sale-state.ts';

const job = JSON.parse(process.argv[2]!) as KafkaJob;
const kafka = new Kafka({ brokers: job.brokers.split(','), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: job.application });
const records = new SaleRecords(job);
const parts = new Map<number, { state: Promise<SaleState>; producer: Promise<Producer> }>();

async function connectProducer(partition: number): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId: `${job.application}-${partition}`,
    idempotent: true,
    maxInFlightRequests: 1,
    retry: { initialRetryTime: 20 },
  });
  await producer.connect();
  return producer;
}

function partOf(partition: number) {
  let part = parts.get(partition);
  if (part === undefined) {
    const state = SaleState.open(join(job.state, String(partition)), records);
    part = { state, producer: connectProducer(partition) };
    parts.set(partition, part);
  }
  return part;
}

process.once('SIGTERM', () => {
  consumer.disconnect().finally(() => process.exit(0));
});
await consumer.connect();
await consumer.subscribe({ topic: job.commands, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
    if (!isRunning() || isStale()) return;
    const { partition, messages } = batch;
    const part = partOf(partition);
    const [state, producer] = [await part.state, await part.producer];
    const decided = await state.decide(
      messages.map(({ value, offset, timestamp }) => ({
        value: value!,
        offset,
        timestampMs: Number(timestamp),
      })),
    );
    const next = String(BigInt(batch.lastOffset()) + 1n);
    const transaction = await producer.transaction();
    try {
      const outputs = [
        { topic: job.status, messages: [...decided.statuses] },
        { topic: job.inventory, messages: [...decided.inventories] },
      ].filter(({ messages: some }) => some.length > 0);
      await transaction.sendBatch({ acks: -1, topicMessages: outputs });
      await transaction.sendOffsets({
        consumerGroupId: job.application,
        topics: [{ topic: job.commands, partitions: [{ partition, offset: next }] }],
      });
      await transaction.commit();
    } catch (error) {
      state.drop();
      await transaction.abort().catch(() => {});
      throw error;
    }
    await state.keep(decided, new Map([[partition, next]]));
    resolveOffset(batch.lastOffset());
    await heartbeat();
  },
});
