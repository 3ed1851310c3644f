/** An instance that has another event for the festival than those that run does not join them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openSale } from '../../../bench/sale-client.ts';
import { type SaleProcess, saleProcess } from '../../kit/sale-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-difference-'));
const SESSION = {
  STREAMS_SESSION_TIMEOUT_MS: '6000',
  PEER_TOKEN: 'a-shared-secret-of-peers',
};
let first: SaleProcess;
let second: SaleProcess | undefined;

afterAll(async () => {
  await second?.kill('SIGKILL');
  await first.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

test('it ends with a named error, and the others go on', { timeout: 180_000 }, async () => {
  first = await saleProcess({
    directory: join(directory, 'one'),
    env: { ...SESSION, FESTIVAL_EVENT: 'fest' },
  });
  first.start();
  await first.ready();
  await openSale(first.httpUrl, { eventId: 'fest', zones: [{ zoneId: 'vip', capacity: 9 }] });
  second = await saleProcess({
    directory: join(directory, 'two'),
    kafkaBrokers: first.brokers,
    env: { ...SESSION, FESTIVAL_EVENT: 'gala', SCHEMA_REGISTRY_URL: first.registryUrl },
  });
  second.start();
  await expect(second.ready()).rejects.toThrow('ended while starting');
  expect(second.endedBy).toBe(1);
  const said = readFileSync(second.logFile, 'utf8');
  expect(said).toContain('SETTINGS_DIFFER: FESTIVAL_EVENT is "gala" here, and "fest"');
  const left = await fetch(`${first.httpUrl}/festival/v1/tickets/vip/inventory`);
  expect(await left.json()).toEqual({ ticketType: 'vip', availableCount: 9 });
});
