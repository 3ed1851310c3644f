import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probe, whyNot } from '../../kit/foreign-client.ts';
import { BrokerChild } from './broker-child.ts';

const SOURCE = path.join(import.meta.dirname, 'franz-go');
/** No toolchain is fetched: a Go that is too old is a reason to skip. */
const go = { cwd: SOURCE, env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' } };

const missing =
  whyNot('no go on the PATH', ['go', 'version']) ??
  whyNot('its modules cannot be had', ['go', 'mod', 'download'], go);
if (missing !== undefined) console.warn(`SKIPPED franz-go against the embedded broker: ${missing}`);

describe.skipIf(missing !== undefined)('franz-go', () => {
  let directory: string;
  let binary: string;

  beforeAll(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'franz-go-'));
    binary = path.join(directory, 'probe');
    execFileSync('go', ['build', '-o', binary, '.'], go);
  }, 240_000);
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

  for (const version of ['1', '2']) {
    test(`administers, writes with every codec, and moves records exactly once with transactions V${version}`, async () => {
      const broker = await BrokerChild.start({ 'transaction.version': version });
      try {
        expect(await probe([binary, broker.address])).toEqual({
          'created twice': true,
          grown: 4,
          'retention.ms': '3600000',
          'cleanup.policy': 'delete,compact',
          deleted: true,
          none: '500 of 500',
          gzip: '500 of 500',
          snappy: '500 of 500',
          lz4: '500 of 500',
          zstd: '500 of 500',
          committed: ['first', 'last'],
          zombie: true,
          'after the zombie': ["heir's"],
          moved: '600 of 600',
          offsets: 600,
          lag: 0,
          state: 'Empty',
          transaction: 'CompleteCommit',
          'groups left': false,
        });
      } finally {
        await broker.remove();
      }
    }, 120_000);
  }
});
