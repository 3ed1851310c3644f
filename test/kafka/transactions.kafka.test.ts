/**
 * Transactions on a real broker: what readers see, what fences, what survives. Under V2 on the broker
 * that KAFKA_BROKERS names; under V1 on one that is started here with the feature off.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { createGroupMember } from '../../kafka/group/group-member.ts';
import type {
  GroupMember,
  GroupMetadata,
  Transaction,
  TransactionalProducer,
} from '../../kafka/ports.ts';
import { addOffsetsToTxnApi } from '../../kafka/protocol/messages/add-offsets-to-txn.ts';
import { endTxnApi } from '../../kafka/protocol/messages/end-txn.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { produceApi } from '../../kafka/protocol/messages/produce.ts';
import { txnOffsetCommitApi } from '../../kafka/protocol/messages/txn-offset-commit.ts';
import { createTransactionalProducer } from '../../kafka/transactional-producer.ts';
import type { Cluster } from '../../kafka/wire.ts';
import { type KafkaCluster, startKafkaCluster, whyNoKafka } from '../kit/apache-kafka.ts';
import { encodedBatch } from '../kit/batches.ts';
import { dealingProtocol } from '../kit/group-protocol.ts';
import {
  connectToKafka,
  createTopic,
  deps,
  kafkaBrokers,
  type RealKafka,
  readAll,
  uniqueName,
} from '../kit/real-kafka.ts';

const TRANSACTION_TIMEOUT_MS = 10_000;
const PARTITIONS = 4;
const never = new Promise<never>(() => {});

const missingForV1 = whyNoKafka();
if (missingForV1 !== undefined) console.warn(`SKIPPED: transactions V1 (${missingForV1})`);

/** A Kafka of each kind; `brokers` is called once. */
const KAFKAS = [
  { protocol: 'V2', isThere: kafkaBrokers !== undefined, brokers: async () => kafkaBrokers! },
  { protocol: 'V1', isThere: missingForV1 === undefined, brokers: startKafkaWithoutV2 },
] as const;

let v1Cluster: KafkaCluster | undefined;
const v1Directory = mkdtempSync(join(tmpdir(), 'millrace-v1-'));

async function startKafkaWithoutV2(): Promise<string> {
  const features = { 'transaction.version': 0 };
  v1Cluster = await startKafkaCluster({ directory: v1Directory, features, heapMb: 512 });
  return v1Cluster.brokers;
}

afterAll(async () => {
  await v1Cluster?.stop();
  rmSync(v1Directory, { recursive: true, force: true });
});

