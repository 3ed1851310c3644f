/**
 * Sends the batches of one transaction until every one is acknowledged.
 *
 * In waves: each leader gets one Produce with one batch per partition, and the next wave goes out when
 * all have answered. So no broker ever holds two unverified requests of one transactional id, which it
 * would answer by failing the first. Under V2 the leaders whose partitions are new to the transaction
 * are asked one after another: side by side they collide at the coordinator and wait longer.
 */
import { partitionKey } from '../ports.ts';
import type { RequestOf, ResponseOf } from '../protocol/define-api.ts';
import { produceApi } from '../protocol/messages/produce.ts';
import type { PartitionLeader } from '../wire.ts';
import { actionForFailure } from './coordinator-request.ts';
import { type Action, actionFor, actionForLostAnswer, weightiest } from './error-table.ts';
import type { Ending } from './outcome.ts';
import type { PartitionBatches, ProduceQueue } from './produce-queue.ts';
import type { TransactionContext } from './transaction-context.ts';

/** Version 13 names topics by id. */
const PRODUCE_VERSION_MAX = { V1: 11, V2: 12 } as const;
const ALL_IN_SYNC_REPLICAS = -1;
const UNKNOWN_OFFSET = -1;
const FIND_LEADER: Action = { kind: 'resend', pause: 'backoff', refresh: 'metadata' };

/** What became of one partition's batch in one wave. */
interface BatchAnswer {
  readonly batches: PartitionBatches;
  readonly action: Action;
  readonly baseOffset: number;
  readonly leaderEpoch: number;
  readonly code?: number;
  readonly cause?: unknown;
}

interface LeaderGroup {
  readonly nodeId: number;
  readonly members: { readonly batches: PartitionBatches; readonly leader: PartitionLeader }[];
}

/** Resolves with undefined when everything is acknowledged, else with what stands in the way. */
export async function produceAll(
  context: TransactionContext,
  queue: ProduceQueue,
  channel: string,
): Promise<Ending | undefined> {
  let wavesWithoutProgress = 0;
  let answers: readonly BatchAnswer[] = [];
  for (let unsent = queue.unsent(); unsent.length > 0; unsent = queue.unsent()) {
    if (context.isOver) return endingOf(answers, 'no time left');
    answers = await sendWave(context, unsent, channel);
    const hasProgressed = acknowledge(answers);
    wavesWithoutProgress = hasProgressed ? 0 : wavesWithoutProgress + 1;
    const action = weightiest(answers.map((answer) => answer.action));
    if (action.kind === 'end') return endingOf(answers);
    if (action.kind === 'resend') await prepareResend(context, answers, wavesWithoutProgress);
  }
  return undefined;
}

/** True when a batch was taken. */
function acknowledge(answers: readonly BatchAnswer[]): boolean {
  let hasProgressed = false;
  for (const { batches, action, baseOffset, leaderEpoch } of answers) {
    if (action.kind !== 'done' && action.kind !== 'duplicate') continue;
    batches.acknowledge(action.kind === 'done' ? baseOffset : UNKNOWN_OFFSET, leaderEpoch);
    hasProgressed = true;
  }
  return hasProgressed;
}

function endingOf(answers: readonly BatchAnswer[], message?: string): Ending {
  const ended = answers.find(({ action }) => action.kind === 'end');
  const worst = ended ?? answers.find(({ action }) => action.kind === 'resend');
  return {
    as: ended?.action.kind === 'end' ? ended.action.as : 'aborted',
    api: 'Produce',
    ...(worst?.code === undefined ? {} : { code: worst.code }),
    ...(message === undefined ? {} : { message }),
    cause: worst?.cause,
  };
}

/** Waits as long as the most patient answer asks for, with new metadata if one asks for that. */
async function prepareResend(
  context: TransactionContext,
  answers: readonly BatchAnswer[],
  attempt: number,
): Promise<void> {
  let pause: 'brief' | 'backoff' = 'brief';
  const staleTopics = new Set<string>();
  for (const { action, batches } of answers) {
    if (action.kind !== 'resend') continue;
    if (action.pause === 'backoff') pause = 'backoff';
    if (action.refresh === 'metadata') staleTopics.add(batches.topic);
  }
  if (staleTopics.size > 0) {
    const refreshed = context.cluster.refreshMetadata([...staleTopics]);
    // Failing, it fails again in the next wave, which then says so.
    await context.whileTimeIsLeft(refreshed).catch(() => {});
  }
  await context.pause(pause, attempt);
}

