/**
 * One transaction from its first request to EndTxn, in the order that its protocol wants:
 *   V2: Produce, then TxnOffsetCommit, then EndTxn.
 *   V1: AddPartitionsToTxn, AddOffsetsToTxn, then likewise.
 * TxnOffsetCommit comes after Produce and not beside it under V1 too: brokers from 3.6 on verify both with
 * the coordinator, one at a time per transactional id, and refuse the other (97-117 transactions/s beside,
 * 135-149 one after the other, on 4.3).
 * Nothing is repaired in place: the first thing that cannot go on ends it.
 */
import { assert } from '../../base/assert.ts';
import { MillraceError } from '../../base/errors.ts';
import type { GroupMetadata, ProducedRange, Transaction } from '../ports.ts';
import type { Ending } from './outcome.ts';
import { produceAll } from './produce.ts';
import { ProduceQueue } from './produce-queue.ts';
import {
  addOffsets,
  addPartitions,
  channelsOf,
  commitOffsets,
  endTransaction,
} from './requests.ts';
import type { ProducerIdentity } from './sequences.ts';
import type { TransactionContext } from './transaction-context.ts';

export type TransactionResult =
  | {
      readonly kind: 'committed';
      readonly produced: ReadonlyMap<string, ProducedRange>;
      /** Of the next transaction; the same under V1. */
      readonly identity: ProducerIdentity;
    }
  | { readonly kind: 'ended'; readonly ending: Ending; readonly mayBeCommitted: boolean };

/** The transaction's batches are stamped already, and it has something to send. */
export async function runTransaction(
  context: TransactionContext,
  transaction: Transaction,
  identity: ProducerIdentity,
): Promise<TransactionResult> {
  const queue = new ProduceQueue(transaction.batches);
  const ending = await sendAll(context, transaction, queue, identity);
  if (ending !== undefined) return { kind: 'ended', ending, mayBeCommitted: false };
  return endIt(context, queue, identity);
}

async function endIt(
  context: TransactionContext,
  queue: ProduceQueue,
  identity: ProducerIdentity,
): Promise<TransactionResult> {
  const reply = await endTransaction(context, identity);
  switch (reply.kind) {
    case 'done':
      return {
        kind: 'committed',
        produced: queue.produced(),
        identity: context.protocol === 'V2' ? nextIdentity(reply.response) : identity,
      };
    case 'ended':
      return { kind: 'ended', ending: reply.ending, mayBeCommitted: reply.openTries > 0 };
    case 'rejoin':
      throw new MillraceError('INTERNAL', 'EndTxn does not know generations');
  }
}

function nextIdentity(response: ProducerIdentity): ProducerIdentity {
  const { producerId, producerEpoch } = response;
  assert(producerId >= 0 && producerEpoch >= 0, 'EndTxn under V2 names the next epoch');
  return { producerId, producerEpoch };
}

async function sendAll(
  context: TransactionContext,
  transaction: Transaction,
  queue: ProduceQueue,
  identity: ProducerIdentity,
): Promise<Ending | undefined> {
  const { produce } = channelsOf(context.transactionalId);
  if (context.protocol === 'V2') {
    return (
      (await produceAll(context, queue, produce)) ??
      (await sendOffsets(context, transaction, identity, await askGroup(context, transaction)))
    );
  }
  const group = await askGroup(context, transaction);
  if ('as' in group) return group;
  return (
    (await addParticipants(context, queue, identity, group)) ??
    (await produceAll(context, queue, produce)) ??
    (await sendOffsets(context, transaction, identity, group))
  );
}

/** V1: what the transaction will write to, before it is written. */
async function addParticipants(
  context: TransactionContext,
  queue: ProduceQueue,
  identity: ProducerIdentity,
  { groupId }: GroupMetadata,
): Promise<Ending | undefined> {
  if (!queue.isEmpty) {
    const added = await addPartitions(context, identity, queue.partitions);
    if (added.kind === 'ended') return added.ending;
  }
  // After the partitions, not beside them: the coordinator takes one change at a time.
  const added = await addOffsets(context, identity, groupId);
  return added.kind === 'ended' ? added.ending : undefined;
}

/** TxnOffsetCommit under the generation that holds now; under a newer one when that is refused. */
async function sendOffsets(
  context: TransactionContext,
  transaction: Transaction,
  identity: ProducerIdentity,
  first: GroupMetadata | Ending,
): Promise<Ending | undefined> {
  let group = first;
  let refused: GroupMetadata | undefined;
  for (let attempt = 0; !context.isOver; attempt++) {
    if ('as' in group) return group;
    // A new member id is a new life in the group: what was processed belongs to the one before.
    if (refused !== undefined && group.memberId !== refused.memberId) return lost('rejoined anew');
    if (refused?.generation === group.generation) {
      await context.pause('backoff', attempt);
    } else {
      const reply = await commitOffsets(context, identity, group, transaction.offsets);
      if (reply.kind === 'done') return undefined;
      if (reply.kind === 'ended') return reply.ending;
      refused = group;
    }
    group = await askGroup(context, transaction, refused);
  }
  return lost('no newer generation in time');
}

async function askGroup(
  context: TransactionContext,
  transaction: Transaction,
  refused?: GroupMetadata,
): Promise<GroupMetadata | Ending> {
  try {
    const group = await context.whileTimeIsLeft(transaction.group(refused));
    // Without a generation nothing would fence a zombie (design §1, 3).
    return group === undefined || group.generation < 0 ? lost('not a member of the group') : group;
  } catch (cause) {
    return { ...lost('the group did not say its generation'), cause };
  }
}

function lost(message: string): Ending {
  return { as: 'aborted', api: 'TxnOffsetCommit', message };
}
