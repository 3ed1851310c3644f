/**
 * One run of the sale's stream thread over a preloaded topic in memory. bench/engine.ts loads it, from
 * here and from other checkouts. Everything is the same each time, so two trees that decide alike
 * have the same digest.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { partitionForKey } from '../../kafka/murmur2.ts';
import { BatchBuilder, sealBatch } from '../../kafka/records/batch-builder.ts';
import { readBatchHeader } from '../../kafka/records/record-batch.ts';
import { createRecordCursor } from '../../kafka/records/record-cursor.ts';
import { prepareTopics } from '../../runtime/assignment/internal-topics.ts';
import { StreamThread } from '../../runtime/stream-thread.ts';
import { type StreamsConfig, streamsConfig } from '../../runtime/streams-config.ts';
import { openTaskStates } from '../../runtime/tasks/task-states.ts';
import { ThreadMemory } from '../../runtime/thread-memory.ts';
import type { AvroSchema, SchemaRegistry } from '../../schemas/schema-registry.ts';
import { toBytes } from '../../schemas/serde.ts';
import type { TicketCommand } from '../../ticket-sales/domain/command.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../ticket-sales/records.ts';
import { ticketTopology } from '../../ticket-sales/ticket-topology.ts';
import { purchaseNumber, type Sale } from '../sale-client.ts';
import { type MemoryKafka, memoryKafka } from './memory-kafka.ts';

/** Start and first reads are over by then. */
const WARM_SHARE = 0.2;
const BATCH_BYTES = 64 * 1024;
const REPEAT_EVERY = 100;
/** Transactions are cut by size: by time, a slower machine would have smaller and dearer ones. */
const TRANSACTION_BYTES = 2_500_000;
const NOW_MS = 1_790_000_000_000;
const APPLICATION_ID = 'ticket-sales';

interface Used {
  readonly threadUs: number;
  readonly processUs: number;
  readonly decisions: number;
}

export interface RunOptions {
  readonly purchases: number;
  readonly zones: number;
  readonly partitions: number;
}

export interface Run {
  /** Of CPU time, per decision. */
  readonly threadUs: number;
  readonly processUs: number;
  readonly decisionsPerTransaction: number;
  /** Of all outcomes. */
  readonly digest: string;
}

function saleOf({ purchases, zones }: RunOptions): Sale {
  return {
    eventId: 'bench-event',
    zones: Array.from({ length: zones }, (_, index) => ({
      zoneId: `zone-${index}`,
      capacity: Math.floor((purchases / zones) * 0.9),
    })),
  };
}

/** Schemas by their text: ids grow. */
export function memoryRegistry(): SchemaRegistry {
  const schemas: string[] = [];
  return {
    register: async (_subject, schema) => {
      const text = JSON.stringify(schema);
      if (!schemas.includes(text)) schemas.push(text);
      return schemas.indexOf(text);
    },
    schemaById: async (id) => JSON.parse(schemas[id]!) as AvroSchema,
  };
}

function preload(kafka: MemoryKafka, serdes: TicketSerdes, options: RunOptions): number {
  const { purchases, partitions } = options;
  const sale = saleOf(options);
  const builders = Array.from(
    { length: partitions },
    () => new BatchBuilder({ sizeBytesMax: BATCH_BYTES }),
  );
  let count = 0;
  const send = (partition: number) => {
    const batch = builders[partition]!.finish(TOPICS.commands, partition, 'none');
    sealBatch(batch.bytes);
    kafka.append(batch);
    builders[partition]!.reset();
  };
  const write = (command: TicketCommand) => {
    const key = Buffer.from(zoneKey(command.eventId, command.zoneId));
    const partition = partitionForKey(key, 0, key.length, partitions);
    const value = toBytes(serdes.command, command);
    const timestampMs = NOW_MS + Math.floor(count / 50);
    if (!builders[partition]!.append(timestampMs, key, value)) {
      send(partition);
      builders[partition]!.append(timestampMs, key, value);
    }
    count++;
  };
  const { eventId } = sale;
  for (const { zoneId, capacity } of sale.zones)
    write({
      kind: 'createZone',
      eventId,
      zoneId,
      capacity,
      quantityMax: 10,
      price: null,
      terms: null,
      blockedSeats: [],
    });
  for (let index = 0; index < purchases; index++) {
    const again = index % REPEAT_EVERY === 0 && index >= REPEAT_EVERY;
    write({ ...purchaseNumber(sale, again ? index - 50 : index), requestedAtMs: NOW_MS });
  }
  for (let partition = 0; partition < partitions; partition++) send(partition);
  return count;
}

