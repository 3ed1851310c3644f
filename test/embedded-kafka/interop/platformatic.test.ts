import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { probe, whyNot } from '../../kit/foreign-client.ts';
import { BrokerChild } from './broker-child.ts';

const PACKAGE = '@platformatic/kafka@2.12.1';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'platformatic-'));
const source = path.join(directory, 'probe.mjs');
fs.copyFileSync(path.join(import.meta.dirname, 'platformatic-probe.mjs'), source);
// A package file here keeps npm from looking for one further up.
fs.writeFileSync(path.join(directory, 'package.json'), '{"private":true}');
const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', PACKAGE] as const;

const missing = whyNot(`${PACKAGE} cannot be had`, ['npm', ...install], { cwd: directory });
if (missing !== undefined) {
  fs.rmSync(directory, { recursive: true, force: true });
  console.warn(`SKIPPED @platformatic/kafka against the embedded broker: ${missing}`);
}

describe.skipIf(missing !== undefined)('@platformatic/kafka', () => {
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

  test('administers, writes with every codec, commits and aborts, and reads as groups', async () => {
    const broker = await BrokerChild.start();
    try {
      expect(await probe([process.execPath, source, broker.address])).toEqual({
        topics: ['plain', 'transacted'],
        read: 1500,
        committed: ['first', 'last'],
        state: 'Empty',
        left: ['transacted'],
      });
    } finally {
      await broker.remove();
    }
  }, 120_000);
});
