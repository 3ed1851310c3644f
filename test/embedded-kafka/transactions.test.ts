import { describe, expect, test } from 'vitest';
import { osError } from '../../embedded-kafka/disk/memory-disk.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { describeTransactionsApi } from '../../kafka/protocol/messages/describe-transactions.ts';
import { initProducerIdApi } from '../../kafka/protocol/messages/init-producer-id.ts';
import { listTransactionsApi } from '../../kafka/protocol/messages/list-transactions.ts';
import { BrokerHarness } from './kit/broker-harness.ts';
import { GroupClient } from './kit/group-client.ts';
import { committedOffset, readCommitted, TransactionClient } from './kit/transaction-client.ts';

async function started(config: Readonly<Record<string, string>> = {}) {
  const harness = await BrokerHarness.start(config);
  await harness.createTopic('in');
  await harness.createTopic('out', 2);
  return harness;
}

/** Answers CONCURRENT_TRANSACTIONS at once, as Kafka does: for tests of that moment. */
const IMPATIENT = { 'transaction.completion.wait.ms': '0' };

for (const version of [1, 2] as const) {
  describe(`transactions V${version}`, () => {
    const client = (harness: BrokerHarness, id = 't') =>
      new TransactionClient(harness, id, version);

    async function write(producer: TransactionClient, value: string, offset: number) {
      if (version === 1) {
        expect(await producer.addPartition('out')).toBe(0);
        expect(await producer.addPartition('out', 1)).toBe(0);
        expect(await producer.addOffsets('g')).toBe(0);
      }
      expect(await producer.produce('out', value)).toBe(0);
      expect(await producer.produce('out', value, 1)).toBe(0);
      expect(await producer.commitOffset('g', 'in', offset)).toBe(0);
    }

    test('records and offsets appear together when it commits, and not before', async () => {
      const harness = await started();
      const producer = client(harness);
      await producer.init();
      await write(producer, 'a', 7);
      expect(await readCommitted(harness, 'out')).toEqual([]);
      expect(await committedOffset(harness, 'g', 'in')).toBe('unstable');
      expect(await committedOffset(harness, 'g', 'in', false)).toBe(-1);
      expect(await producer.end(true)).toBe(0);
      await harness.settle();
      expect(await readCommitted(harness, 'out')).toEqual(['a']);
      expect(await readCommitted(harness, 'out', 1)).toEqual(['a']);
      expect(await committedOffset(harness, 'g', 'in')).toBe(7);
    });

    test('nothing of it is seen when it aborts', async () => {
      const harness = await started();
      const producer = client(harness);
      await producer.init();
      await write(producer, 'a', 7);
      await producer.end(true);
      await harness.settle();
      await write(producer, 'b', 8);
      expect(await producer.end(false)).toBe(0);
      await harness.settle();
      expect(await readCommitted(harness, 'out')).toEqual(['a']);
      expect(await committedOffset(harness, 'g', 'in')).toBe(7);
    });

    test('a new instance fences the old one and ends what it had open', async () => {
      const harness = await started();
      const zombie = client(harness);
      await zombie.init();
      await write(zombie, 'zombie', 3);
      const owner = client(harness);
      expect(await owner.init()).toBe(0);
      expect(owner.identity.producerId).toBe(zombie.identity.producerId);
      expect(owner.identity.producerEpoch).toBe(zombie.identity.producerEpoch + 2);
      expect(await zombie.end(true)).toBe(Errors.PRODUCER_FENCED);
      expect(await zombie.produce('out', 'late')).toBe(Errors.INVALID_PRODUCER_EPOCH);
      expect(await zombie.commitOffset('g', 'in', 99)).toBe(Errors.INVALID_PRODUCER_EPOCH);
      await write(owner, 'owner', 4);
      await owner.end(true);
      await harness.settle();
      expect(await readCommitted(harness, 'out')).toEqual(['owner']);
      expect(await committedOffset(harness, 'g', 'in')).toBe(4);
    });

    test('of a zombie and a new instance that wait for the same end only one goes first', async () => {
      for (const isZombieFirst of [true, false]) {
        const harness = await started();
        const zombie = client(harness);
        const owner = client(harness);
        await zombie.init();
        await write(zombie, 'a', 1);
        // The end is durable, and its markers are not.
        harness.holdSyncsAfter(1);
        expect(await zombie.end(true)).toBe(0);
        const late = () =>
          version === 1 ? zombie.addPartition('out') : zombie.produce('out', 'late');
        const both = isZombieFirst ? [late(), owner.init()] : [owner.init(), late()];
        await harness.settle();
        harness.releaseSyncs();
        const errors = await Promise.all(both);
        expect(errors[isZombieFirst ? 1 : 0]).toBe(0);
        expect(await zombie.produce('out', 'later')).toBe(Errors.INVALID_PRODUCER_EPOCH);
        await write(owner, 'b', 2);
        expect(await owner.end(true)).toBe(0);
        await harness.settle();
        expect(await readCommitted(harness, 'out')).toEqual(['a', 'b']);
      }
    });

    test('the new instance is told to come back while the old transaction is being ended', async () => {
      const harness = await started(IMPATIENT);
      const zombie = client(harness);
      await zombie.init();
      await write(zombie, 'zombie', 3);
      const owner = client(harness);
      expect(await owner.init()).toBe(Errors.CONCURRENT_TRANSACTIONS);
      await harness.settle();
      expect(await owner.init()).toBe(0);
      expect(await readCommitted(harness, 'out')).toEqual([]);
    });

    test('a transaction that takes too long is aborted, and its producer is fenced', async () => {
      const harness = await started();
      const producer = client(harness);
      await producer.init(undefined, 5_000);
      await write(producer, 'slow', 1);
      await harness.advance(4_000);
      expect(await committedOffset(harness, 'g', 'in')).toBe('unstable');
      await harness.advance(3_000);
      expect(await committedOffset(harness, 'g', 'in')).toBe(-1);
      expect(await producer.produce('out', 'late')).toBe(Errors.INVALID_PRODUCER_EPOCH);
      expect(await producer.end(true)).toBe(
        version === 2 ? Errors.INVALID_TXN_STATE : Errors.PRODUCER_FENCED,
      );
      expect(await readCommitted(harness, 'out')).toEqual([]);
    });

    test('a commit of nothing, and a second different end, are invalid', async () => {
      const harness = await started();
      const producer = client(harness);
      await producer.init();
      expect(await producer.end(true)).toBe(Errors.INVALID_TXN_STATE);
      await write(producer, 'a', 1);
      const { identity } = producer;
      expect(await producer.end(true)).toBe(0);
      await harness.settle();
      expect(await producer.end(false, identity)).toBe(Errors.INVALID_TXN_STATE);
    });

    test('the same end again is answered the same', async () => {
      const harness = await started();
      const producer = client(harness);
      await producer.init();
      await write(producer, 'a', 1);
      const before = producer.identity;
      await producer.end(true);
      await harness.settle();
      const after = producer.identity;
      expect(await producer.end(true, before)).toBe(0);
      expect(producer.identity).toEqual(after);
      expect(after.producerEpoch - before.producerEpoch).toBe(version === 2 ? 1 : 0);
    });

    test('an open transaction goes on after the broker was killed', async () => {
      const harness = await started();
      const producer = client(harness);
      await producer.init();
      await write(producer, 'a', 1);
      await harness.kill();
      expect(await committedOffset(harness, 'g', 'in')).toBe('unstable');
      expect(await producer.end(true)).toBe(0);
      await harness.settle();
      expect(await readCommitted(harness, 'out')).toEqual(['a']);
      expect(await committedOffset(harness, 'g', 'in')).toBe(1);
    });

    test('once the end was answered, it holds whatever happens to the broker', async () => {
      for (const committed of [true, false]) {
        for (let seed = 1; seed <= 20; seed++) {
          const harness = await BrokerHarness.start({}, seed);
          await harness.createTopic('in');
          await harness.createTopic('out', 2);
          const producer = client(harness);
          await producer.init();
          await write(producer, 'a', 1);
          expect(await producer.end(committed)).toBe(0);
          // The markers are not out yet: they must be sent after the restart.
          await harness.losePower();
          await harness.settle();
          expect(await readCommitted(harness, 'out')).toEqual(committed ? ['a'] : []);
          expect(await readCommitted(harness, 'out', 1)).toEqual(committed ? ['a'] : []);
          expect(await committedOffset(harness, 'g', 'in')).toBe(committed ? 1 : -1);
          const next = client(harness);
          expect(await next.init()).toBe(0);
          expect(next.identity.producerEpoch).toBeGreaterThan(producer.identity.producerEpoch);
        }
      }
    });

    test('what was acknowledged is committed whole or not at all, wherever the power fails', async () => {
      for (let seed = 1; seed <= 60; seed++) {
        const harness = await BrokerHarness.start({}, seed);
        await harness.createTopic('in');
        await harness.createTopic('out', 2);
        const producer = client(harness);
        await producer.init();
        await write(producer, 'a', 1);
        await harness.losePower();
        await harness.settle();
        const ended = await producer.end(true);
        await harness.settle();
        const seen = [
          await readCommitted(harness, 'out'),
          await readCommitted(harness, 'out', 1),
          await committedOffset(harness, 'g', 'in'),
        ];
        expect(seen).toEqual(ended === 0 ? [['a'], ['a'], 1] : [[], [], -1]);
      }
    });

    test('offsets of a member that lost its place are refused', async () => {
      const harness = await started();
      const member = new GroupClient(harness, { groupId: 'g' });
      await member.joinAlone();
      const producer = client(harness);
      await producer.init();
      if (version === 1) await producer.addOffsets('g');
      const { memberId, generationId } = member;
      const commit = (who: Parameters<TransactionClient['commitOffset']>[3]) =>
        producer.commitOffset('g', 'in', 5, who);
      expect(await commit({ memberId, generationId: generationId - 1 })).toBe(
        Errors.ILLEGAL_GENERATION,
      );
      expect(await commit({ memberId: 'ghost', generationId })).toBe(Errors.UNKNOWN_MEMBER_ID);
      expect(await commit({ memberId, generationId, groupInstanceId: 'x' })).toBe(
        Errors.UNKNOWN_MEMBER_ID,
      );
      expect(await commit({ memberId, generationId })).toBe(0);
    });
  });
}

