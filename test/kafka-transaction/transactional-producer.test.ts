/** How a transaction goes when nothing, or everything, goes wrong. What single codes mean: error-table.test.ts. */
import { describe, expect, test } from 'vitest';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { encodedBatch } from '../kit/batches.ts';
import { drive, settle } from '../kit/drive.ts';
import {
  FakeTransactionBroker,
  GROUP,
  TRANSACTION_TIMEOUT_MS,
  transaction,
} from './fake-transaction-broker.ts';

const NO_OFFSETS = new Map();

function requests(broker: FakeTransactionBroker): string[] {
  return broker.cluster.sent.map(({ api, version }) => `${api} v${version}`);
}

function sequences(broker: FakeTransactionBroker, key: string): string[] {
  return broker.appended
    .filter((each) => each.key === key)
    .map(({ epoch, sequence }) => `${epoch}/${sequence}`);
}

describe('the order of requests', () => {
  test('V2: Produce, TxnOffsetCommit, EndTxn, at the versions that add partitions by themselves', async () => {
    const broker = new FakeTransactionBroker('V2');
    await broker.commit();
    expect(requests(broker)).toEqual(['Produce v12', 'TxnOffsetCommit v5', 'EndTxn v5']);
  });

  test('V1: all partitions, then the offsets topic, then as under V2, at the versions before it', async () => {
    const broker = new FakeTransactionBroker('V1');
    await broker.commit();
    expect(requests(broker)).toEqual([
      'AddPartitionsToTxn v3',
      'AddOffsetsToTxn v3',
      'Produce v11',
      'TxnOffsetCommit v4',
      'EndTxn v4',
    ]);
  });

  test.each(['V1', 'V2'] as const)('%s: nothing to write, nothing produced', async (protocol) => {
    const broker = new FakeTransactionBroker(protocol);
    expect(await broker.commit({ batches: [] })).toEqual({
      kind: 'committed',
      produced: new Map(),
    });
    expect(broker.cluster.sentApis()).toEqual(
      protocol === 'V2'
        ? ['TxnOffsetCommit', 'EndTxn']
        : ['AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'],
    );
  });

  test.each(['V1', 'V2'] as const)(
    '%s: an empty transaction sends nothing at all',
    async (protocol) => {
      const broker = new FakeTransactionBroker(protocol);
      const outcome = await broker.commit({ batches: [], offsets: NO_OFFSETS });
      expect(outcome).toEqual({ kind: 'committed', produced: new Map() });
      expect(broker.cluster.sent).toEqual([]);
    },
  );

  test('batches without offsets are refused: nothing would fence a zombie', async () => {
    const broker = new FakeTransactionBroker('V2');
    expect((await broker.commit({ offsets: NO_OFFSETS })).kind).toBe('fatal');
    expect(broker.cluster.sent).toEqual([]);
  });

  test('a broker that cannot check generations is refused at init', async () => {
    const broker = new FakeTransactionBroker('V1');
    broker.cluster.versionsAtMost.set('TxnOffsetCommit', 2);
    await expect(drive(broker.clock, broker.producer().init())).rejects.toMatchObject({
      code: 'KAFKA_FATAL',
    });
  });

  test('each kind of request has a connection of its own, per producer', async () => {
    const broker = new FakeTransactionBroker('V2');
    await broker.commit();
    const channels = broker.cluster.sent.map(({ channel }) => channel);
    expect(new Set(channels).size).toBe(3);
    expect(channels.every((channel) => channel.includes('app-0-a'))).toBe(true);
  });

  test('offsets carry member, generation, leader epoch and metadata', async () => {
    const broker = new FakeTransactionBroker('V2');
    await broker.commit();
    expect(broker.offsetCommits).toMatchObject([
      {
        transactionalId: 'app-0-a',
        groupId: 'app',
        generationId: 5,
        memberId: 'member-1',
        groupInstanceId: null,
        producerId: 7,
        producerEpoch: 1,
        topics: [
          {
            name: 'in',
            partitions: [
              {
                partitionIndex: 0,
                committedOffset: 42,
                committedLeaderEpoch: 3,
                committedMetadata: 'm',
              },
            ],
          },
        ],
      },
    ]);
  });

  test.each([undefined, { ...GROUP, generation: -1 }])(
    'without a generation (%o) no offset is committed',
    async (group) => {
      const broker = new FakeTransactionBroker('V2');
      expect((await broker.commit({ group: async () => group })).kind).toBe('aborted');
      expect(broker.offsetCommits).toEqual([]);
      expect(broker.ended).toEqual([]);
    },
  );
});

