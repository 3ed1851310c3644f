/** Every row of the table "code -> action", played through a producer, under the protocols it concerns. */
import { describe, expect, test } from 'vitest';
import type { GroupMetadata } from '../../kafka/ports.ts';
import { Errors, type KafkaErrorName } from '../../kafka/protocol/error-codes.ts';
import type { TransactionApi, TransactionProtocol } from '../../kafka/transaction/error-table.ts';
import { drive } from '../kit/drive.ts';
import { disconnected } from '../kit/scripted-cluster.ts';
import {
  FakeTransactionBroker,
  GROUP,
  TRANSACTION_TIMEOUT_MS,
  transaction,
} from './fake-transaction-broker.ts';

const PROTOCOLS: readonly TransactionProtocol[] = ['V1', 'V2'];
const COORDINATOR_CODES: readonly KafkaErrorName[] = [
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
];

function count(broker: FakeTransactionBroker, api: string): number {
  return broker.cluster.sentApis().filter((each) => each === api).length;
}

describe('a lost answer', () => {
  test.each(PROTOCOLS)('%s Produce: the same bytes go to the current leader', async (protocol) => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('Produce', 'lost');
    broker.cluster.onRefresh = () => {
      for (const partition of [0, 1]) broker.cluster.lead('out', partition, 2);
    };
    const outcome = await broker.commit();
    expect(outcome.kind).toBe('committed');
    const produces = broker.cluster.sent.filter(({ api }) => api === 'Produce');
    expect(produces.map(({ nodeId }) => nodeId)).toEqual([1, 2]);
    const [first, , again] = broker.received;
    expect(again!.bytes.equals(first!.bytes)).toBe(true);
    expect(broker.appended).toHaveLength(2);
  });

  test.each(['TxnOffsetCommit', 'EndTxn'] as const)(
    'V2 %s: sent again, and committed',
    async (api) => {
      const broker = new FakeTransactionBroker('V2');
      broker.script(api, 'lost', 'dropped');
      expect((await broker.commit()).kind).toBe('committed');
      expect(count(broker, api)).toBe(3);
      expect(new Set(broker.ended.map((each) => each.producerEpoch))).toEqual(new Set([1]));
    },
  );

  test.each(['AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'] as const)(
    'V1 %s: unknown at once, because a late duplicate could hit the next transaction',
    async (api) => {
      const broker = new FakeTransactionBroker('V1');
      broker.script(api, 'lost');
      const outcome = await broker.commit();
      expect(outcome).toMatchObject({ kind: 'unknown', cause: { code: 'KAFKA_AMBIGUOUS' } });
      expect(count(broker, api)).toBe(1);
    },
  );

  test('V1 EndTxn that could not even be sent: sent when the broker is back', async () => {
    const broker = new FakeTransactionBroker('V1');
    broker.script('EndTxn', 'unreachable', 'unreachable');
    expect((await broker.commit()).kind).toBe('committed');
  });

  test.each(PROTOCOLS)('%s InitProducerId: repeated without an old id', async (protocol) => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('InitProducerId', 'lost', 'dropped', 'unreachable');
    await broker.initialisedProducer();
    expect(broker.initialised).toHaveLength(4);
    for (const { producerId, producerEpoch } of broker.initialised) {
      expect([producerId, producerEpoch]).toEqual([-1, -1]);
    }
  });
});

describe('a coordinator that moves or loads', () => {
  const apisOf: Record<TransactionProtocol, readonly TransactionApi[]> = {
    V1: ['AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'],
    V2: ['TxnOffsetCommit', 'EndTxn'],
  };
  const rows = PROTOCOLS.flatMap((protocol) =>
    apisOf[protocol].flatMap((api) =>
      COORDINATOR_CODES.map((name) => [protocol, api, name] as const),
    ),
  );

  test.each(rows)(
    '%s %s %s: it is looked for again, and asked again',
    async (protocol, api, name) => {
      const broker = new FakeTransactionBroker(protocol);
      broker.script(api, Errors[name]);
      expect((await broker.commit()).kind).toBe('committed');
      expect(count(broker, api)).toBe(2);
      const kind = api === 'TxnOffsetCommit' ? 'group:app' : 'transaction:app-0-a';
      expect(broker.cluster.forgotten).toEqual([kind]);
    },
  );

  test.each(COORDINATOR_CODES)('InitProducerId %s: likewise', async (name) => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('InitProducerId', Errors[name]);
    await broker.initialisedProducer();
    expect(broker.cluster.forgotten).toEqual(['transaction:app-0-a']);
  });

  test('a coordinator that cannot be found for a while is waited for', async () => {
    const broker = new FakeTransactionBroker('V2');
    const producer = await broker.initialisedProducer();
    let refusals = 3;
    broker.cluster.coordinatorNode = async () => {
      if (refusals-- > 0) throw disconnected();
      return 1;
    };
    const outcome = await drive(broker.clock, producer.commit(transaction()));
    expect(outcome.kind).toBe('committed');
  });
});