/** Every outcome, partition by partition, in order. */
function digestOf(kafka: MemoryKafka, partitions: number): string {
  const hash = createHash('sha256');
  const cursor = createRecordCursor();
  for (let partition = 0; partition < partitions; partition++) {
    for (const bytes of kafka.stored(TOPICS.purchaseStatus, partition)) {
      cursor.open(batchOf(bytes));
      while (cursor.next()) {
        hash.update(cursor.buffer.subarray(cursor.keyStart, cursor.keyEnd));
        hash.update(cursor.buffer.subarray(cursor.valueStart, cursor.valueEnd));
      }
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function batchOf(buffer: Buffer) {
  return { buffer, header: readBatchHeader(buffer, 0)! };
}

function used(decisions: number): Used {
  const thread = process.threadCpuUsage();
  const all = process.cpuUsage();
  return {
    threadUs: thread.user + thread.system,
    processUs: all.user + all.system,
    decisions,
  };
}

function decisionsIn(committed: MemoryKafka['committed']): number {
  let decisions = 0;
  for (const { topic, offset } of committed.values())
    if (topic === TOPICS.commands) decisions += offset;
  return decisions;
}

export async function runEngine(options: RunOptions): Promise<Run> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-engine-'));
  try {
    return await runIn(directory, options);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The sale's stream thread, with its state in that directory. */
export async function saleThread(
  kafka: MemoryKafka,
  serdes: TicketSerdes,
  directory: string,
  partitions: number,
  limits: Partial<StreamsConfig>,
): Promise<StreamThread> {
  const config = streamsConfig({ applicationId: APPLICATION_ID, stateDir: directory, ...limits });
  const topology = ticketTopology(serdes, { commandPartitions: partitions }).build();
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const context = { admin: kafka.admin, ...deps, onMissing: () => {} };
  const topics = await prepareTopics(context, topology, config, AbortSignal.timeout(10_000));
  return new StreamThread({
    name: 'engine',
    index: 0,
    processId: 'bench',
    config,
    topology,
    topics,
    client: kafka,
    states: openTaskStates({ directory, bootId: 'bench', checkpointIntervalMs: 60_000, ...deps }),
    events: {
      stateChanged: () => {},
      tasksChanged: () => {},
      hostsChanged: () => {},
      committed: () => {},
      taskRunning: () => {},
      taskLeaving: async () => {},
      restoreProgress: () => {},
    },
    memory: new ThreadMemory(),
    listenedTopics: new Set(),
    onDisk: new Map(),
    ...deps,
  });
}

async function runIn(directory: string, options: RunOptions): Promise<Run> {
  const { partitions } = options;
  const samples: Used[] = [];
  let transactions = 0;
  let total = Infinity;
  const kafka = memoryKafka({
    topics: new Map(Object.values(TOPICS).map((topic) => [topic, partitions])),
    onCommitted: (committed) => {
      transactions++;
      const decisions = decisionsIn(committed);
      if (samples.length === 0 && decisions >= total * WARM_SHARE) samples.push(used(decisions));
      if (samples.length === 1 && decisions >= total) {
        samples.push(used(decisions));
        thread.stop();
      }
    },
  });
  const serdes = ticketSerdes(memoryRegistry());
  await serdes.command.prepare?.(TOPICS.commands, 'value');
  total = preload(kafka, serdes, options);
  const thread = await saleThread(kafka, serdes, directory, partitions, {
    commitIntervalMs: 60_000,
    transactionBytesMax: TRANSACTION_BYTES,
  });
  await thread.run();
  const [first, last] = samples as [Used, Used];
  const decisions = last.decisions - first.decisions;
  return {
    threadUs: (last.threadUs - first.threadUs) / decisions,
    processUs: (last.processUs - first.processUs) / decisions,
    decisionsPerTransaction: total / transactions,
    digest: digestOf(kafka, partitions),
  };
}