async function sendWave(
  context: TransactionContext,
  unsent: readonly PartitionBatches[],
  channel: string,
): Promise<readonly BatchAnswer[]> {
  const { groups, leaderless } = byLeader(context, unsent);
  const isNew = ({ members }: LeaderGroup) =>
    context.protocol === 'V2' && members.some(({ batches }) => !batches.isInTransaction);
  const send = (group: LeaderGroup) => sendToLeader(context, group, channel);
  const answers = await Promise.all([
    sendInTurn(groups.filter(isNew), send),
    ...groups.filter((group) => !isNew(group)).map(send),
  ]);
  const lost = leaderless.map((batches) => unanswered(batches, FIND_LEADER, 'no leader'));
  return [...answers.flat(), ...lost];
}

async function sendInTurn(
  groups: readonly LeaderGroup[],
  send: (group: LeaderGroup) => Promise<readonly BatchAnswer[]>,
): Promise<readonly BatchAnswer[]> {
  const answers: BatchAnswer[] = [];
  for (const group of groups) {
    answers.push(...(await send(group)));
    if (answers.some(({ action }) => action.kind === 'end')) break;
  }
  return answers;
}

function byLeader(context: TransactionContext, unsent: readonly PartitionBatches[]) {
  const groups = new Map<number, LeaderGroup>();
  const leaderless: PartitionBatches[] = [];
  for (const batches of unsent) {
    const leader = context.cluster.leaderOf(batches.topic, batches.partition);
    if (leader === undefined) {
      leaderless.push(batches);
      continue;
    }
    const group = groups.get(leader.nodeId);
    if (group === undefined) {
      groups.set(leader.nodeId, { nodeId: leader.nodeId, members: [{ batches, leader }] });
    } else {
      group.members.push({ batches, leader });
    }
  }
  return { groups: [...groups.values()], leaderless };
}

async function sendToLeader(
  context: TransactionContext,
  group: LeaderGroup,
  channel: string,
): Promise<readonly BatchAnswer[]> {
  const timeoutMs = context.requestTimeoutMs;
  const versionAtMost = PRODUCE_VERSION_MAX[context.protocol];
  try {
    const response = await context.cluster.request(
      { nodeId: group.nodeId, channel, timeoutMs, versionAtMost },
      produceApi,
      produceRequest(context.transactionalId, group, timeoutMs),
    );
    return readAnswers(group, response);
  } catch (cause) {
    const action = actionForFailure(cause, actionForLostAnswer('Produce', context.protocol));
    return group.members.map(({ batches }) => unanswered(batches, action, cause));
  }
}

function produceRequest(
  transactionalId: string,
  group: LeaderGroup,
  timeoutMs: number,
): RequestOf<typeof produceApi> {
  const topics = Map.groupBy(group.members, ({ batches }) => batches.topic);
  return {
    transactionalId,
    acks: ALL_IN_SYNC_REPLICAS,
    timeoutMs,
    topicData: Array.from(topics, ([name, members]) => ({
      name,
      partitionData: members.map(({ batches }) => ({
        index: batches.partition,
        records: batches.head!.bytes,
      })),
    })),
  };
}

function readAnswers(
  group: LeaderGroup,
  response: ResponseOf<typeof produceApi>,
): readonly BatchAnswer[] {
  const byKey = new Map(
    response.responses.flatMap(({ name, partitionResponses }) =>
      partitionResponses.map((each) => [partitionKey(name, each.index), each] as const),
    ),
  );
  return group.members.map(({ batches, leader }) => {
    const answer = byKey.get(batches.key);
    if (answer === undefined) {
      return unanswered(batches, FIND_LEADER, 'not in the answer');
    }
    const { errorCode: code, baseOffset, errorMessage } = answer;
    const action = actionFor('Produce', code);
    return {
      batches,
      action,
      baseOffset,
      leaderEpoch: leader.leaderEpoch,
      code,
      ...(errorMessage === null ? {} : { cause: errorMessage }),
    };
  });
}

function unanswered(batches: PartitionBatches, action: Action, cause: unknown): BatchAnswer {
  return { batches, action, baseOffset: UNKNOWN_OFFSET, leaderEpoch: -1, cause };
}
