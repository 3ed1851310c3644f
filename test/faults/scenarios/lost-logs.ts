/**
 * Topics that lost what is still needed, or that are not the ones of before. Starting nevertheless
 * would sell seats twice or skip buyers: the app must refuse, say why, and go on once an operator has
 * put things right.
 */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { partitionKey } from '../../../kafka/ports.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { type Operator, operatorOf, partitionsOf } from '../kit/operator.ts';
import type { Stage } from '../kit/stage.ts';
import { type Evidence, expect, type Scenario, Skipped } from '../scenario.ts';

const BEFORE = 200;
const GARBAGE_PER_PARTITION = 20;

async function stopped(stage: Stage, signal: NodeJS.Signals): Promise<Operator> {
  const { brokers } = stage.ground;
  if (brokers === undefined) throw new Skipped('needs a Kafka that outlives the app');
  await (await stage.instance()).kill(signal);
  const operator = operatorOf(brokers);
  stage.atTheEnd(() => operator.close());
  return operator;
}

/** What is judged before the harm: afterwards no audit would be valid. */
async function soldOut(stage: Stage): Promise<Evidence> {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
  return { judged: 'before the harm' };
}

/** Starts, and must end by itself with a failure that says so. */
async function refused(stage: Stage, code: string): Promise<number> {
  const before = await stage.logged(code);
  (await stage.instance()).start();
  const endedBy = await stage.ended();
  expect(endedBy === 1, `a refusal with exit code 1, not ${endedBy}`);
  const told = (await stage.logged(code)) - before;
  expect(told > 0, `${code} to be told`);
  return told;
}

const changelogOf = ({ applicationId }: Stage) => `${applicationId}-zones-changelog`;

/** Compacted topics do not allow it: somebody has to insist. */
async function deleteChangelogHead(operator: Operator, topic: string): Promise<number> {
  await operator.configure(topic, { 'cleanup.policy': 'delete' });
  const deleted = await operator.deleteHead(topic, 0.5);
  await operator.configure(topic, { 'cleanup.policy': 'compact' });
  return deleted;
}

export const lostLogScenarios: readonly Scenario[] = [
  {
    name: 'offset-out-of-range',
    about: 'records deleted before they were read: refuses, until an operator moves the offsets',
    on: 'kafka',
    run: soldOut,
    afterwards: async (stage) => {
      const operator = await stopped(stage, 'SIGTERM');
      const partitions = await partitionsOf(operator.admin, TOPICS.commands);
      for (const { topic, partition } of partitions) {
        const value = Buffer.from('nobody will ever read this');
        const garbage = Array.from({ length: GARBAGE_PER_PARTITION }, () =>
          stage.client.producer.send(topic, partition, { key: Buffer.from('garbage'), value }),
        );
        await Promise.all(garbage);
      }
      const deleted = await operator.deleteHead(TOPICS.commands, 1);
      const told = await refused(stage, 'KAFKA_OFFSET_OUT_OF_RANGE');
      const ends = await operator.admin.listOffsets(partitions, 'earliest', 'read_uncommitted');
      const offsets = partitions.map((one) => {
        const key = partitionKey(one.topic, one.partition);
        return [key, { ...one, offset: ends.get(key)!.offset }] as const;
      });
      await operator.commit(stage.applicationId, new Map(offsets));
      await stage.started();
      return { deleted, refused: told, 'runs again': 'yes' };
    },
  },
  {
    name: 'changelog-head-lost',
    about: 'half of a changelog deleted: fine with whole stores, refused without them',
    on: 'kafka',
    run: soldOut,
    afterwards: async (stage) => {
      const operator = await stopped(stage, 'SIGKILL');
      const deleted = await deleteChangelogHead(operator, changelogOf(stage));
      const kept = join(stage.directory, 'kept');
      renameSync(stage.stateDirectory(), kept);
      const told = await refused(stage, 'LOG_LOST');
      rmSync(stage.stateDirectory(), { recursive: true });
      renameSync(kept, stage.stateDirectory());
      await stage.started();
      return { deleted, refused: told, 'runs with its stores': 'yes' };
    },
  },
  {
    name: 'changelog-recreated',
    about: 'a changelog deleted and created anew: refused, with and without the stores',
    on: 'kafka',
    run: soldOut,
    afterwards: async (stage) => {
      const operator = await stopped(stage, 'SIGTERM');
      await operator.recreate(changelogOf(stage));
      const told = await refused(stage, 'LOG_LOST');
      rmSync(stage.stateDirectory(), { recursive: true });
      return { refused: told, 'refused without stores': await refused(stage, 'LOG_LOST') };
    },
  },
  {
    name: 'source-recreated',
    about: 'the commands deleted and created anew: refused, until an operator sets the offsets',
    on: 'kafka',
    run: soldOut,
    afterwards: async (stage) => {
      const operator = await stopped(stage, 'SIGTERM');
      await operator.recreate(TOPICS.commands);
      // Before it runs: these are the first records of the new topic.
      await stage.load.replay();
      const partitions = await partitionsOf(operator.admin, TOPICS.commands);
      const ends = await operator.admin.listOffsets(partitions, 'latest', 'read_uncommitted');
      const told = await refused(stage, 'LOG_LOST');
      // It is new on purpose: the operator says where to go on, in each input of the task.
      const inputs = [...partitions, ...(await partitionsOf(operator.admin, TOPICS.payments))];
      const begin = inputs.map(
        (one) => [partitionKey(one.topic, one.partition), { ...one, offset: 0 }] as const,
      );
      await operator.commit(stage.applicationId, new Map(begin));
      await stage.started();
      const group = stage.applicationId;
      await stage.until('the new commands to be consumed', async () => {
        const committed = await operator.admin.committedOffsets(group, partitions, {
          requireStable: true,
        });
        const positionOf = (key: string) => Math.max(0, committed.get(key)?.offset ?? 0);
        return [...ends].every(([key, { offset }]) => positionOf(key) >= offset);
      });
      return {
        refused: told,
        'consumed anew': [...ends.values()].reduce((sum, { offset }) => sum + offset, 0),
      };
    },
  },
  {
    name: 'partitions-added',
    about: 'the commands get another partition, then the payments as well: refused',
    on: 'kafka',
    run: soldOut,
    afterwards: async (stage) => {
      const operator = await stopped(stage, 'SIGTERM');
      const { length } = await partitionsOf(operator.admin, TOPICS.commands);
      await operator.addPartitions(TOPICS.commands, length + 1);
      const unequal = await refused(stage, 'TOPOLOGY_INVALID');
      await operator.addPartitions(TOPICS.payments, length + 1);
      const changed = await refused(stage, 'PARTITIONS_CHANGED');
      return { partitions: length + 1, 'refused as unequal': unequal, 'as changed': changed };
    },
  },
];