describe('InitProducerId', () => {
  test('CONCURRENT_TRANSACTIONS: repeated until the old transaction is decided, however long', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('InitProducerId', ...Array<number>(9_000).fill(Errors.CONCURRENT_TRANSACTIONS));
    await broker.initialisedProducer();
    expect(broker.clock.monotonicMs()).toBeGreaterThan(TRANSACTION_TIMEOUT_MS + 10_000);
  });

  test.each(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'] as const)(
    '%s: begun anew, for no old id was given',
    async (name) => {
      const broker = new FakeTransactionBroker('V2');
      broker.script('InitProducerId', Errors[name]);
      await broker.initialisedProducer();
      expect(broker.initialised.at(-1)).toMatchObject({ producerId: -1, producerEpoch: -1 });
    },
  );

  test.each([
    ['INVALID_TRANSACTION_TIMEOUT', 'transaction.max.timeout.ms'],
    ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'Write and Describe'],
    ['CLUSTER_AUTHORIZATION_FAILED', 'IdempotentWrite'],
  ] as const)('%s: fatal, and the hint names the setting', async (name, hint) => {
    const broker = new FakeTransactionBroker('V2');
    broker.script('InitProducerId', Errors[name]);
    await expect(drive(broker.clock, broker.producer().init())).rejects.toMatchObject({
      code: 'KAFKA_FATAL',
      hint: expect.stringContaining(hint),
    });
  });
});

describe('Produce', () => {
  test.each([
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'LEADER_NOT_AVAILABLE',
    'NETWORK_EXCEPTION',
    'REQUEST_TIMED_OUT',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  ] as const)('%s: metadata, then the same bytes, of that partition only', async (name) => {
    const broker = new FakeTransactionBroker('V2');
    broker.scriptPartition('Produce', 'out-1', Errors[name]);
    expect((await broker.commit()).kind).toBe('committed');
    expect(broker.cluster.refreshed).toEqual([['out']]);
    expect(broker.received.map(({ key }) => key)).toEqual(['out-0', 'out-1', 'out-1']);
    expect(broker.received[2]!.bytes.equals(broker.received[1]!.bytes)).toBe(true);
  });

  test('NOT_ENOUGH_REPLICAS: the same bytes without new metadata', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.scriptPartition('Produce', 'out-1', Errors.NOT_ENOUGH_REPLICAS);
    expect((await broker.commit()).kind).toBe('committed');
    expect(broker.cluster.refreshed).toEqual([]);
    expect(broker.received[2]!.bytes.equals(broker.received[1]!.bytes)).toBe(true);
  });

  test('CONCURRENT_TRANSACTIONS: the same bytes after 2 ms', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.scriptPartition('Produce', 'out-0', Errors.CONCURRENT_TRANSACTIONS);
    const producer = await broker.initialisedProducer();
    const startedMs = broker.clock.monotonicMs();
    const outcome = await drive(broker.clock, producer.commit(transaction()));
    expect(outcome.kind).toBe('committed');
    expect(broker.clock.monotonicMs() - startedMs).toBe(2);
    expect(broker.received[2]!.bytes.equals(broker.received[0]!.bytes)).toBe(true);
  });

  test('DUPLICATE_SEQUENCE_NUMBER: success, but no position is taken from it', async () => {
    const broker = new FakeTransactionBroker('V2');
    broker.forgetsOffsets = true;
    broker.script('Produce', 'lost');
    const outcome = await broker.commit();
    expect(outcome).toEqual({ kind: 'committed', produced: new Map() });
    expect(broker.appended).toHaveLength(2);
  });

  test.each([
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    'UNKNOWN_PRODUCER_ID',
    'INVALID_TXN_STATE',
    'TRANSACTION_ABORTABLE',
  ] as const)('%s: aborted; nothing more is sent before init', async (name) => {
    const broker = new FakeTransactionBroker('V2');
    broker.scriptPartition('Produce', 'out-0', Errors[name]);
    const producer = await broker.initialisedProducer();
    const outcome = await drive(broker.clock, producer.commit(transaction()));
    expect(outcome).toMatchObject({ kind: 'aborted', cause: { code: 'KAFKA_ABORTABLE' } });
    expect(broker.cluster.sentApis()).toEqual(['Produce']);
    const refused = await drive(broker.clock, producer.commit(transaction()));
    expect(refused.kind).toBe('aborted');
    expect(broker.cluster.sentApis()).toEqual(['Produce']);
    await drive(broker.clock, producer.init());
    expect((await drive(broker.clock, producer.commit(transaction()))).kind).toBe('committed');
  });

  test.each(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING'] as const)(
    '%s: fenced; again within a minute it is fatal, for two processes share an id',
    async (name) => {
      const broker = new FakeTransactionBroker('V2');
      const producer = await broker.initialisedProducer();
      const fencedCommit = async () => {
        broker.scriptPartition('Produce', 'out-0', Errors[name]);
        const outcome = await drive(broker.clock, producer.commit(transaction()));
        await drive(broker.clock, producer.init());
        return outcome;
      };
      expect(await fencedCommit()).toMatchObject({
        kind: 'fenced',
        cause: { code: 'KAFKA_FENCED' },
      });
      broker.clock.advance(60_001);
      expect((await fencedCommit()).kind).toBe('fenced');
      broker.clock.advance(50_000);
      expect(await fencedCommit()).toMatchObject({
        kind: 'fatal',
        cause: { hint: expect.stringContaining('Two processes') },
      });
    },
  );

  test.each([
    'MESSAGE_TOO_LARGE',
    'RECORD_LIST_TOO_LARGE',
    'INVALID_RECORD',
    'TOPIC_AUTHORIZATION_FAILED',
  ] as const)('%s: fatal, and nothing is committed', async (name) => {
    const broker = new FakeTransactionBroker('V2');
    broker.scriptPartition('Produce', 'out-0', Errors[name]);
    expect(await broker.commit()).toMatchObject({ kind: 'fatal', cause: { code: 'KAFKA_FATAL' } });
    expect(broker.ended).toEqual([]);
  });
});

