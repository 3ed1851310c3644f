/** What the tests of whole instances need: clients, instances in other processes, and an exact check. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import type { KafkaConnection } from '../../../kafka/connection.ts';
import { createKafkaClient } from '../../../kafka/kafka-client.ts';
import { type KafkaClient, type Producer, partitionKey } from '../../../kafka/ports.ts';
import { createRecordCursor } from '../../../kafka/records/record-cursor.ts';
import type { StreamsOptions } from '../../../runtime/streams-config.ts';

export const brokers = process.env['KAFKA_BROKERS'] ?? '';

export function connection(): KafkaConnection {
  const [host, port] = brokers.split(',')[0]!.split(':');
  return { kind: 'tcp', brokers: [{ host: host!, port: Number(port) }], clientId: 'test' };
}

export function openClient(): KafkaClient {
  const parts = { clock: systemClock, random: systemRandom, log: silentLog };
  return createKafkaClient({ connection: connection(), ...parts });
}

export function uniqueId(): string {
  return `streams-${systemRandom.uuid().slice(0, 8)}`;
}

export function stateDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'millrace-streams-'));
}

export async function createTopics(
  client: KafkaClient,
  names: readonly string[],
  partitions: number,
): Promise<void> {
  await client.admin.createTopics(
    names.map((name) => ({ name, partitions, replicationFactor: -1, configs: {} })),
  );
}

export async function until(what: string, check: () => Promise<boolean> | boolean): Promise<void> {
  const deadlineMs = Date.now() + 90_000;
  while (!(await check())) {
    if (Date.now() > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await systemClock.sleep(25);
  }
}

/** Sends `count` records with keys `<partition>-<n>`, n going round. */
export async function produce(
  producer: Producer,
  topic: string,
  count: number,
  { partitions, keys, value = 'v' }: { partitions: number; keys: number; value?: string },
): Promise<void> {
  const sent: Promise<unknown>[] = [];
  for (let index = 0; index < count; index++) {
    const partition = index % partitions;
    const key = Buffer.from(`${partition}-${Math.floor(index / partitions) % keys}`);
    sent.push(producer.send(topic, partition, { key, value: Buffer.from(value) }));
    if (sent.length === 2_000) await Promise.all(sent.splice(0));
  }
  await Promise.all(sent);
}

export interface ReadRecord {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * Everything committed of what is in the topic now, by partition. Waits for the outcome of what is
 * open: offsets are seen as committed before every marker of their transaction is in its log.
 */
export async function readCommitted(
  client: KafkaClient,
  topic: string,
  partitions: number,
): Promise<readonly (readonly ReadRecord[])[]> {
  const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await client.admin.listOffsets(all, 'latest', 'read_uncommitted');
  const fetcher = client.fetcher({
    isolation: 'read_committed',
    bufferedBytesMax: 10_000_000,
    partitionBytesMax: 1_000_000,
    maxWaitMs: 100,
    channel: `read-${systemRandom.uuid()}`,
  });
  const cursor = createRecordCursor();
  const records: ReadRecord[][] = all.map(() => []);
  const open = new Set(
    all
      .filter((at) => ends.get(partitionKey(topic, at.partition))!.offset > 0)
      .map(({ partition }) => partition),
  );
  for (const partition of open) fetcher.seek(topic, partition, 0);
  while (open.size > 0) {
    for (const { partition, batches, nextOffset } of await fetcher.poll(200)) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next()) {
          const { buffer, keyStart, keyEnd, valueStart, valueEnd } = cursor;
          records[partition]!.push({
            key: buffer.toString('utf8', keyStart, keyEnd),
            value: valueStart < 0 ? null : Buffer.from(buffer.subarray(valueStart, valueEnd)),
            headers: new Map(
              cursor.headers().map(({ key, value }) => [key, value?.toString() ?? '']),
            ),
          });
        }
      }
      if (nextOffset >= ends.get(partitionKey(topic, partition))!.offset) open.delete(partition);
    }
  }
  await fetcher.close();
  return records;
}

/**
 * What is wrong with the output of the counting topology: per key exactly 1, 2, 3 … in order.
 * `total`: how many outputs there are.
 */
export function checkCounts(records: readonly (readonly ReadRecord[])[]): {
  readonly total: number;
  readonly wrong: readonly string[];
} {
  const last = new Map<string, number>();
  const wrong: string[] = [];
  let total = 0;
  for (const { key, value } of records.flat()) {
    const count = Number(value!.readBigInt64BE(0));
    const expected = (last.get(key) ?? 0) + 1;
    if (count !== expected) wrong.push(`${key}: ${count} after ${expected - 1}`);
    last.set(key, count);
    total++;
  }
  return { total, wrong };
}

/** Input records that the group has not committed yet. */
export async function inputLag(
  client: KafkaClient,
  groupId: string,
  topic: string,
  partitions: number,
): Promise<number> {
  const all = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const committed = await client.admin.committedOffsets(groupId, all, { requireStable: true });
  const ends = await client.admin.listOffsets(all, 'latest', 'read_uncommitted');
  return [...ends].reduce(
    (sum, [key, { offset }]) => sum + offset - Math.max(0, committed.get(key)?.offset ?? 0),
    0,
  );
}

export class Instance {
  readonly #child: ChildProcess;
  readonly states: string[] = [];

  constructor(start: {
    readonly config: StreamsOptions;
    readonly topology: string;
    readonly topics: object;
  }) {
    const script = fileURLToPath(new URL('./child.ts', import.meta.url));
    const argument = JSON.stringify({ brokers: brokers.split(',')[0], ...start });
    this.#child = spawn(process.execPath, [script, argument], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.states.push(...text.split('\n').filter((line) => line !== ''));
    });
  }

  get isRunning(): boolean {
    return this.states.at(-1) === 'RUNNING';
  }

  /** SIGSTOP: it hangs, its sockets stay open. SIGCONT: it goes on as if nothing had happened. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, 'exit');
  }
}
