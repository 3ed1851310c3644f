/**
 * Child process of node-disk.test.ts: appends to the data directory in argv[2] until it is killed,
 * and prints every acknowledged `<partition> <offset> <value>` at once.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { systemRandom } from '../../../base/random.ts';
import { nodeDisk } from '../../../embedded-kafka/disk/node-disk.ts';
import { openTopicManager } from '../../../embedded-kafka/partitions/topic-manager.ts';
import { batchOf } from '../storage-fixture.ts';

const STDOUT = 1;
const PARTITIONS = 3;

const topics = await openTopicManager({
  disk: nodeDisk(process.argv[2]!),
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  onFailure: (error) => {
    throw error;
  },
});
if (topics.topic('t') === undefined) {
  const configs = new Map([['segment.bytes', '20000']]);
  topics.createTopic({ name: 't', partitions: PARTITIONS, configs });
}

async function appendForever(index: number): Promise<void> {
  const partition = topics.partition('t', index)!;
  for (let count = 0; ; count++) {
    const value = `${process.pid} ${count} ${'.'.repeat(count % 400)}`;
    const { baseOffset } = await partition.append({
      records: batchOf([{ value, timestampMs: systemClock.nowMs() }]),
      acks: -1,
      transactionalId: null,
    });
    writeSync(STDOUT, `${index} ${baseOffset} ${value}\n`);
  }
}

await Promise.all(Array.from({ length: PARTITIONS }, (_, index) => appendForever(index)));