describe.each(KAFKAS.filter(({ isThere }) => isThere))(
  'transactions $protocol on a real Kafka',
  ({ protocol, brokers }) => {
    let kafka: RealKafka;
    let address: string;
    let input: string;
    let output: string;
    let member: GroupMember;
    const opened: (() => void)[] = [];

    beforeAll(async () => {
      address = await brokers();
      kafka = connectToKafka(address);
      [input, output] = [
        await createTopic(kafka.admin, 2),
        await createTopic(kafka.admin, PARTITIONS),
      ];
      const timeouts = {
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 10_000,
        heartbeatIntervalMs: 1_000,
      };
      member = createGroupMember(
        kafka.cluster,
        { groupId: uniqueName('group'), groupInstanceId: null, ...timeouts },
        dealingProtocol(input, 2),
        deps,
      );
      await member.start();
    });

    afterAll(async () => {
      await member.stop({ leave: true });
      for (const close of opened) close();
      kafka.cluster.close();
    });

    async function producer(id: string, cluster: Cluster = kafka.cluster) {
      const options = { transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
      const made = createTransactionalProducer(cluster, id, options, deps);
      opened.push(() => made.close());
      await made.init();
      return made;
    }

    /** One record in one partition, and the position of the input. */
    function transaction(
      partition: number,
      value: string,
      offset: number,
      change: Partial<Transaction> = {},
    ): Transaction {
      return {
        batches: [encodedBatch(output, partition, [value])],
        offsets: new Map([
          [`${input}-0`, { topic: input, partition: 0, offset, leaderEpoch: -1, metadata: value }],
        ]),
        group: async () => member.metadata(),
        ...change,
      };
    }

    async function committedOffset() {
      const { groupId } = member.metadata()!;
      const partitions = [{ topic: input, partition: 0 }];
      const offsets = await kafka.admin.committedOffsets(groupId, partitions, {
        requireStable: true,
      });
      return offsets.get(`${input}-0`)!;
    }

    /** Sends the records and leaves the transaction open: its offsets wait for a newer generation. */
    async function leaveOpen(owner: TransactionalProducer, partition: number, value: string) {
      const resume = Promise.withResolvers<GroupMetadata | undefined>();
      const current = member.metadata()!;
      const group = (refused?: GroupMetadata) =>
        refused === undefined
          ? Promise.resolve({ ...current, generation: current.generation - 1 })
          : resume.promise;
      const outcome = owner.commit(transaction(partition, value, 999_999, { group }));
      const at = { topic: output, partition };
      const isThere = async () =>
        (await readAll(kafka, at, 'read_uncommitted')).some((record) => record.endsWith(value));
      while (!(await isThere()));
      return { outcome, resume: () => resume.resolve(current) };
    }

    async function valuesIn(partition: number): Promise<string[]> {
      const records = await readAll(kafka, { topic: output, partition });
      return records.map((record) => record.slice(record.indexOf(':') + 1));
    }

    test('the broker has the feature, or not', async () => {
      const level = (await kafka.cluster.features()).get('transaction.version') ?? 0;
      expect(level >= 2 ? 'V2' : 'V1').toBe(protocol);
    });

    test('two alternating producers: every record once and in order, and the last offset', async () => {
      const pair = [await producer(uniqueName('a')), await producer(uniqueName('b'))];
      const acknowledged: string[] = [];
      for (let n = 0; n < 30; n++) {
        const outcome = await pair[n % 2]!.commit(transaction(0, `alternating-${n}`, n));
        expect(outcome.kind).toBe('committed');
        if (outcome.kind === 'committed') {
          const { baseOffset, nextOffset } = outcome.produced.get(`${output}-0`)!;
          expect(nextOffset).toBe(baseOffset + 1);
          acknowledged.push(`${baseOffset}:alternating-${n}`);
        }
      }
      // At least a marker between two records: a coordinator that is slow may write one twice.
      expect(await readAll(kafka, { topic: output, partition: 0 })).toEqual(acknowledged);
      expect(Number.parseInt(acknowledged[29]!, 10)).toBeGreaterThanOrEqual(58);
      expect(await committedOffset()).toMatchObject({ offset: 29, metadata: 'alternating-29' });
    });

    test('several batches of one partition, and offsets alone', async () => {
      const one = await producer(uniqueName('batches'));
      const batches = ['x', 'y', 'z'].flatMap((value) => [
        encodedBatch(output, 1, [`${value}1`, `${value}2`]),
        encodedBatch(output, 2, [value]),
      ]);
      const outcome = await one.commit({ ...transaction(1, '', 100), batches });
      expect(outcome).toMatchObject({ kind: 'committed' });
      expect(await valuesIn(1)).toEqual(['x1', 'x2', 'y1', 'y2', 'z1', 'z2']);
      expect(await valuesIn(2)).toEqual(['x', 'y', 'z']);
      expect((await one.commit(transaction(1, '', 101, { batches: [] }))).kind).toBe('committed');
      expect((await committedOffset()).offset).toBe(101);
      expect(await one.commit(transaction(1, '', 0, { batches: [], offsets: new Map() }))).toEqual({
        kind: 'committed',
        produced: new Map(),
      });
    });

    test('aborts of three interleaved producers are not seen, by init of the same id', async () => {
      const ids = ['p', 'q', 'r'].map(uniqueName);
      const first = await Promise.all(ids.map((id) => producer(id)));
      const before = await valuesIn(3);
      const zombies = [];
      for (const [index, owner] of first.entries()) {
        zombies.push(await leaveOpen(owner, 3, `aborted-${index}`));
      }
      // Another process takes the ids over; what the first had open is aborted before init ends.
      const other = connectToKafka(address);
      opened.push(() => other.cluster.close());
      const second = [];
      for (const id of ids) second.push(await producer(id, other.cluster));
      for (const [index, owner] of second.entries()) {
        expect((await owner.commit(transaction(3, `kept-${index}`, 200 + index))).kind).toBe(
          'committed',
        );
      }
      expect(await valuesIn(3)).toEqual([...before, 'kept-0', 'kept-1', 'kept-2']);
      const all = await readAll(kafka, { topic: output, partition: 3 }, 'read_uncommitted');
      expect(all.filter((record) => record.includes('aborted'))).toHaveLength(3);
      // The zombies come back, and find out.
      for (const zombie of zombies) zombie.resume();
      for (const zombie of zombies) expect((await zombie.outcome).kind).toBe('fenced');
      expect((await committedOffset()).offset).toBe(202);
      expect(await valuesIn(3)).toEqual([...before, 'kept-0', 'kept-1', 'kept-2']);
    });

    test('a producer whose id another process has initialised is fenced at its first request', async () => {
      const id = uniqueName('taken');
      const first = await producer(id);
      await producer(id);
      expect(await first.commit(transaction(0, 'taken', 250))).toMatchObject({
        kind: 'fenced',
        cause: { facts: { api: protocol === 'V2' ? 'Produce' : 'AddPartitionsToTxn' } },
      });
      expect(await valuesIn(0)).not.toContain('taken');
    });

    test('an old generation is refused, and nothing of its transaction is seen', async () => {
      const id = uniqueName('zombie');
      const one = await producer(id);
      const before = await committedOffset();
      const current = member.metadata()!;
      const asked: (GroupMetadata | undefined)[] = [];
      const group = async (refused?: GroupMetadata) => {
        asked.push(refused);
        return refused === undefined
          ? { ...current, generation: current.generation - 1 }
          : undefined;
      };
      expect((await one.commit(transaction(0, 'zombie', 777, { group }))).kind).toBe('aborted');
      expect(asked).toMatchObject([undefined, { generation: current.generation - 1 }]);
      await one.init();
      const stranger = async () => ({ ...current, memberId: 'nobody' });
      const outcome = await one.commit(transaction(0, 'stranger', 778, { group: stranger }));
      expect(outcome).toMatchObject({ kind: 'fenced', cause: { code: 'KAFKA_FENCED' } });
      await one.init();
      expect(await committedOffset()).toEqual(before);
      const values = await valuesIn(0);
      expect(values).not.toContain('zombie');
      expect(values).not.toContain('stranger');
    });

    test('a refused generation, then the right one: committed', async () => {
      const one = await producer(uniqueName('late'));
      const current = member.metadata()!;
      const group = async (refused?: GroupMetadata) =>
        refused === undefined ? { ...current, generation: current.generation - 1 } : current;
      expect((await one.commit(transaction(0, 'late', 300, { group }))).kind).toBe('committed');
      expect((await committedOffset()).offset).toBe(300);
    });

    /** A producer that never hears the first two answers to this API. */
    async function hardOfHearing(api: { readonly name: string }) {
      let losses = 2;
      const lossy = withRequest(kafka.cluster, async (target, asked, request) => {
        const answer = await kafka.cluster.request(target, asked, request);
        if (asked.name !== api.name || losses-- <= 0) return answer;
        throw new MillraceError('KAFKA_RETRIABLE', 'the answer was lost');
      });
      return producer(uniqueName('lossy'), lossy);
    }

    test.each(protocol === 'V2' ? [produceApi, endTxnApi, txnOffsetCommitApi] : [produceApi])(
      '$name whose answer is lost is sent again: once in the log, and the next goes on',
      async (api) => {
        const one = await hardOfHearing(api);
        const before = (await valuesIn(2)).length;
        for (const value of ['first', 'second', 'third']) {
          expect((await one.commit(transaction(2, value, 400))).kind).toBe('committed');
        }
        expect((await valuesIn(2)).slice(before)).toEqual(['first', 'second', 'third']);
      },
    );

    test.each(protocol === 'V1' ? [addOffsetsToTxnApi, endTxnApi, txnOffsetCommitApi] : [])(
      '$name whose answer is lost leaves it unknown; after init it is decided, and the next goes on',
      async (api) => {
        const one = await hardOfHearing(api);
        const before = (await valuesIn(2)).length;
        expect((await one.commit(transaction(2, 'unknown', 450))).kind).toBe('unknown');
        await one.init();
        const isCommitted = api === endTxnApi;
        const { offset } = await committedOffset();
        expect(offset === 450).toBe(isCommitted);
        expect((await valuesIn(2)).length).toBe(before + (isCommitted ? 1 : 0));
        await one.commit(transaction(2, 'again', 451));
        await one.init();
        expect((await one.commit(transaction(2, 'next', 452))).kind).toBe('committed');
        expect((await committedOffset()).offset).toBe(452);
      },
    );

    test.each(protocol === 'V2' ? [protocol] : [])(
      '%s: when the epochs of a producer id run out, transactions go on under another id',
      async () => {
        const id = uniqueName('rollover');
        const target = {
          nodeId: await kafka.cluster.coordinatorOf('transaction', id),
          channel: 'rollover',
          versionAtMost: 5,
        };
        let epoch = 0;
        while (epoch < 32_760) {
          const request = { transactionalId: id, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
          const answer = await kafka.cluster.request(target, initProducerIdApi, request);
          if (answer.errorCode === 0) epoch = answer.producerEpoch;
        }
        const one = await producer(id);
        const before = (await valuesIn(1)).length;
        for (let n = 0; n < 12; n++) {
          expect((await one.commit(transaction(1, `rollover-${n}`, 500 + n))).kind).toBe(
            'committed',
          );
        }
        expect((await valuesIn(1)).slice(before)).toEqual(
          Array.from({ length: 12 }, (_, n) => `rollover-${n}`),
        );
      },
    );

    test('a transaction that takes too long is aborted, and the producer works again after init', async () => {
      const options = { transactionTimeoutMs: 1_000 };
      const slow = createTransactionalProducer(kafka.cluster, uniqueName('slow'), options, deps);
      opened.push(() => slow.close());
      await slow.init();
      const outcome = await slow.commit(transaction(0, 'slow', 600, { group: () => never }));
      expect(outcome.kind).toBe('aborted');
      await slow.init();
      expect((await slow.commit(transaction(0, 'quick', 601))).kind).toBe('committed');
      const values = await valuesIn(0);
      expect(values).not.toContain('slow');
      expect(values.at(-1)).toBe('quick');
    });
  },
);

/** The cluster, but for request(). */
function withRequest(cluster: Cluster, request: Cluster['request']): Cluster {
  return new Proxy(cluster, {
    get: (target, name: keyof Cluster) =>
      name === 'request' ? request : (target[name] as () => void).bind(target),
  });
}