describe('AddPartitionsToTxn and AddOffsetsToTxn (V1)', () => {
  const both = ['AddPartitionsToTxn', 'AddOffsetsToTxn'] as const;

  test.each(both)('%s CONCURRENT_TRANSACTIONS: again after 2 ms', async (api) => {
    const broker = new FakeTransactionBroker('V1');
    broker.script(api, Errors.CONCURRENT_TRANSACTIONS, Errors.CONCURRENT_TRANSACTIONS);
    expect((await broker.commit()).kind).toBe('committed');
    expect(count(broker, api)).toBe(3);
  });

  test('OPERATION_NOT_ATTEMPTED: the other partition says what it is', async () => {
    const broker = new FakeTransactionBroker('V1');
    broker.scriptPartition('AddPartitionsToTxn', 'out-0', Errors.OPERATION_NOT_ATTEMPTED);
    broker.scriptPartition('AddPartitionsToTxn', 'out-1', Errors.TOPIC_AUTHORIZATION_FAILED);
    expect(await broker.commit()).toMatchObject({
      kind: 'fatal',
      cause: { facts: { kafkaError: Errors.TOPIC_AUTHORIZATION_FAILED } },
    });
  });

  test('OPERATION_NOT_ATTEMPTED beside UNKNOWN_TOPIC_OR_PARTITION: all of them again', async () => {
    const broker = new FakeTransactionBroker('V1');
    broker.scriptPartition('AddPartitionsToTxn', 'out-0', Errors.OPERATION_NOT_ATTEMPTED);
    broker.scriptPartition('AddPartitionsToTxn', 'out-1', Errors.UNKNOWN_TOPIC_OR_PARTITION);
    expect((await broker.commit()).kind).toBe('committed');
    expect(count(broker, 'AddPartitionsToTxn')).toBe(2);
  });

  test.each([
    ['INVALID_TXN_STATE', 'aborted'],
    ['INVALID_PRODUCER_EPOCH', 'fenced'],
    ['PRODUCER_FENCED', 'fenced'],
    ['INVALID_PRODUCER_ID_MAPPING', 'fenced'],
    ['TOPIC_AUTHORIZATION_FAILED', 'fatal'],
  ] as const)('%s: %s, as for Produce', async (name, kind) => {
    for (const api of both) {
      const broker = new FakeTransactionBroker('V1');
      broker.script(api, Errors[name]);
      expect((await broker.commit()).kind).toBe(kind);
    }
  });
});