describe('transactions V2', () => {
  test('when its epochs are used up a producer is given a new id by EndTxn, and may repeat it', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    const first = producer.identity;
    for (let epoch = first.producerEpoch; epoch < 32_766; epoch++) await producer.end(false);
    expect(producer.identity).toEqual({ producerId: first.producerId, producerEpoch: 32_766 });
    await producer.produce('out', 'last');
    const exhausted = producer.identity;
    expect(await producer.end(true)).toBe(0);
    const rotated = producer.identity;
    expect(rotated).toMatchObject({ producerEpoch: 0 });
    expect(rotated.producerId).not.toBe(first.producerId);
    await harness.settle();
    expect(await producer.end(true, exhausted)).toBe(0);
    expect(producer.identity).toEqual(rotated);
    expect(await producer.produce('out', 'first')).toBe(0);
    expect(await producer.end(true)).toBe(0);
    await harness.settle();
    expect(await readCommitted(harness, 'out')).toEqual(['last', 'first']);
  }, 60_000);

  test('is committed whole or not at all when a power loss takes an addition but leaves its data', async () => {
    const outcomes = new Set<number>();
    for (let seed = 1; seed <= 60; seed++) {
      const harness = await BrokerHarness.start({}, seed);
      await harness.createTopic('in');
      await harness.createTopic('out', 2);
      const producer = new TransactionClient(harness, 't');
      await producer.init();
      if (seed % 3 === 0) expect(await producer.produce('out', 'a')).toBe(0);
      // Without the journal, which keeps both or none, every log syncs its own files.
      harness.beforeDisk = ({ kind, path }) => {
        if (kind === 'append' && path.startsWith('journal/')) throw osError('ENOSPC');
      };
      // The data is durable and acknowledged; that it belongs to the transaction is only written.
      harness.holdNextSync();
      if (seed % 2 === 0) expect(await producer.produce('out', 'a', 1)).toBe(0);
      else expect(await producer.commitOffset('g', 'in', 1)).toBe(0);
      await harness.losePower();
      harness.releaseSyncs();
      await harness.settle();
      const late = await producer.produce('out', 'late');
      const ended = await producer.end(true);
      await harness.settle();
      const isWhole = ended === 0;
      expect(late).toBe(isWhole ? 0 : Errors.INVALID_PRODUCER_EPOCH);
      const first = seed % 3 === 0 ? ['a', 'late'] : ['late'];
      expect(await readCommitted(harness, 'out')).toEqual(isWhole ? first : []);
      const second = isWhole && seed % 2 === 0 ? ['a'] : [];
      expect(await readCommitted(harness, 'out', 1)).toEqual(second);
      const offset = isWhole && seed % 2 === 1 ? 1 : -1;
      expect(await committedOffset(harness, 'g', 'in')).toBe(offset);
      outcomes.add(ended);
    }
    // Both happened: the addition was lost, and by luck it was not.
    expect([...outcomes].toSorted((a, b) => a - b)).toEqual([
      Errors.NONE,
      Errors.INVALID_TXN_STATE,
      Errors.PRODUCER_FENCED,
    ]);
  });

  test('may be aborted although nothing was added', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    expect(await producer.end(false)).toBe(0);
    await harness.settle();
    expect(await producer.produce('out', 'a')).toBe(0);
  });

  test('a repeated end while its markers are out is told to wait, the opposite one that it is wrong', async () => {
    const harness = await started(IMPATIENT);
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await producer.produce('out', 'a');
    const before = producer.identity;
    // The outcome becomes durable, the marker does not yet.
    harness.holdSyncsAfter(1);
    expect(await producer.end(true)).toBe(0);
    expect(await producer.end(false, before)).toBe(Errors.INVALID_TXN_STATE);
    expect(await producer.end(true, before)).toBe(Errors.CONCURRENT_TRANSACTIONS);
    expect(await producer.produce('out', 'b')).toBe(Errors.CONCURRENT_TRANSACTIONS);
    harness.releaseSyncs();
    await harness.settle();
    expect(await producer.produce('out', 'b')).toBe(0);
  });

  test('the next end, while markers of the one before are out, is told to wait and not that it is fenced', async () => {
    const harness = await started(IMPATIENT);
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await producer.produce('out', 'a');
    harness.holdSyncsAfter(1);
    expect(await producer.end(true)).toBe(0);
    expect(await producer.end(false)).toBe(Errors.CONCURRENT_TRANSACTIONS);
    harness.releaseSyncs();
    await harness.settle();
    expect(await producer.end(false)).toBe(0);
    await harness.settle();
    expect(await readCommitted(harness, 'out')).toEqual(['a']);
  });
});

