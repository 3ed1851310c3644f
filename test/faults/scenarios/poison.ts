/**
 * More of bad input: commands of other versions, of aborted transactions, a bug in the sale's own code,
 * a topic of dead letters that takes none.
 */
import { openSale, purchaseNumber, type Sale } from '../../../bench/sale-client.ts';
import { partitionForKey } from '../../../kafka/murmur2.ts';
import { partitionKey, type TransactionOutcome } from '../../../kafka/ports.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import { toBytes } from '../../../schemas/serde.ts';
import type { PurchaseCommand } from '../../../ticket-sales/domain/command.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { DEAD_LETTERS, deadLetters, expectLetters, type Letter } from '../kit/dead-letters.ts';
import { operatorOf } from '../kit/operator.ts';
import type { Stage } from '../kit/stage.ts';
import { type OddSchema, oddWriter } from '../load/odd-commands.ts';
import { type Evidence, expect, type Scenario, Skipped } from '../scenario.ts';

const BEFORE = 150;
const AFTER = 100;
const OF_EACH = 20;
const BUGS = 6;
/** Far from the numbers of those who really ask. */
const NOBODY = 1_000_000;
const BATCH_BYTES = 100_000;

const keyOf = ({ eventId, zoneId }: PurchaseCommand) => Buffer.from(zoneKey(eventId, zoneId));

function partitionOf({ client }: Stage, key: Buffer): number {
  return partitionForKey(key, 0, key.length, client.partitionCount);
}

async function running(stage: Stage): Promise<void> {
  await stage.started();
  await stage.open();
  await stage.load.decidesMore(BEFORE);
}

async function killed(stage: Stage): Promise<void> {
  await (await stage.instance()).kill('SIGKILL');
  await stage.started();
}

// ── T6, T7 ─────────────────────────────────────────────────────────────────────────────────────

async function otherVersions(stage: Stage): Promise<Evidence> {
  await running(stage);
  const { producer } = stage.client;
  for (const name of ['older', 'newer'] as const satisfies readonly OddSchema[]) {
    const write = await oddWriter(stage.client, name);
    for (let count = 0; count < OF_EACH; count++) {
      await stage.load.askBy(async (purchase) => {
        const key = keyOf(purchase);
        const record = { key, value: write(purchase) };
        await producer.send(TOPICS.commands, partitionOf(stage, key), record);
      });
    }
    await killed(stage);
    await stage.load.decidesMore(AFTER);
  }
  await stage.load.pause();
  expectLetters(await deadLetters(stage), []);
  return { 'T6 older': OF_EACH, 'T7 newer': OF_EACH, 'dead letters': 'none' };
}

// ── T19 ────────────────────────────────────────────────────────────────────────────────────────

/** Purchases that are produced in a transaction which does not commit. */
function unasked(stage: Stage, round: number) {
  const builders = new Map<number, BatchBuilder>();
  for (let count = 0; count < OF_EACH; count++) {
    const purchase = purchaseNumber(stage.sale, NOBODY + round * OF_EACH + count);
    const key = keyOf(purchase);
    const partition = partitionOf(stage, key);
    const builder = builders.get(partition) ?? new BatchBuilder({ sizeBytesMax: BATCH_BYTES });
    builders.set(partition, builder);
    builder.append(Date.now(), key, Buffer.from(toBytes(stage.client.serdes.command, purchase)));
  }
  return [...builders].map(([partition, builder]) =>
    builder.finish(TOPICS.commands, partition, 'none'),
  );
}

async function abortedCommands(stage: Stage): Promise<Evidence> {
  await running(stage);
  const { kafka } = stage.client;
  const options = { transactionTimeoutMs: 30_000 };
  const producer = kafka.transactionalProducer(`${stage.applicationId}-unsure`, options);
  stage.atTheEnd(() => producer.close());
  const nowhere = {
    topic: TOPICS.commands,
    partition: 0,
    offset: 0,
    leaderEpoch: -1,
    metadata: '',
  };
  const outcomes: TransactionOutcome['kind'][] = [];
  let aborted = 0;
  await producer.init();
  for (let round = 0; round < BUGS; round++) {
    const batches = unasked(stage, round);
    // Whose generation nobody knows cannot commit: produced it is by then.
    const outcome = await producer.commit({
      batches,
      offsets: new Map([[partitionKey(nowhere.topic, nowhere.partition), nowhere]]),
      group: async () => undefined,
    });
    outcomes.push(outcome.kind);
    aborted += batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
    if (round % 2 === 0) await killed(stage);
    // Ends it; until then nobody can read on.
    await producer.init();
    await stage.load.decidesMore(AFTER);
  }
  expect(
    outcomes.every((kind) => kind === 'aborted'),
    `transactions that are aborted, not ${outcomes.join(', ')}`,
  );
  await stage.load.pause();
  expectLetters(await deadLetters(stage), []);
  return { 'aborted commands': aborted, 'dead letters': 'none' };
}