describe.each(PROTOCOLS)('TxnOffsetCommit (%s)', (protocol) => {
  function groups(...answers: readonly (GroupMetadata | undefined)[]) {
    const left = [...answers];
    const asked: (number | undefined)[] = [];
    const group = async (refused?: GroupMetadata) => {
      asked.push(refused?.generation);
      return left.length > 1 ? left.shift() : left[0];
    };
    return { group, asked };
  }
  test.each(['ILLEGAL_GENERATION', 'STALE_MEMBER_EPOCH'] as const)(
    '%s: waits for the newer generation and sends again under it',
    async (name) => {
      const broker = new FakeTransactionBroker(protocol);
      broker.script('TxnOffsetCommit', Errors[name]);
      const { group, asked } = groups(GROUP, GROUP, { ...GROUP, generation: 6 });
      expect((await broker.commit({ group })).kind).toBe('committed');
      expect(asked).toEqual([undefined, 5, 5]);
      expect(count(broker, 'TxnOffsetCommit')).toBe(2);
      expect(broker.offsetCommits.map(({ generationId }) => generationId)).toEqual([6]);
    },
  );

  test('ILLEGAL_GENERATION and no longer a member: aborted', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors.ILLEGAL_GENERATION);
    const outcome = await broker.commit({ group: groups(GROUP, undefined).group });
    expect(outcome.kind).toBe('aborted');
    expect(broker.ended).toEqual([]);
  });

  test('ILLEGAL_GENERATION and a member again under another id: aborted, for the tasks were lost between', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors.ILLEGAL_GENERATION);
    const rejoined = { ...GROUP, generation: 7, memberId: 'member-2' };
    const outcome = await broker.commit({ group: groups(GROUP, rejoined).group });
    expect(outcome.kind).toBe('aborted');
    expect(broker.offsetCommits).toEqual([]);
  });

  test('ILLEGAL_GENERATION and no newer one in time: aborted', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors.ILLEGAL_GENERATION);
    const outcome = await broker.commit({ group: groups(GROUP).group });
    expect(outcome.kind).toBe('aborted');
    expect(count(broker, 'TxnOffsetCommit')).toBe(1);
  });

  test('UNKNOWN_MEMBER_ID: fenced, all tasks are lost', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors.UNKNOWN_MEMBER_ID);
    expect(await broker.commit()).toMatchObject({
      kind: 'fenced',
      cause: { code: 'KAFKA_FENCED' },
    });
    expect(broker.ended).toEqual([]);
  });

  test('FENCED_INSTANCE_ID: fatal, another process has the static id', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors.FENCED_INSTANCE_ID);
    expect(await broker.commit()).toMatchObject({ kind: 'fatal', cause: { code: 'KAFKA_FENCED' } });
  });

  test.each([
    'REQUEST_TIMED_OUT',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'CONCURRENT_TRANSACTIONS',
  ] as const)('%s: sent again', async (name) => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors[name]);
    expect((await broker.commit()).kind).toBe('committed');
    expect(count(broker, 'TxnOffsetCommit')).toBe(2);
  });

  test.each(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'] as const)('%s: fenced', async (name) => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors[name]);
    expect((await broker.commit()).kind).toBe('fenced');
  });

  test('OFFSET_METADATA_TOO_LARGE: fatal', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('TxnOffsetCommit', Errors.OFFSET_METADATA_TOO_LARGE);
    expect((await broker.commit()).kind).toBe('fatal');
  });
});

describe.each(PROTOCOLS)('EndTxn (%s)', (protocol) => {
  test('CONCURRENT_TRANSACTIONS: sent again until it is done', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('EndTxn', ...Array<number>(5).fill(Errors.CONCURRENT_TRANSACTIONS));
    expect((await broker.commit()).kind).toBe('committed');
    expect(count(broker, 'EndTxn')).toBe(6);
  });

  test('INVALID_TXN_STATE: aborted by somebody', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('EndTxn', Errors.INVALID_TXN_STATE);
    expect((await broker.commit()).kind).toBe('aborted');
  });

  test.each(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING'] as const)(
    '%s: fenced',
    async (name) => {
      const broker = new FakeTransactionBroker(protocol);
      broker.script('EndTxn', Errors[name]);
      expect((await broker.commit()).kind).toBe('fenced');
    },
  );

  test('PRODUCER_FENCED after the transaction timeout: aborted, for the coordinator has done it', async () => {
    const broker = new FakeTransactionBroker(protocol);
    const producer = await broker.initialisedProducer();
    broker.script('EndTxn', Errors.PRODUCER_FENCED);
    broker.beforeAnswer = (api) => {
      if (api === 'EndTxn') broker.clock.advance(TRANSACTION_TIMEOUT_MS);
    };
    const outcome = await drive(broker.clock, producer.commit(transaction()));
    expect(outcome.kind).toBe('aborted');
  });

  test.each([
    'INVALID_TXN_STATE',
    'INVALID_PRODUCER_EPOCH',
    'PRODUCER_FENCED',
    'INVALID_PRODUCER_ID_MAPPING',
  ] as const)(
    '%s after an answer that left it open: unknown, for the first may have committed',
    async (name) => {
      const broker = new FakeTransactionBroker(protocol);
      broker.script('EndTxn', Errors.COORDINATOR_NOT_AVAILABLE, Errors[name]);
      expect((await broker.commit()).kind).toBe('unknown');
    },
  );

  test('an unlisted code: unknown', async () => {
    const broker = new FakeTransactionBroker(protocol);
    broker.script('EndTxn', Errors.UNKNOWN_SERVER_ERROR);
    expect((await broker.commit()).kind).toBe('unknown');
  });
});
