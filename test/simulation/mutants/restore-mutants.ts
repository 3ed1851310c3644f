/** Bugs in where a task begins, and up to where its state is restored. */

import {
  type Admin,
  type CommittedOffset,
  type KafkaClient,
  type ProducedRange,
  partitionKey,
  type TopicDescription,
} from '../../../kafka/ports.ts';
import { decodeResponse } from '../../../kafka/protocol/codec.ts';
import { fetchApi } from '../../../kafka/protocol/messages/fetch.ts';
import { listOffsetsApi } from '../../../kafka/protocol/messages/list-offsets.ts';
import { metadataApi } from '../../../kafka/protocol/messages/metadata.ts';
import { offsetFetchApi } from '../../../kafka/protocol/messages/offset-fetch.ts';
import type { BrokerConnector } from '../../../kafka/wire.ts';
import {
  changingAnswers,
  changingRequests,
  rewritingConnector,
} from '../../../simulation/rewriting-connector.ts';
import type { Process } from '../../../simulation/world/process.ts';
import { chores } from '../chores/scenario.ts';
import type { Mutant, Mutation } from '../mutants.ts';
import { saleLosingChangelog } from '../simulate.ts';
import { type Commit, withCommit } from './committing.ts';
import { answerOf, onChannel, requestIn } from './on-the-wire.ts';

const LATEST = -1;
const CHANGELOG = /-changelog$/;
const RESTORE = /-restore$/;
const WEEK_MS = 7 * 24 * 3_600_000;

const uncommitted = changingRequests(fetchApi, (request) => ({ ...request, isolationLevel: 0 }));

/** The end of a changelog is remembered for a while instead of asked for. */
function oldHighWatermarks(connector: BrokerConnector, process: Process): BrokerConnector {
  const asked = new Map<string, { readonly answer: Buffer; readonly atMs: number }>();
  return rewritingConnector(connector, async (header, body, exchange) => {
    if (header.apiKey !== listOffsetsApi.key) return exchange(body);
    const key = Buffer.from(body).toString('latin1');
    const known = asked.get(key);
    const nowMs = process.clock.monotonicMs();
    if (known !== undefined && nowMs - known.atMs < 5_000) return known.answer;
    const answer = await exchange(body);
    asked.set(key, { answer, atMs: nowMs });
    return answer;
  });
}

const changelogEnds = (change: (offset: number) => number) => (connector: BrokerConnector) =>
  rewritingConnector(connector, async (header, body, exchange) => {
    if (header.apiKey !== listOffsetsApi.key) return exchange(body);
    const request = requestIn<{
      topics: readonly { name: string; partitions: readonly { timestamp: number }[] }[];
    }>(listOffsetsApi as never, header, body);
    const isEnd = request.topics.some(
      ({ name, partitions }) =>
        CHANGELOG.test(name) && partitions.some(({ timestamp }) => timestamp === LATEST),
    );
    const answer = await exchange(body);
    if (!isEnd) return answer;
    const response = decodeResponse<{ topics: { partitions: { offset: number }[] }[] }>(
      listOffsetsApi as never,
      header.apiVersion,
      answer,
    );
    const topics = response.topics.map((topic) => ({
      ...topic,
      partitions: topic.partitions.map((each) => ({ ...each, offset: change(each.offset) })),
    }));
    return answerOf(listOffsetsApi, header, { ...response, topics } as never);
  });

/** After an unknown outcome the stores are believed to be where the last known one has left them. */
function unrestoredAfterUnknown(client: KafkaClient): KafkaClient {
  const written = new Map<string, number>();
  let isUnknown = false;
  const watched = withCommit(client, async (producer, transaction) => {
    const outcome = await producer.commit(transaction);
    isUnknown = outcome.kind === 'unknown';
    if (outcome.kind === 'committed') {
      for (const [key, { nextOffset }] of outcome.produced) written.set(key, nextOffset);
    }
    return outcome;
  });
  const listOffsets: Admin['listOffsets'] = async (partitions, spec, isolation) => {
    const offsets = await client.admin.listOffsets(partitions, spec, isolation);
    if (!isUnknown || spec !== 'latest') return offsets;
    const changed = new Map(offsets);
    for (const { topic, partition } of partitions) {
      const key = partitionKey(topic, partition);
      const offset = written.get(key);
      if (offset === undefined || !CHANGELOG.test(topic)) continue;
      changed.set(key, { ...offsets.get(key)!, offset });
    }
    return changed;
  };
  return { ...watched, admin: { ...client.admin, listOffsets } };
}

function withCommittedOffsets(change: (offset: number) => number): Mutant['mutation'] {
  const changed = (client: KafkaClient): KafkaClient => ({
    ...client,
    admin: {
      ...client.admin,
      committedOffsets: async (...asked) => {
        const offsets = await client.admin.committedOffsets(...asked);
        return new Map<string, CommittedOffset>(
          [...offsets].map(([key, each]) => [key, { ...each, offset: change(each.offset) }]),
        );
      },
    },
  });
  return () => ({ client: changed });
}

/** What a committed transaction is said to have written where. */
function produced(change: Change): Mutant['mutation'] {
  const commit: Commit = async (producer, transaction) => {
    const outcome = await producer.commit(transaction);
    if (outcome.kind !== 'committed') return outcome;
    const partitions = Map.groupBy(transaction.batches, ({ topic, partition }) =>
      partitionKey(topic, partition),
    );
    const ranges = new Map<string, ProducedRange>();
    for (const [key, batches] of partitions) {
      const count = batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
      const range = change(outcome.produced.get(key), count);
      if (range !== undefined) ranges.set(key, range);
    }
    return { kind: 'committed', produced: ranges };
  };
  return () => ({ client: (client) => withCommit(client, commit) });
}

