import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { probe, whyNot } from '../../kit/foreign-client.ts';
import { BrokerChild } from './broker-child.ts';

/** Its wheel brings librdkafka along. */
const PACKAGE = 'confluent-kafka==2.16.1';
const SOURCE = path.join(import.meta.dirname, 'librdkafka_probe.py');

const environment = fs.mkdtempSync(path.join(os.tmpdir(), 'librdkafka-'));
const python = path.join(environment, 'bin', 'python');
const install = ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', PACKAGE];

const missing =
  whyNot('no python3 with venv', ['python3', '-m', 'venv', environment]) ??
  whyNot(`${PACKAGE} cannot be had`, [python, ...install]);
if (missing !== undefined) {
  fs.rmSync(environment, { recursive: true, force: true });
  console.warn(`SKIPPED librdkafka’s groups and transactions on the embedded broker: ${missing}`);
}

describe.skipIf(missing !== undefined)('librdkafka', () => {
  afterAll(() => fs.rmSync(environment, { recursive: true, force: true }));

  test('administers, moves records in transactions, and shares partitions cooperatively', async () => {
    const broker = await BrokerChild.start();
    try {
      expect(await probe([python, SOURCE, broker.address])).toEqual({
        'created twice': 'TOPIC_ALREADY_EXISTS',
        'cleanup.policy': 'delete,compact DYNAMIC_TOPIC_CONFIG',
        'retention.ms': '604800000 DEFAULT_CONFIG',
        'max.message.bytes': '2000 DYNAMIC_TOPIC_CONFIG',
        partitions: 3,
        'too large': ['MSG_SIZE_TOO_LARGE'],
        deleted: true,
        nodes: 1,
        moved: true,
        read: true,
        committed: 30,
        zombie: ['_FENCED', true],
        // 30 moved, 20 aborted, 5 markers, and the zombie's record with its marker.
        ends: { READ_UNCOMMITTED: 57, READ_COMMITTED: 57 },
        'revoked from the first': [2],
        'gained by the second': 2,
        disjoint: true,
        group: ['STABLE', 'cooperative-sticky', 2],
        seen: [400, 400],
        offsets: 400,
        'groups left': false,
      });
    } finally {
      await broker.remove();
    }
  }, 120_000);
});
