/**
 * Postgres, durable: fsync, synchronous_commit and full_page_writes stay on; memory and log are sized
 * as anybody would for the machine. Fresh for each run, with the books of an earlier event in it: on
 * empty tables the planner would choose, and keep, sequential scans.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/kit/apache-kafka.ts';
import { startServer } from './http-process.ts';
import { NODE_RIVALS } from './node-packages.ts';
import type { ZoneStock } from './rival.ts';
import type { TicketDatabase, TicketDatabaseKind } from './ticket-office.ts';

/** Debian keeps the server's programs off the PATH. */
const DEBIAN_HOME = '/usr/lib/postgresql';
const SETTINGS = [
  'shared_buffers=1GB',
  'max_wal_size=4GB',
  'fsync=on',
  'synchronous_commit=on',
  'full_page_writes=on',
  'max_connections=100',
  'listen_addresses=127.0.0.1',
];
const EARLIER_EVENT = `
INSERT INTO zones (id, capacity, sold) SELECT 'earlier-' || g, 100, 100 FROM generate_series(1, 2000) g;
INSERT INTO purchases (id, zone, buyer, quantity, accepted)
  SELECT gen_random_uuid(), 'earlier-' || g % 2000 + 1, 'buyer-' || g, 1, true
  FROM generate_series(1, 100000) g;`;
const AUDIT = `
WITH booked AS (SELECT zone, sum(quantity) AS quantity FROM purchases WHERE accepted GROUP BY zone)
SELECT COALESCE(sum(sold), 0),
  count(*) FILTER (WHERE sold > capacity OR sold <> COALESCE(quantity, 0))
FROM zones LEFT JOIN booked ON zone = id WHERE id LIKE 'zone-%'`;

export function postgres(backend: string): TicketDatabaseKind {
  return {
    backend,
    whyNot: () => {
      if (programs() === undefined) return 'no Postgres server here';
      return runsAsRoot() && postgresUser() === undefined ? 'no user postgres here' : undefined;
    },
    start: startPostgres,
  };
}

async function startPostgres(
  directory: string,
  zones: readonly ZoneStock[],
): Promise<TicketDatabase> {
  const home = programs()!;
  const data = join(directory, 'postgres');
  mkdirSync(data, { mode: 0o700 });
  const user = runsAsRoot() ? postgresUser() : undefined;
  if (user !== undefined) {
    // The folders of a run are ours alone; the server only has to get through.
    execFileSync('chmod', ['a+x', directory]);
    chownSync(data, user.uid, user.gid);
  }
  const asUser = { cwd: data, stdio: 'ignore' as const, ...user };
  execFileSync(
    join(home, 'initdb'),
    ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync'],
    asUser,
  );
  const port = await freePort();
  const settings = [...SETTINGS, `port=${port}`, `unix_socket_directories=${data}`];
  const server = await startServer({
    command: [join(home, 'postgres'), '-D', data, ...settings.flatMap((each) => ['-c', each])],
    port,
    logFile: join(directory, 'postgres.log'),
    ...(user === undefined ? {} : { user }),
  });
  const sql = (...texts: string[]) => runSql(home, port, texts);
  sql(readFileSync(join(NODE_RIVALS, 'schema.sql'), 'utf8'), stockOf(zones), EARLIER_EVENT);
  sql('VACUUM ANALYZE zones', 'VACUUM ANALYZE purchases', 'CHECKPOINT');
  return {
    pid: server.pid,
    port,
    audit: async (sold) => {
      const [booked, wrong] = sql(AUDIT).trim().split('|').map(Number);
      return booked === sold && wrong === 0;
    },
    stop: () => server.stop(),
  };
}

function stockOf(zones: readonly ZoneStock[]): string {
  const rows = zones.map(({ zoneId, capacity }) => `('${zoneId}', ${capacity})`);
  return `INSERT INTO zones (id, capacity) VALUES ${rows.join(', ')}`;
}

function runSql(home: string, port: number, texts: readonly string[]): string {
  const where = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres'];
  const commands = texts.flatMap((text) => ['-c', text]);
  const args = ['-qAtX', '-v', 'ON_ERROR_STOP=1', ...where, ...commands, 'postgres'];
  return execFileSync(join(home, 'psql'), args, { encoding: 'utf8' });
}

/** The newest version that Debian has put there, or what is on the PATH. */
function programs(): string | undefined {
  const candidates = [
    ...(existsSync(DEBIAN_HOME)
      ? readdirSync(DEBIAN_HOME)
          .sort((a, b) => Number(b) - Number(a))
          .map((version) => join(DEBIAN_HOME, version, 'bin'))
      : []),
    ...(process.env['PATH'] ?? '').split(':'),
  ];
  return candidates.find((folder) => existsSync(join(folder, 'postgres')));
}

/** Postgres refuses to run as root. */
function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

function postgresUser(): { uid: number; gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