describe('several batches and several brokers', () => {
  test('batches of one partition go one by one and in order, others beside them', async () => {
    const broker = new FakeTransactionBroker('V2');
    const batches = [
      encodedBatch('out', 0, ['a', 'b']),
      encodedBatch('out', 1, ['x']),
      encodedBatch('out', 0, ['c']),
      encodedBatch('out', 0, ['d', 'e', 'f']),
    ];
    const outcome = await broker.commit({ batches });
    expect(broker.cluster.sentApis().slice(0, 3)).toEqual(['Produce', 'Produce', 'Produce']);
    expect(sequences(broker, 'out-0')).toEqual(['1/0', '1/2', '1/3']);
    expect(outcome).toMatchObject({
      produced: new Map([
        ['out-0', { baseOffset: 0, nextOffset: 6, leaderEpoch: 0 }],
        ['out-1', { baseOffset: 0, nextOffset: 1, leaderEpoch: 0 }],
      ]),
    });
  });

  test('V2: leaders whose partitions are new are asked one after another, then side by side', async () => {
    const broker = new FakeTransactionBroker('V2');
    for (const partition of [0, 1, 2]) broker.cluster.lead('out', partition, partition + 1);
    const out: number[] = [];
    let most = 0;
    let now = 0;
    broker.beforeAnswer = (api) => {
      if (api !== 'Produce') return;
      most = Math.max(most, ++now);
      out.push(now);
      setImmediate(() => now--);
    };
    const batches = [0, 1, 2].flatMap((partition) => [
      encodedBatch('out', partition, ['first']),
      encodedBatch('out', partition, ['second']),
    ]);
    expect((await broker.commit({ batches })).kind).toBe('committed');
    expect(out.slice(0, 3)).toEqual([1, 1, 1]);
    expect(most).toBe(3);
  });

  test('a partition without a leader is sent when it has one, the others at once', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.cluster.leaders.delete('out-1');
    broker.cluster.onRefresh = () => broker.cluster.lead('out', 1, 1);
    expect((await broker.commit()).kind).toBe('committed');
    expect(broker.cluster.refreshed).toEqual([['out']]);
    expect(broker.received.map(({ key }) => key)).toEqual(['out-0', 'out-1']);
  });
});

describe('sequences', () => {
  test('V2: back to 0 with the epoch that EndTxn has given', async () => {
    const broker = new FakeTransactionBroker('V2');
    const producer = await broker.initialisedProducer();
    for (let n = 0; n < 3; n++) await drive(broker.clock, producer.commit(transaction()));
    expect(sequences(broker, 'out-0')).toEqual(['1/0', '2/0', '3/0']);
  });

  test('V2: when epochs run out, EndTxn gives another producer id, and it is used', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.epoch = 32_765;
    const producer = await broker.initialisedProducer();
    broker.beforeAnswer = (api) => {
      if (api === 'EndTxn') [broker.producerId, broker.epoch] = [8, -1];
    };
    await drive(broker.clock, producer.commit(transaction()));
    broker.beforeAnswer = () => {};
    expect((await drive(broker.clock, producer.commit(transaction()))).kind).toBe('committed');
    expect(sequences(broker, 'out-0')).toEqual(['32766/0', '0/0']);
    expect(broker.offsetCommits.map(({ producerId }) => producerId)).toEqual([7, 8]);
  });

  test('V1: they go on from transaction to transaction, and start at 0 after init', async () => {
    const broker = new FakeTransactionBroker('V1');
    const producer = await broker.initialisedProducer();
    for (let n = 0; n < 2; n++) await drive(broker.clock, producer.commit(transaction()));
    await drive(broker.clock, producer.init());
    await drive(broker.clock, producer.commit(transaction()));
    expect(sequences(broker, 'out-0')).toEqual(['1/0', '1/2', '2/0']);
  });

  test('an answer lost twice is still one append, at the offset of the first', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('Produce', 'lost', 'lost');
    const outcome = await broker.commit();
    expect(broker.received).toHaveLength(6);
    expect(broker.appended).toHaveLength(2);
    expect(outcome).toMatchObject({
      produced: new Map([
        ['out-0', { baseOffset: 0, nextOffset: 2, leaderEpoch: 0 }],
        ['out-1', { baseOffset: 0, nextOffset: 1, leaderEpoch: 0 }],
      ]),
    });
  });
});

