/**
 * Transactions per second of one thread's producers, back to back, on the Kafka that KAFKA_BROKERS
 * names: 160 records in 8 partitions and one offset each, by one producer and by two that alternate.
 */
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { createKafkaClient } from '../kafka/kafka-client.ts';
import type { GroupMember, KafkaClient, TransactionalProducer } from '../kafka/ports.ts';
import { BatchBuilder } from '../kafka/records/batch-builder.ts';
import type { EncodedBatch } from '../kafka/records/types.ts';
import { percentiles } from './percentiles.ts';

const PARTITIONS = 8;
const RECORDS_PER_PARTITION = 20;
const TRANSACTIONS = 300;
const ROUNDS = 5;

const [host, port] = (process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092').split(',')[0]!.split(':');
const kafka = createKafkaClient({
  connection: { kind: 'tcp', brokers: [{ host: host!, port: Number(port) }], clientId: 'bench' },
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
});
const run = systemRandom.uuid().slice(0, 8);
const [input, output] = [`bench-in-${run}`, `bench-out-${run}`];

async function joinGroup(client: KafkaClient): Promise<GroupMember> {
  const member = client.groupMember(
    {
      groupId: `bench-${run}`,
      groupInstanceId: null,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      heartbeatIntervalMs: 3_000,
    },
    {
      name: 'bench',
      topics: () => [input],
      userData: () => null,
      assign: async (members) =>
        new Map(
          members.map(({ memberId }) => [
            memberId,
            { partitions: [{ topic: input, partition: 0 }], userData: null },
          ]),
        ),
      onRevoked: async () => {},
      onAssigned: async () => {},
      onLost: async () => {},
      onFatal: (error) => {
        throw error;
      },
    },
  );
  await member.start();
  return member;
}

function batchesOf(transaction: number): EncodedBatch[] {
  const builder = new BatchBuilder({ sizeBytesMax: 1_000_000 });
  return Array.from({ length: PARTITIONS }, (_, partition) => {
    builder.reset();
    for (let n = 0; n < RECORDS_PER_PARTITION; n++) {
      builder.append(Date.now(), Buffer.from(`key-${n}`), Buffer.from(`value-${transaction}-${n}`));
    }
    return builder.finish(output, partition, 'none');
  });
}

async function measure(producers: readonly TransactionalProducer[], member: GroupMember) {
  const durationsMs = new Float64Array(TRANSACTIONS);
  const startedMs = performance.now();
  for (let n = 0; n < TRANSACTIONS; n++) {
    const beganMs = performance.now();
    const outcome = await producers[n % producers.length]!.commit({
      batches: batchesOf(n),
      offsets: new Map([
        [`${input}-0`, { topic: input, partition: 0, offset: n, leaderEpoch: -1, metadata: '' }],
      ]),
      group: async () => member.metadata(),
    });
    if (outcome.kind !== 'committed') throw outcome.cause;
    durationsMs[n] = performance.now() - beganMs;
  }
  const perSecond = (TRANSACTIONS / (performance.now() - startedMs)) * 1_000;
  const { p50, p95, p99 } = percentiles(durationsMs);
  console.log(
    `${producers.length} producer(s): ${perSecond.toFixed(0)} txn/s, p50 ${p50} p95 ${p95} p99 ${p99} ms`,
  );
}

const topic = { partitions: PARTITIONS, replicationFactor: -1, configs: {} };
await kafka.admin.createTopics([
  { ...topic, name: input },
  { ...topic, name: output },
]);
const member = await joinGroup(kafka);
const pair = ['a', 'b'].map((name) =>
  kafka.transactionalProducer(`bench-${run}-${name}`, { transactionTimeoutMs: 5_000 }),
);
for (const producer of pair) await producer.init();
for (let round = 0; round < ROUNDS; round++) {
  await measure(pair, member);
  await measure(pair.slice(0, 1), member);
}
await member.stop({ leave: true });
for (const producer of pair) producer.close();
await kafka.admin.deleteTopics([input, output]);
await kafka.close();