// ── T17 ────────────────────────────────────────────────────────────────────────────────────────

/**
 * After the judgement, in an event of its own: for the auditor, who knows the rules and not the bug, a
 * good command among the dead letters is a violation, and rightly so.
 */
async function ownCodeThrows(stage: Stage): Promise<Evidence> {
  const sale: Sale = {
    eventId: `${stage.sale.eventId}-bugs`,
    zones: [{ zoneId: 'floor', capacity: 100 }],
  };
  const { client } = stage;
  const { httpUrl } = client.addresses;
  await openSale(httpUrl, sale);
  const planted: (Letter & { readonly name: string })[] = [];
  let good = 0;
  for (let round = 0; round < BUGS; round++) {
    for (const name of ['bug-before', 'bug-after']) {
      const number = planted.length;
      const purchase = { ...purchaseNumber(sale, number), buyerId: `${name}-${number}` };
      const key = keyOf(purchase);
      const value = Buffer.from(toBytes(client.serdes.command, purchase));
      const headers = [{ key: 'trace', value: Buffer.from(`${round}`) }];
      planted.push({ name, key, value, headers });
      await client.producer.send(TOPICS.commands, partitionOf(stage, key), { key, value, headers });
      await client.send(purchaseNumber(sale, NOBODY + good++));
    }
    if (round % 2 === 0) await killed(stage);
  }
  let sold: unknown;
  await stage.until(`${good} to be sold where the code has a bug`, async () => {
    const path = `/v1/events/${sale.eventId}/zones/floor/inventory`;
    const answer = await fetch(`${httpUrl}${path}`).catch(() => undefined);
    if (answer?.ok !== true) return false;
    ({ sold } = (await answer.json()) as { sold: unknown });
    return sold === good;
  });
  expectLetters(await deadLetters(stage), planted);
  return { threw: planted.length, 'dead letters, whole': planted.length, 'sold beside': good };
}

// ── T20 ────────────────────────────────────────────────────────────────────────────────────────

async function deadLettersRefused(stage: Stage): Promise<Evidence> {
  const { brokers } = stage.ground;
  if (brokers === undefined) throw new Skipped('needs a Kafka that outlives the app');
  await running(stage);
  const operator = operatorOf(brokers);
  stage.atTheEnd(() => operator.close());
  await operator.configure(DEAD_LETTERS, {
    'cleanup.policy': 'delete',
    'max.message.bytes': '500',
  });
  const { zoneId } = stage.sale.zones[0]!;
  const key = Buffer.from(zoneKey(stage.sale.eventId, zoneId));
  const value = Buffer.alloc(5_000, 'not a command');
  const partition = partitionOf(stage, key);
  const { offset } = await stage.client.producer.send(TOPICS.commands, partition, { key, value });
  const endedBy = await stage.ended();
  expect(endedBy === 1, `an end with exit code 1, not ${endedBy}`);
  const told = await stage.logged(/MESSAGE_TOO_LARGE[^\n]*/);
  expect(told > 0, 'the refusal of the dead letter to be told');
  const at = { topic: TOPICS.commands, partition };
  const committed = await operator.admin.committedOffsets(stage.applicationId, [at], {
    requireStable: true,
  });
  const position = committed.get(partitionKey(at.topic, partition))?.offset ?? -1;
  expect(position <= offset, `nothing behind ${offset} to be consumed, not up to ${position}`);
  await operator.configure(DEAD_LETTERS, { 'cleanup.policy': 'delete' });
  await stage.started();
  await stage.load.decidesMore(AFTER);
  await stage.load.pause();
  expectLetters(await deadLetters(stage), [{ name: 'T20', key, value, headers: [] }]);
  return { refused: told, 'ended with': endedBy, 'dead letters later': 1 };
}

export const poisonScenarios: readonly Scenario[] = [
  {
    name: 'other-schema-versions',
    about:
      'commands written with an older and with a newer schema, and kills: decided as any other',
    on: 'kafka',
    run: otherVersions,
  },
  {
    name: 'aborted-commands',
    about: 'commands of transactions that abort, and kills: skipped, and the partitions go on',
    on: 'kafka',
    run: abortedCommands,
  },
  {
    name: 'own-code-throws',
    about:
      'a bug in the processor, before or after its effects, and kills: dead letters, no effect',
    on: 'kafka',
    preloads: ['planted-bug'],
    run: async (stage) => {
      await running(stage);
      return { judged: 'before the bug is met' };
    },
    afterwards: ownCodeThrows,
  },
  {
    name: 'dead-letters-refused',
    about: 'the topic of dead letters takes none: the app ends and consumes nothing, until it does',
    on: 'kafka',
    run: deadLettersRefused,
  },
];