describe('transactions V1', () => {
  test('the next transaction waits for the one before to end, and is not sent away', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't', 1);
    await producer.init();
    await producer.addPartition('out');
    await producer.produce('out', 'a');
    harness.holdSyncsAfter(1);
    expect(await producer.end(true)).toBe(0);
    const adding = producer.addPartition('out');
    await harness.settle();
    harness.releaseSyncs();
    expect(await adding).toBe(0);
  });

  test('but it is sent away when that takes too long', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't', 1);
    await producer.init();
    await producer.addPartition('out');
    await producer.produce('out', 'a');
    harness.holdSyncsAfter(1);
    await producer.end(true);
    const adding = producer.addPartition('out');
    await harness.advance(100);
    expect(await adding).toBe(Errors.CONCURRENT_TRANSACTIONS);
    harness.releaseSyncs();
  });

  test('a partition that was not added is refused', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't', 1);
    await producer.init();
    expect(await producer.produce('out', 'a')).toBe(Errors.TRANSACTION_ABORTABLE);
    expect(await producer.commitOffset('g', 'in', 1)).toBe(Errors.INVALID_TXN_STATE);
  });

  test('adding a partition that does not exist adds none', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't', 1);
    await producer.init();
    expect(await producer.addPartition('nowhere')).toBe(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  });
});

