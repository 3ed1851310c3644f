import { describe, expect, test } from 'vitest';
import { osError } from '../../embedded-kafka/disk/memory-disk.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { offsetCommitApi } from '../../kafka/protocol/messages/offset-commit.ts';
import { BrokerHarness } from './kit/broker-harness.ts';
import { GroupClient } from './kit/group-client.ts';
import { committedOffset, readCommitted, TransactionClient } from './kit/transaction-client.ts';

async function commit(harness: BrokerHarness, committedOffset: number) {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }];
  const topics = [{ name: 'in', partitions }];
  const answer = await harness.send(offsetCommitApi, 8, { groupId: 'g', memberId: '', topics });
  return answer.topics[0]?.partitions[0]?.errorCode;
}

describe('a disk whose sync fails', () => {
  test('ends the broker: its owner is told, and nothing is acknowledged any more', async () => {
    const harness = await BrokerHarness.start();
    await harness.createTopic('in');
    expect(await commit(harness, 1)).toBe(0);
    harness.beforeDisk = ({ kind }) => {
      if (kind === 'sync') throw osError('EIO');
    };
    await expect(commit(harness, 2)).rejects.toMatchObject({ code: 'STORE_IO' });
    expect(harness.failures).toEqual(['STORE_IO']);
    await expect(commit(harness, 3)).rejects.toThrow();
    await expect(new TransactionClient(harness, 't').init()).rejects.toThrow();
    await harness.broker.stop();
    await expect(commit(harness, 4)).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
  });
});

describe('a full disk', () => {
  const full = ({ kind }: { readonly kind: string }) => {
    if (kind === 'append') throw osError('ENOSPC');
  };

  test('refuses what needs room, keeps what there was, and all goes on when there is room again', async () => {
    const harness = await BrokerHarness.start();
    await harness.createTopic('in');
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await producer.produce('in', 'a');
    expect(await commit(harness, 1)).toBe(0);
    harness.beforeDisk = full;
    expect(await commit(harness, 2)).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
    expect(await producer.commitOffset('h', 'in', 5)).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
    expect(await producer.end(true)).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
    expect(await new TransactionClient(harness, 'u').init()).toBe(Errors.COORDINATOR_NOT_AVAILABLE);
    expect(await committedOffset(harness, 'g', 'in')).toBe(1);
    harness.beforeDisk = () => {};
    expect(await commit(harness, 3)).toBe(0);
    expect(await producer.end(true)).toBe(0);
    await harness.settle();
    expect(await readCommitted(harness, 'in')).toEqual(['a']);
    expect(await new TransactionClient(harness, 'u').init()).toBe(0);
    expect(harness.failures).toEqual([]);
  });

  test('that leaves no room for the markers gets them later', async () => {
    const harness = await BrokerHarness.start();
    await harness.createTopic('in');
    const producer = new TransactionClient(harness, 't');
    await producer.init();
    await producer.produce('in', 'a');
    let appends = 0;
    harness.beforeDisk = (operation) => {
      // The outcome still fits.
      if (operation.kind === 'append' && appends++ > 0) full(operation);
    };
    expect(await producer.end(true)).toBe(0);
    await harness.settle();
    expect(await readCommitted(harness, 'in')).toEqual([]);
    harness.beforeDisk = () => {};
    await harness.advance(1_000);
    expect(await readCommitted(harness, 'in')).toEqual(['a']);
    expect(await producer.produce('in', 'b')).toBe(0);
  });

  test('does not let a group believe in an assignment that is not kept', async () => {
    const harness = await BrokerHarness.start();
    const member = new GroupClient(harness, { groupId: 'g' });
    await member.join();
    harness.beforeDisk = full;
    expect((await member.sync({ [member.memberId]: 'x' })).errorCode).toBe(
      Errors.COORDINATOR_NOT_AVAILABLE,
    );
    harness.beforeDisk = () => {};
    expect((await member.sync({ [member.memberId]: 'x' })).assignment.toString()).toBe('x');
  });
});