type Change = (range: ProducedRange | undefined, recordCount: number) => ProducedRange | undefined;

const movedOn: Change = (range) => range && { ...range, nextOffset: range.nextOffset + 4 };

/** The offset of a duplicate's acknowledgement is -1. */
const believed: Change = (range, recordCount) =>
  range ?? { baseOffset: -1, nextOffset: recordCount - 1, leaderEpoch: 0 };

/** Of its name alone, whichever topic has it. */
function idOfName(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(32, '0').slice(-32);
}

/** What topics are called is all that the engine learns of them. */
const withoutTopicIds = changingAnswers(
  metadataApi as never,
  (response: { topics: readonly { name: string | null }[] }) => ({
    ...response,
    topics: response.topics.map((topic) => ({ ...topic, topicId: idOfName(topic.name ?? '') })),
  }),
);

/** As each process knew them first: a topic that took the name later is not noticed by a task that starts. */
function topicsAsPlanned(): NonNullable<Mutation['client']> {
  const knownTo = new WeakMap<Process, Map<string, TopicDescription>>();
  return (client, process) => {
    const known = knownTo.get(process) ?? new Map<string, TopicDescription>();
    knownTo.set(process, known);
    const describeTopics: Admin['describeTopics'] = async (names) => {
      const found = await client.admin.describeTopics(names);
      for (const [name, topic] of found) if (!known.has(name)) known.set(name, topic);
      return new Map([...found.keys()].map((name) => [name, known.get(name)!]));
    };
    return { ...client, admin: { ...client.admin, describeTopics } };
  };
}

export const RESTORE_MUTANTS: readonly Mutant[] = [
  {
    name: 'recreated-changelog-trusted',
    what: 'topics are told apart by their names alone: state of a deleted changelog is taken for that of the new one',
    mutation: () => ({ connector: withoutTopicIds }),
  },
  {
    name: 'planned-topics-trusted',
    what: 'a task that comes to an instance takes the topics for those that were there when the instance began',
    scenario: saleLosingChangelog,
    mutation: () => ({ client: topicsAsPlanned() }),
  },
  {
    name: 'unstable-offsets',
    what: 'a task starts from offsets without waiting for the transaction over them',
    mutation: () => ({
      connector: changingRequests(offsetFetchApi, (request) => ({
        ...request,
        requireStable: false,
      })),
    }),
  },
  {
    name: 'restore-to-lso',
    what: 'restore ends at the last stable offset instead of the high watermark',
    scenario: chores,
    mutation: () => ({
      connector: changingRequests(listOffsetsApi, (request) => ({ ...request, isolationLevel: 1 })),
    }),
  },
  {
    name: 'read-uncommitted',
    what: 'input and changelogs are read uncommitted',
    mutation: () => ({ connector: uncommitted }),
  },
  {
    name: 'uncommitted-restore',
    what: 'changelogs are restored uncommitted',
    mutation: () => ({ connector: onChannel(RESTORE, uncommitted) }),
  },
  {
    name: 'aborted-not-filtered',
    what: 'the list of aborted transactions is not looked at',
    mutation: () => ({
      connector: changingAnswers(
        fetchApi as never,
        (response: { responses: readonly { partitions: readonly object[] }[] }) => ({
          ...response,
          responses: response.responses.map((topic) => ({
            ...topic,
            partitions: topic.partitions.map((each) => ({ ...each, abortedTransactions: [] })),
          })),
        }),
      ),
    }),
  },
  {
    name: 'old-high-watermark',
    what: 'the high watermark of a changelog is from before the offsets were stable',
    mutation: () => ({ connector: oldHighWatermarks }),
  },
  {
    name: 'restore-skipped',
    what: 'changelogs are taken for empty',
    mutation: () => ({ connector: changelogEnds(() => 0) }),
  },
  {
    name: 'restore-short',
    what: 'restore leaves the last records of a changelog out',
    mutation: () => ({ connector: changelogEnds((offset) => Math.max(0, offset - 2)) }),
  },
  {
    name: 'unrestored-after-unknown',
    what: 'after an unknown outcome nothing is restored',
    mutation: () => ({ client: unrestoredAfterUnknown }),
  },
  {
    name: 'begins-too-early',
    what: 'a task begins with the last record that it had committed already',
    mutation: withCommittedOffsets((offset) => (offset > 0 ? offset - 1 : offset)),
  },
  {
    name: 'begins-too-late',
    what: 'a task skips a record when it starts',
    mutation: withCommittedOffsets((offset) => (offset > 0 ? offset + 1 : offset)),
  },
  {
    name: 'position-too-far',
    what: 'the position of a store is beyond what it has applied',
    mutation: produced(movedOn),
  },
  {
    name: 'position-of-duplicate',
    what: "the position of a store is taken from a duplicate's acknowledgement, whose offset is -1",
    scenario: chores,
    mutation: produced(believed),
  },
  {
    name: 'old-position-trusted',
    what: 'a position is trusted however old it is, though compaction has removed tombstones behind it',
    scenario: chores,
    mutation: () => ({
      config: (config) => ({ ...config, changelogDeleteRetentionMs: WEEK_MS }),
    }),
  },
];
