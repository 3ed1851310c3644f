import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createDemoEvent } from '../../ticket-sales/app/demo.ts';
import { freePort } from '../kit/apache-kafka.ts';

const root = resolve(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the command line', () => {
  const run = (...args: string[]) =>
    execFileSync(process.execPath, ['cli/main.ts', ...args], { cwd: root, encoding: 'utf8' });

  test('tells the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(run('--version')).toBe(`${version}\n`);
  });

  test.each(['payments', 'notifications'])('%s says what it needs, and what it does', (service) => {
    expect(run(service, '--help')).toContain('docs/how-to/');
    expect(run('completion', 'bash')).toContain(service);
    const { status, stderr } = spawnSync(process.execPath, ['cli/main.ts', service], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, KAFKA_BROKERS: '' },
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining('CONFIG_MISSING: KAFKA_BROKERS says where the sale is'),
    ]);
  });

  test('keeps its compiled modules in the cache folder of the user, and does without', () => {
    const help = (cache: string) =>
      execFileSync(process.execPath, ['cli/main.ts', '--help'], {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, NODE_COMPILE_CACHE: undefined, XDG_CACHE_HOME: cache },
      });
    const said = help(join(directory, 'cache'));
    const files = readdirSync(join(directory, 'cache', 'millrace'), { recursive: true });
    expect(files.length).toBeGreaterThan(10);
    expect(help(join(directory, 'cache'))).toBe(said);
    expect(help('/dev/null/nowhere')).toBe(said);
  }, 60_000);

  test('stops orderly when the signal comes while the demo event is being made', async () => {
    const httpPort = await freePort();
    const env = {
      ...process.env,
      EMBEDDED_DATA_DIR: join(directory, 'kafka'),
      STREAMS_STATE_DIR: join(directory, 'state'),
      EMBEDDED_LISTEN: '127.0.0.1:0',
      EMBEDDED_REGISTRY_PORT: '0',
      HTTP_PORT: String(httpPort),
    };
    const child = spawn(process.execPath, ['cli/main.ts', 'start'], { cwd: root, env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8');
      });
    }
    const ended = new Promise((resolveEnd) => child.once('close', resolveEnd));
    // The API answers before anything can be created: that is when the demo event waits.
    const isUp = () =>
      fetch(`http://127.0.0.1:${httpPort}/livez`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await isUp())) {
      if (child.exitCode !== null) throw new Error(`it ended while starting: ${said}`);
      await new Promise(setImmediate);
    }
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(said).toContain('SIGTERM: stopping');
    expect(said).not.toContain('INTERNAL');
  }, 120_000);

  test('gives up making the demo event at once when told to, ready or not', async () => {
    const busy = createServer((socket) => {
      // The asker hangs up in the middle: that is what this is about.
      socket.on('error', () => {});
      socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n');
    });
    await new Promise<void>((listening) => busy.listen(0, '127.0.0.1', listening));
    const { port } = busy.address() as { port: number };
    const stop = new AbortController();
    const asked = new Promise((resolveAsked) => busy.once('connection', resolveAsked));
    const making = createDemoEvent(`http://127.0.0.1:${port}`, stop.signal);
    making.catch(() => {});
    await asked;
    stop.abort();
    await expect(making).rejects.toHaveProperty('name', 'AbortError');
    busy.close();
  });
});
