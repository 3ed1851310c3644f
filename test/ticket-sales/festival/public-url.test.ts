/** Where a status is to be asked for: never where a stranger's Host header says. */
import { expect, test } from 'vitest';
import { type FestivalAddress, festivalUrl } from '../../../ticket-sales/festival/public-url.ts';

const address: FestivalAddress = {
  publicUrl: undefined,
  basePath: '/festival/v1',
  ownHosts: new Set(['localhost', '127.0.0.1', '[::1]', 'sale-1.test']),
  self: { host: 'sale-1.test', port: 8080 },
};
const at = (host: string | undefined, localPort: number | undefined = 8080) =>
  festivalUrl(address, { host, localPort });

test.each(['localhost:8080', '127.0.0.1:8080', '[::1]:8080', 'SALE-1.test:8080'])(
  'a Host that is ours, %s, is taken',
  (host) => expect(at(host)).toBe(`http://${host}/festival/v1`),
);

test.each([
  undefined,
  '',
  'evil.test',
  'evil.test:8080',
  'localhost:666',
  'localhost',
  'localhost:8080@evil.test',
  'user@localhost:8080',
  'localhost:8080/x',
  'localhost:8080, evil.test',
  'localhost:080808',
])('any other, %s, is not: our own address is told', (host) => {
  expect(at(host)).toBe('http://sale-1.test:8080/festival/v1');
});

test('the port may be the one that the connection came in by', () => {
  expect(at('localhost:41234', 41_234)).toBe('http://localhost:41234/festival/v1');
  expect(at('localhost', 80)).toBe('http://localhost/festival/v1');
});

test('what is configured needs no request', () => {
  const configured = { ...address, publicUrl: 'https://fest.example/v1/' };
  expect(festivalUrl(configured, { host: 'localhost:8080', localPort: 8080 })).toBe(
    'https://fest.example/v1',
  );
});