describe('InitProducerId', () => {
  test('a producer that names itself keeps its id with the next epoch, and may repeat that', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    const first = producer.identity;
    expect(await producer.init(first)).toBe(0);
    const second = producer.identity;
    expect(second).toEqual({ ...first, producerEpoch: first.producerEpoch + 1 });
    expect(await producer.init(first)).toBe(0);
    expect(producer.identity).toEqual(second);
  });

  test('a producer that names itself after another one came is fenced', async () => {
    const harness = await started();
    const old = new TransactionClient(harness, 't');
    await old.init();
    await new TransactionClient(harness, 't').init();
    expect(await old.init(old.identity)).toBe(Errors.PRODUCER_FENCED);
    expect(await old.init({ producerId: 123_456, producerEpoch: 0 })).toBe(Errors.PRODUCER_FENCED);
  });

  test('refuses a timeout beyond the limit, an empty id, and half an identity', async () => {
    const harness = await started();
    const ask = async (transactionalId: string, timeoutMs: number, producerId = -1) => {
      const request = { transactionalId, transactionTimeoutMs: timeoutMs, producerId };
      return (await harness.send(initProducerIdApi, 5, { ...request, producerEpoch: -1 }))
        .errorCode;
    };
    expect(await ask('t', 10_000_000)).toBe(Errors.INVALID_TRANSACTION_TIMEOUT);
    expect(await ask('', 1000)).toBe(Errors.INVALID_REQUEST);
    expect(await ask('t', 1000, 5)).toBe(Errors.INVALID_REQUEST);
  });

  test('producer ids are never given out twice, not even after a crash', async () => {
    const harness = await started();
    const seen = new Set<number>();
    for (let life = 0; life < 5; life++) {
      for (let each = 0; each < 700; each++) {
        const request = { transactionalId: null, transactionTimeoutMs: 1000 };
        seen.add((await harness.send(initProducerIdApi, 5, request)).producerId);
      }
      await harness.losePower();
    }
    expect(seen.size).toBe(5 * 700);
  });
});

