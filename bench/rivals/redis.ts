/** Redis with an append-only file, synced at every write or once a second. Fresh for each run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/kit/apache-kafka.ts';
import { startServer } from './http-process.ts';
import type { ZoneStock } from './rival.ts';
import type { TicketDatabase, TicketDatabaseKind } from './ticket-office.ts';

/** `everysec` may lose a second of what was acknowledged. */
export function redis(appendFsync: 'always' | 'everysec'): TicketDatabaseKind {
  return {
    backend: 'redis',
    whyNot: () => {
      const programs = ['redis-server', 'redis-cli'];
      const missing = programs.find((name) => spawnSync(name, ['--version']).status !== 0);
      return missing === undefined ? undefined : `no ${missing} on the PATH`;
    },
    start: (directory, zones) => startRedis(directory, zones, appendFsync),
  };
}

async function startRedis(
  directory: string,
  zones: readonly ZoneStock[],
  appendFsync: string,
): Promise<TicketDatabase> {
  const data = join(directory, 'redis');
  mkdirSync(data);
  const port = await freePort();
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: data,
    appendonly: 'yes',
    appendfsync: appendFsync,
    save: '',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const logFile = join(directory, 'redis.log');
  const server = await startServer({ command: ['redis-server', ...args], port, logFile });
  const cli = (...words: string[]) =>
    execFileSync('redis-cli', ['-p', String(port), ...words], { encoding: 'utf8' }).trim();
  const keys = zones.map(({ zoneId }) => `zone:${zoneId}`);
  cli('mset', ...zones.flatMap(({ capacity }, index) => [keys[index]!, String(capacity)]));
  return {
    pid: server.pid,
    port,
    audit: async (sold) => {
      const left = cli('mget', ...keys)
        .split('\n')
        .map(Number);
      const capacity = zones.reduce((sum, zone) => sum + zone.capacity, 0);
      const remaining = left.reduce((sum, count) => sum + count, 0);
      return left.every((count) => count >= 0) && capacity - remaining === sold;
    },
    stop: () => server.stop(),
  };
}
