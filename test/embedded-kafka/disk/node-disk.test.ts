import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import { seededRandom, systemRandom } from '../../../base/random.ts';
import { nodeDisk } from '../../../embedded-kafka/disk/node-disk.ts';
import { readSealedJson, writeSealedJson } from '../../../embedded-kafka/disk/sealed-file.ts';
import { openTopicManager } from '../../../embedded-kafka/partitions/topic-manager.ts';
import { readAll } from '../storage-fixture.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'node-disk-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('the real disk', () => {
  test('appends, reads, truncates and says how long a file is', async () => {
    const disk = nodeDisk(directory);
    disk.makeDirectory('a/b');
    const file = disk.open('a/b/file', { create: true });
    file.append([Buffer.from('one '), Buffer.from('two '), Buffer.from('three')]);
    await file.sync();
    expect(file.read(4, 100).toString()).toBe('two three');
    expect(file.read(100, 5).length).toBe(0);
    file.truncate(4);
    file.append([Buffer.from('more')]);
    expect(file.sizeBytes()).toBe(8);
    file.close();
    const again = disk.open('a/b/file', { create: false });
    expect(again.read(0, 100).toString()).toBe('one more');
    again.close();
  });

  test('writes thousands of buffers at once', () => {
    const disk = nodeDisk(directory);
    const file = disk.open('file', { create: true });
    const parts = Array.from({ length: 5000 }, (_, index) => Buffer.from(`${index},`));
    file.append(parts);
    expect(file.read(0, file.sizeBytes())).toEqual(Buffer.concat(parts));
    file.close();
  });

  test('lists, renames and removes', () => {
    const disk = nodeDisk(directory);
    disk.makeDirectory('d');
    disk.open('d/x', { create: true }).close();
    disk.open('d/y', { create: true }).close();
    expect(disk.list('d')).toEqual(['x', 'y']);
    disk.rename('d/x', 'd/y');
    expect(disk.list('d')).toEqual(['y']);
    disk.remove('d');
    expect(disk.exists('d')).toBe(false);
    expect(disk.list('d')).toEqual([]);
  });

  test('closes a file only after its sync, and says STORE_IO for what is not there', async () => {
    const disk = nodeDisk(directory);
    const file = disk.open('file', { create: true });
    file.append([Buffer.from('x')]);
    const synced = file.sync();
    file.close();
    await expect(synced).resolves.toBeUndefined();
    expect(() => disk.open('none', { create: false })).toThrow(/none/);
  });

  test('keeps small files whole or not at all', () => {
    const disk = nodeDisk(directory);
    expect(readSealedJson(disk, 'f')).toBeUndefined();
    writeSealedJson(disk, 'f', { a: 1 });
    writeSealedJson(disk, 'f', { a: 2 });
    expect(readSealedJson(disk, 'f')).toEqual({ a: 2 });
    expect(disk.list('')).toEqual(['f']);
    disk.open('f', { create: false }).append([Buffer.from('x')]);
    expect(readSealedJson(disk, 'f')).toBeUndefined();
  });
});

describe('a broker killed with SIGKILL', () => {
  test('has everything that it acknowledged, time after time', async () => {
    const random = seededRandom(7);
    const acknowledged = new Map<string, string>();
    for (let life = 0; life < 6; life++) {
      for (const line of await runUntilKilled(directory, 100 + random.next() * 200)) {
        const [partition, offset, ...value] = line.split(' ');
        acknowledged.set(`${partition} ${offset}`, value.join(' '));
      }
    }
    expect(acknowledged.size).toBeGreaterThan(100);
    const topics = await openTopicManager({
      disk: nodeDisk(directory),
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      onFailure: (error) => {
        throw error;
      },
    });
    const found = new Map<string, string | null>();
    for (const partition of topics.topic('t')!.partitions) {
      const seen = readAll(partition);
      expect(seen.map(({ offset }) => offset)).toEqual(seen.map((_, index) => index));
      for (const { offset, value } of seen) found.set(`${partition.partition} ${offset}`, value);
    }
    const lost = [...acknowledged].filter(([place, value]) => found.get(place) !== value);
    expect(lost).toEqual([]);
    await topics.close();
  }, 60_000);
});

/** Runs the child, kills it so long after its first line, and gives its whole lines. */
function runUntilKilled(dataDirectory: string, killAfterMs: number): Promise<string[]> {
  const script = path.join(import.meta.dirname, 'append-until-killed.ts');
  const child = spawn(process.execPath, [script, dataDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.once('data', () => systemClock.after(killAfterMs, () => child.kill('SIGKILL')));
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (_code, signal) => {
      if (signal === 'SIGKILL') resolve(printed.split('\n').slice(0, -1));
      else reject(new Error('the child ended by itself'));
    });
  });
}