describe('an end that nobody knows', () => {
  test('V2: EndTxn was carried out, and no answer comes in time: unknown', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('EndTxn', ...Array<'lost'>(1_000).fill('lost'));
    const outcome = await broker.commit();
    expect(outcome.kind).toBe('unknown');
    expect(broker.ended.length).toBeGreaterThan(1);
    expect(broker.clock.monotonicMs()).toBeLessThan(TRANSACTION_TIMEOUT_MS * 1.2);
  });

  test('V2: EndTxn never arrived, and no answer comes in time: unknown as well', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('EndTxn', ...Array<'dropped'>(1_000).fill('dropped'));
    expect((await broker.commit()).kind).toBe('unknown');
    expect(broker.ended).toEqual([]);
  });

  test('V2: EndTxn could not be sent at all in time: surely aborted', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('EndTxn', ...Array<'unreachable'>(1_000).fill('unreachable'));
    expect((await broker.commit()).kind).toBe('aborted');
  });

  test('V2: fenced after a lost EndTxn: unknown, for it may have committed before', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('EndTxn', 'lost', Errors.PRODUCER_FENCED);
    expect((await broker.commit()).kind).toBe('unknown');
  });

  test.each(['Produce', 'TxnOffsetCommit'] as const)(
    'no answer to %s in time: aborted, for no EndTxn was sent',
    async (api) => {
      const broker = new FakeTransactionBroker('V2');
      broker.script(api, ...Array<'lost'>(1_000).fill('lost'));
      expect((await broker.commit()).kind).toBe('aborted');
      expect(broker.cluster.sentApis()).not.toContain('EndTxn');
    },
  );

  test('no request is given more time than the transaction has left', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('TxnOffsetCommit', ...Array<'lost'>(1_000).fill('lost'));
    await broker.commit();
    const timeouts = broker.cluster.sent.map(({ timeoutMs }) => timeoutMs!);
    expect(Math.max(...timeouts)).toBeLessThanOrEqual(TRANSACTION_TIMEOUT_MS);
    expect(timeouts.at(-1)).toBeLessThan(TRANSACTION_TIMEOUT_MS / 2);
  });

  test('a join that takes longer than the transaction may: aborted', async () => {
    const broker = new FakeTransactionBroker('V2');
    const never = new Promise<undefined>(() => {});
    expect((await broker.commit({ group: () => never })).kind).toBe('aborted');
  });

  test('something unforeseen is unknown, never a rejection', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.cluster.leaderOf = () => {
      throw new TypeError('bug');
    };
    expect(await broker.commit()).toMatchObject({
      kind: 'unknown',
      cause: { code: 'INTERNAL', cause: expect.any(TypeError) },
    });
  });
});

describe('the life of a producer', () => {
  test('it refuses work before init, without sending anything', async () => {
    const broker = new FakeTransactionBroker('V2');
    const outcome = await drive(broker.clock, broker.producer().commit(transaction()));
    expect(outcome.kind).toBe('aborted');
    expect(broker.cluster.sent).toEqual([]);
  });

  test('an init that is given up rejects at once, although the broker is silent', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.cluster.coordinatorNode = () => new Promise<number>(() => {});
    const giveUp = new AbortController();
    const work = broker.producer().init(giveUp.signal);
    await settle();
    giveUp.abort();
    await expect(work).rejects.toMatchObject({ code: 'KAFKA_RETRIABLE' });
  });

  test('closed during a commit, it stops trying and stays closed', async () => {
    const broker = new FakeTransactionBroker('V2');
    const producer = await broker.initialisedProducer();
    broker.script('TxnOffsetCommit', ...Array<'lost'>(1_000).fill('lost'));
    const work = producer.commit(transaction());
    await settle();
    producer.close();
    expect((await drive(broker.clock, work)).kind).toBe('aborted');
    expect(broker.cluster.closedChannels).toHaveLength(3);
    expect((await producer.commit(transaction())).kind).toBe('aborted');
    await expect(producer.init()).rejects.toMatchObject({ code: 'KAFKA_RETRIABLE' });
  });

  test('a feature level below 2 means V1', async () => {
    const broker = new FakeTransactionBroker('V1');
    broker.cluster.finalizedFeatures.set('transaction.version', 1);
    await broker.commit();
    expect(broker.cluster.sentApis()[0]).toBe('AddPartitionsToTxn');
  });
});