describe('looking at transactions', () => {
  test('an open transaction is listed and described', async () => {
    const harness = await started();
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await producer.produce('out', 'a', 1);
    const described = await harness.send(describeTransactionsApi, 0, {
      transactionalIds: ['t', 'other'],
    });
    expect(described.transactionStates).toMatchObject([
      {
        errorCode: 0,
        transactionState: 'Ongoing',
        transactionStartTimeMs: harness.clock.nowMs(),
        topics: [{ topic: 'out', partitions: [1] }],
      },
      { errorCode: Errors.TRANSACTIONAL_ID_NOT_FOUND },
    ]);
    const list = async (stateFilters: string[], durationFilter = -1) => {
      const request = { stateFilters, producerIdFilters: [], durationFilter };
      const answer = await harness.send(listTransactionsApi, 1, request);
      return [
        answer.transactionStates.map((each) => each.transactionalId),
        answer.unknownStateFilters,
      ];
    };
    expect(await list(['Ongoing'])).toEqual([['t'], []]);
    expect(await list(['CompleteCommit', 'Odd'])).toEqual([[], ['Odd']]);
    expect(await list([], 1000)).toEqual([[], []]);
    await harness.advance(2_000);
    expect(await list([], 1000)).toEqual([['t'], []]);
  });

  test('an id that is idle for long is forgotten', async () => {
    const harness = await started({
      'transactional.id.expiration.ms': '60000',
      'log.retention.check.interval.ms': '1000',
    });
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await harness.advance(62_000);
    expect(await producer.produce('out', 'a')).toBe(Errors.INVALID_PRODUCER_ID_MAPPING);
    await harness.kill();
    expect(await producer.produce('out', 'a')).toBe(Errors.INVALID_PRODUCER_ID_MAPPING);
  });
});
