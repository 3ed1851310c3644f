/**
 * What the embedded broker's storage does on this machine's disk: appends with fdatasync, fetches,
 * starts. Usage: node bench/embedded-kafka/storage.ts [DIRECTORY] [GIGABYTES]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { nodeDisk } from '../../embedded-kafka/disk/node-disk.ts';
import { openTopicManager } from '../../embedded-kafka/partitions/topic-manager.ts';
import type { Partition, TopicManager } from '../../embedded-kafka/ports.ts';
import { BatchBuilder, sealBatch } from '../../kafka/records/batch-builder.ts';
import { forEachBatch, lastOffset } from '../../kafka/records/record-batch.ts';
import { percentiles } from '../percentiles.ts';

const PARTITIONS = 8;
const RECORDS_PER_BATCH = 1000;
const FETCH_BYTES = 1024 * 1024;
const RUN_MS = 3000;

const directory = mkdtempSync(path.join(process.argv[2] ?? tmpdir(), 'bench-storage-'));
const logBytes = Number(process.argv[3] ?? 1) * 1e9;

function open(): Promise<TopicManager> {
  return openTopicManager({
    disk: nodeDisk(directory),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    onFailure: (error) => {
      throw error;
    },
  });
}

function batchOf(records: number): Buffer {
  const builder = new BatchBuilder({ sizeBytesMax: 1024 * 1024 });
  const value = Buffer.alloc(88, 'x');
  for (let index = 0; index < records; index++) {
    builder.append(systemClock.nowMs(), Buffer.from(String(index).padStart(8, '0')), value);
  }
  const { bytes } = builder.finish('', 0, 'none');
  sealBatch(bytes);
  return bytes;
}

async function appendTo(partition: Partition, records: Buffer): Promise<void> {
  const { error, errorMessage } = await partition.append({
    records,
    acks: -1,
    transactionalId: null,
  });
  if (error !== 0) throw new Error(errorMessage);
}

async function measureAppends(partitions: readonly Partition[], inFlight: number): Promise<string> {
  const records = batchOf(RECORDS_PER_BATCH);
  const latencies: number[] = [];
  const startMs = systemClock.monotonicMs();
  const write = async (partition: Partition) => {
    while (systemClock.monotonicMs() - startMs < RUN_MS) {
      const sentMs = systemClock.monotonicMs();
      await appendTo(partition, records);
      latencies.push(systemClock.monotonicMs() - sentMs);
    }
  };
  const writers = partitions.flatMap((partition) => new Array(inFlight).fill(partition));
  await Promise.all(writers.map(write));
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  const { p50, p99 } = percentiles(Float64Array.from(latencies));
  const recordsPerSecond = Math.round((latencies.length * RECORDS_PER_BATCH) / seconds);
  return `${recordsPerSecond} records/s, p50 ${p50} ms, p99 ${p99} ms`;
}

async function measureTransactions(partitions: readonly Partition[]): Promise<string> {
  const records = batchOf(20);
  const latencies: number[] = [];
  for (let count = 0; count < 300; count++) {
    const sentMs = systemClock.monotonicMs();
    await Promise.all(partitions.map((partition) => appendTo(partition, records)));
    latencies.push(systemClock.monotonicMs() - sentMs);
  }
  const { p50, p99 } = percentiles(Float64Array.from(latencies));
  return `p50 ${p50} ms, p99 ${p99} ms`;
}

async function fill(partitions: readonly Partition[]): Promise<void> {
  const records = batchOf(RECORDS_PER_BATCH);
  const sizeBytes = () => partitions.reduce((sum, partition) => sum + partition.sizeBytes(), 0);
  while (sizeBytes() < logBytes) {
    await Promise.all(partitions.map((partition) => appendTo(partition, records)));
  }
}

function measureFetches(partitions: readonly Partition[]): string {
  const startMs = systemClock.monotonicMs();
  let bytes = 0;
  for (const partition of partitions) {
    for (let offset = 0; offset < partition.highWatermark; ) {
      const { records } = partition.read({
        fetchOffset: offset,
        maxBytes: FETCH_BYTES,
        isolation: 'read_committed',
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        atLeastOneBatch: true,
      });
      bytes += records.length;
      forEachBatch(records, (header) => {
        offset = lastOffset(header) + 1;
      });
    }
  }
  return `${Math.round(bytes / 1e3 / (systemClock.monotonicMs() - startMs))} MB/s`;
}

async function timed<Result>(label: string, action: () => Promise<Result>): Promise<Result> {
  const startMs = systemClock.monotonicMs();
  const result = await action();
  console.log(`${label}: ${Math.round(systemClock.monotonicMs() - startMs)} ms`);
  return result;
}

async function main(): Promise<void> {
  const topics = await open();
  const configs = new Map([['retention.ms', '-1']]);
  topics.createTopic({ name: 'bench', partitions: PARTITIONS, configs });
  const { partitions } = topics.topic('bench')!;
  const first = partitions.slice(0, 1);
  console.log(`${RECORDS_PER_BATCH} records of 100 bytes in a batch, acknowledged after fdatasync`);
  console.log(`1 partition, 1 in flight: ${await measureAppends(first, 1)}`);
  console.log(`1 partition, 5 in flight: ${await measureAppends(first, 5)}`);
  console.log(`8 partitions, 5 in flight each: ${await measureAppends(partitions, 5)}`);
  console.log(
    `20 records to each of 8 partitions at once: ${await measureTransactions(partitions)}`,
  );
  await fill(partitions);
  console.log(`fetch from the page cache, checksums verified: ${measureFetches(partitions)}`);
  await timed('close', () => topics.close());
  const second = await timed('start after a clean close', open);
  await appendTo(second.partition('bench', 0)!, batchOf(RECORDS_PER_BATCH));
  await timed('start after a crash', open);
}

await main().finally(() => rmSync(directory, { recursive: true, force: true }));
process.exit(0);
