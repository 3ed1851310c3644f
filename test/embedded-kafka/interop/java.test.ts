import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { kafkaClassPath, whyNoKafka } from '../../kit/apache-kafka.ts';
import { BrokerChild } from './broker-child.ts';

const missing = whyNoKafka();
if (missing !== undefined)
  console.warn(`SKIPPED Java clients against the embedded broker: ${missing}`);

/** Runs a probe and resolves with its findings. Rejects with everything it said when it fails. */
function probe(
  name: string,
  args: readonly string[],
  onLine: (line: string) => void = () => {},
): Promise<Record<string, string>> {
  const source = path.join(import.meta.dirname, `${name}.java`);
  const child = spawn('java', ['-cp', kafkaClassPath(), source, ...args]);
  let said = '';
  let line = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-20_000);
  });
  const findings: Record<string, string> = {};
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (line + chunk.toString('utf8')).split('\n');
    line = lines.pop() ?? '';
    for (const each of lines) {
      const finding = /^FOUND (.*) = (.*)$/.exec(each);
      if (finding !== null) findings[finding[1] ?? ''] = finding[2] ?? '';
      onLine(each);
    }
  });
  return new Promise((resolve, reject) => {
    child.once('exit', (status) => {
      if (status === 0) resolve(findings);
      else
        reject(
          new Error(`${name} ended with ${status} after ${JSON.stringify(findings)}: ${said}`),
        );
    });
  });
}

describe.skipIf(missing !== undefined)('Apache Kafka’s Java clients', () => {
  let broker: BrokerChild;
  afterEach(() => broker.remove());

  for (const version of ['1', '2']) {
    test(`administer, consume as groups, and copy exactly once with transactions V${version}, as against Kafka itself`, async () => {
      broker = await BrokerChild.start({ 'transaction.version': version });
      expect(await probe('ClientsProbe', [broker.address])).toEqual({
        'transaction.version': version,
        nodes: '1',
        'created retention.ms': '3600000',
        'cleanup.policy': 'delete,compact',
        grown: '4',
        deleted: 'true',
        copied: '3000',
        state: 'Stable',
        distinct: '3000',
        offsets: '3000',
        transaction: 'CompleteCommit',
        'offsets left': '2',
        groups: '[copiers]',
        earliest: '5',
        zombie: 'ProducerFencedException',
        owner: 'nothing',
        slow: version === '2' ? 'InvalidTxnStateException' : 'ProducerFencedException',
      });
    }, 120_000);
  }

  test('count words exactly once in Kafka Streams, while the broker is killed again and again', async () => {
    broker = await BrokerChild.start();
    let isOver = false;
    let killing = Promise.resolve();
    const killAgainAndAgain = async () => {
      for (let kill = 0; kill < 3 && !isOver; kill++) {
        await new Promise((resolve) => setTimeout(resolve, 3000));
        await broker.stop('SIGKILL');
        await broker.start();
      }
    };
    const total = '40000';
    const state = path.join(broker.directory, 'streams-state');
    const findings = await probe('StreamsProbe', [broker.address, total, state], (line) => {
      if (line === 'READY') killing = killAgainAndAgain();
    });
    isOver = true;
    await killing;
    expect(findings).toEqual({ sum: total });
  }, 240_000);
});
