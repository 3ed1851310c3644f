/**
 * Three real brokers of which one after the other is killed and started again, while one thread's pair
 * of producers commits as the engine does: after anything but 'committed' both are initialised, and work
 * goes on from the committed offset. In the end every number is in the log exactly once and in order.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGroupMember } from '../../kafka/group/group-member.ts';
import type { GroupMember, TransactionOutcome } from '../../kafka/ports.ts';
import { createTransactionalProducer } from '../../kafka/transactional-producer.ts';
import { type KafkaCluster, startKafkaCluster, whyNoKafka } from '../kit/apache-kafka.ts';
import { encodedBatch } from '../kit/batches.ts';
import { dealingProtocol } from '../kit/group-protocol.ts';
import {
  connectToKafka,
  createTopic,
  deps,
  type RealKafka,
  readAll,
  uniqueName,
} from '../kit/real-kafka.ts';

const PARTITIONS = 6;
const missing = whyNoKafka();
if (missing !== undefined) console.warn(`SKIPPED: broker failures (${missing})`);

describe.runIf(missing === undefined)('brokers that are killed during transactions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-failures-'));
  let brokers: KafkaCluster;
  let kafka: RealKafka;
  let member: GroupMember;

  beforeAll(async () => {
    brokers = await startKafkaCluster({ directory, nodeCount: 3, heapMb: 320 });
    kafka = connectToKafka(brokers.brokers);
  });

  afterAll(async () => {
    await member?.stop({ leave: false });
    kafka?.cluster.close();
    await brokers?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('every number is in the log once and in order, whatever each outcome was', async () => {
    const [input, output] = [
      await createTopic(kafka.admin, 1),
      await createTopic(kafka.admin, PARTITIONS),
    ];
    const timeouts = {
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      heartbeatIntervalMs: 1_000,
    };
    const groupId = uniqueName('group');
    member = createGroupMember(
      kafka.cluster,
      { groupId, groupInstanceId: null, ...timeouts },
      dealingProtocol(input, 1),
      deps,
    );
    await member.start();
    const pair = ['a', 'b'].map((name) =>
      createTransactionalProducer(
        kafka.cluster,
        `${groupId}-${name}`,
        { transactionTimeoutMs: 5_000 },
        deps,
      ),
    );
    const start = async (): Promise<number> => {
      for (const producer of pair) await producer.init();
      const partitions = [{ topic: input, partition: 0 }];
      const offsets = await kafka.admin.committedOffsets(groupId, partitions, {
        requireStable: true,
      });
      return Math.max(0, offsets.get(`${input}-0`)!.offset);
    };

    let isOver = false;
    const outcomes = new Map<TransactionOutcome['kind'], number>();
    const working = (async () => {
      let next = await start();
      for (let n = 0; !isOver; n++) {
        const values = [`${next}`, `${next + 1}`];
        const offset = next + values.length;
        const outcome = await pair[n % 2]!.commit({
          batches: Array.from({ length: PARTITIONS }, (_, partition) =>
            encodedBatch(output, partition, values),
          ),
          offsets: new Map([
            [`${input}-0`, { topic: input, partition: 0, offset, leaderEpoch: -1, metadata: '' }],
          ]),
          group: async (refused) => {
            if (refused !== undefined) await member.settled(refused);
            return member.metadata();
          },
        });
        outcomes.set(outcome.kind, (outcomes.get(outcome.kind) ?? 0) + 1);
        if (outcome.kind === 'fatal') throw outcome.cause;
        next = outcome.kind === 'committed' ? offset : await start();
      }
      return next;
    })();

    for (const node of brokers.nodes) {
      await sleep(2_000);
      await node.stop('SIGKILL');
      await sleep(3_000);
      await node.start();
      await sleep(4_000);
    }
    isOver = true;
    const next = await working;
    console.log(`${next} numbers; ${[...outcomes].map(([kind, n]) => `${kind} ${n}`).join(', ')}`);
    expect(outcomes.get('committed')).toBeGreaterThan(10);
    const expected = Array.from({ length: next }, (_, value) => `${value}`);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const records = await readAll(kafka, { topic: output, partition });
      expect(records.map((record) => record.slice(record.indexOf(':') + 1))).toEqual(expected);
    }
  }, 300_000);
});
