/**
 * `node bench/expiry.ts [--holds N] [--every MS]`: so many holds of one partition end at the same moment.
 * How long it takes until all are ended, what each costs, and how long a purchase in the same partition
 * waits for its commit meanwhile (one is asked for every so many ms). The sale's stream thread over
 * Kafka in memory: a transaction takes 5 ms and nothing else does. Waits are told in the thread's CPU
 * time, too: on a machine that has other things to do only that says much.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BatchBuilder, sealBatch } from '../kafka/records/batch-builder.ts';
import { readBatchHeader } from '../kafka/records/record-batch.ts';
import { toBytes } from '../schemas/serde.ts';
import type { CreateZoneCommand, TicketCommand } from '../ticket-sales/domain/command.ts';
import { zoneKey } from '../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../ticket-sales/domain/zone-terms.ts';
import { TOPICS, ticketSerdes } from '../ticket-sales/records.ts';
import { memoryKafka } from './engine/memory-kafka.ts';
import { memoryRegistry, saleThread } from './engine/run.ts';
import { percentiles } from './percentiles.ts';

const { values } = parseArgs({
  options: {
    holds: { type: 'string', default: '1000000' },
    every: { type: 'string', default: '10' },
  },
});
const HOLDS = Number(values.holds);
const EVERY_MS = Number(values.every);
const START_MS = 1_790_000_000_000;
const HOLD_MS = 600_000;
const BATCH_BYTES = 64 * 1024;
const EVENT = 'rush';
const RUSH = 'rush';
const SIDE = 'side';

const directory = mkdtempSync(join(tmpdir(), 'millrace-expiry-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const serdes = ticketSerdes(memoryRegistry());
await serdes.command.prepare?.(TOPICS.commands, 'value');
const kafka = memoryKafka({
  topics: new Map(Object.values(TOPICS).map((topic) => [topic, 1])),
  onCommitted: (committed) => {
    for (const { topic, offset } of committed.values())
      if (topic === TOPICS.commands) heard(offset);
  },
});

let sent = 0;
let transactions = 0;
let onHeard: (offset: number) => void = () => {};
function heard(offset: number): void {
  transactions++;
  onHeard(offset);
}

/** One batch per call, as long as it does not grow too large. */
function append(commands: Iterable<TicketCommand>, timestampMs: number): void {
  const builder = new BatchBuilder({ sizeBytesMax: BATCH_BYTES });
  const flush = () => {
    const batch = builder.finish(TOPICS.commands, 0, 'none');
    sealBatch(batch.bytes);
    kafka.append(batch);
    builder.reset();
  };
  for (const command of commands) {
    const key = Buffer.from(zoneKey(command.eventId, command.zoneId));
    const value = toBytes(serdes.command, command);
    if (!builder.append(timestampMs, key, value)) {
      flush();
      builder.append(timestampMs, key, value);
    }
    sent++;
  }
  flush();
}

function zone(zoneId: string, properties: Partial<CreateZoneCommand>): CreateZoneCommand {
  return {
    kind: 'createZone',
    eventId: EVENT,
    zoneId,
    capacity: 1_000_000,
    quantityMax: 10,
    price: { amountMinor: 1_000, currency: 'EUR' },
    terms: null,
    blockedSeats: [],
    ...properties,
  };
}

function purchase(zoneId: string, number: number): TicketCommand {
  return {
    kind: 'purchase',
    purchaseId: `00000000-0000-8000-8000-${String(number).padStart(12, '0')}`,
    eventId: EVENT,
    zoneId,
    buyerId: `buyer-${number}`,
    quantity: 1,
    requestedAtMs: START_MS,
    options: null,
  };
}

function* preload(): Generator<TicketCommand> {
  yield zone(SIDE, {});
  yield zone(RUSH, { terms: { ...PLAIN_TERMS, checkout: 'hold', holdMs: HOLD_MS } });
  for (let number = 0; number < HOLDS; number++) yield purchase(RUSH, number);
}

/** Records of a topic that has one partition. */
function sizeOf(topic: string): number {
  const last = kafka.stored(topic, 0).at(-1);
  if (last === undefined) return 0;
  const { baseOffset, lastOffsetDelta } = readBatchHeader(last, 0)!;
  return baseOffset + lastOffsetDelta + 1;
}

function cpu() {
  const [thread, all] = [process.threadCpuUsage(), process.cpuUsage()];
  return { threadUs: thread.user + thread.system, processUs: all.user + all.system };
}

async function until(isSo: (offset: number) => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    onHeard = (offset) => {
      if (isSo(offset)) resolve();
    };
  });
}

append(preload(), START_MS);
const thread = await saleThread(kafka, serdes, directory, 1, {});
const running = thread.run();
await until((offset) => offset >= sent);
console.log(`${HOLDS} holds are held`);

const statusesBefore = sizeOf(TOPICS.purchaseStatus);
const waits: number[] = [];
const cpuWaits: number[] = [];
const waiting: { readonly offset: number; readonly sinceMs: number; readonly cpuUs: number }[] = [];
let isOver = false;
transactions = 0;
const before = cpu();
const beganAtMs = performance.now();
const probe = () => {
  if (isOver) return;
  const sinceMs = performance.now();
  waiting.push({ offset: sent, sinceMs, cpuUs: cpu().threadUs });
  // The first one moves log time beyond the end of every hold.
  append([purchase(SIDE, HOLDS + sent)], START_MS + HOLD_MS + 2_000 + (sinceMs - beganAtMs));
  setTimeout(probe, EVERY_MS);
};
probe();
await until((offset) => {
  const nowMs = performance.now();
  while (waiting.length > 0 && waiting[0]!.offset < offset) {
    const { sinceMs, cpuUs } = waiting.shift()!;
    waits.push(nowMs - sinceMs);
    cpuWaits.push((cpu().threadUs - cpuUs) / 1_000);
  }
  return sizeOf(TOPICS.purchaseStatus) - statusesBefore - waits.length >= HOLDS;
});
isOver = true;
const seconds = (performance.now() - beganAtMs) / 1_000;
const after = cpu();
const share = (name: 'threadUs' | 'processUs') => ((after[name] - before[name]) / HOLDS).toFixed(1);
console.log(
  `ended in ${seconds.toFixed(1)} s, ${Math.round(HOLDS / seconds)}/s, in ${transactions} transactions; ` +
    `CPU per hold: stream thread ${share('threadUs')} us, process ${share('processUs')} us`,
);
console.log(`${waits.length} purchases meanwhile waited ${spread(waits)} ms`);
console.log(`of which the thread was at work ${spread(cpuWaits)} ms`);
thread.stop();
await running;

function spread(values: readonly number[]): string {
  const { p50, p95, p99, max } = percentiles(Float64Array.from(values));
  return `${p50} (median), ${p95} (p95), ${p99} (p99), ${max} (most)`;
}
