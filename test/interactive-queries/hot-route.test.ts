/** A route that is answered ahead of Koa: nobody can tell. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { createHttpApp, type HttpApp } from '../../interactive-queries/http/http-app.ts';
import { Problem } from '../../interactive-queries/http/problem.ts';
import type { Route } from '../../interactive-queries/http/route.ts';

let handle: Route['handle'];
let app: HttpApp;
let url: string;
const answered: string[] = [];

const plain = {
  method: 'GET',
  operationId: 'x',
  summary: '',
  tag: 'test',
  access: 'open',
  answers: { 200: { about: 'ok' } },
  handle: (request) => handle(request),
} as const satisfies Partial<Route>;

const PATHS = ['/cold', '/hot'] as const;

beforeAll(async () => {
  app = createHttpApp({
    routes: [
      { ...plain, path: '/cold' },
      { ...plain, path: '/hot', isHot: true },
    ],
    authenticate: 'none',
    bodyLimitBytes: 100,
    log: silentLog,
    onAnswered: (route, method, status) => answered.push(`${method} ${route} ${status}`),
    onProblem: () => {},
    headers: {},
    monotonicMs: () => 0,
  });
  url = `http://127.0.0.1:${await app.listen('127.0.0.1', 0, 'HTTP_PORT')}`;
});

afterAll(() => app.close(0));

beforeEach(() => {
  answered.length = 0;
});

/** What comes back, its own name aside. */
async function told(path: string, method = 'GET') {
  const answer = await fetch(url + path, { method });
  const headers = [...answer.headers].filter(([name]) => name !== 'date');
  const body = (await answer.text()).replaceAll(path, '');
  return { status: answer.status, headers: Object.fromEntries(headers), body };
}

const body = { some: 'thing' };
const headers = { ETag: '"1"', 'Cache-Control': 'no-store' };
const cases: Readonly<Record<string, Route['handle']>> = {
  'an object': () => ({ status: 200, headers, body }),
  'text that comes later': async () => ({ status: 201, headers, body: 'text' }),
  'no body': () => ({ status: 304, headers }),
  'a problem': () => {
    throw new Problem('conflict');
  },
  'a problem that comes later': async () => {
    throw new Problem('rebalancing');
  },
  'a fault': () => {
    throw new Error('of ours');
  },
  'what cannot be sent': () => ({ status: 200, headers: { 'X-Torn': 'in\ntwo' }, body }),
};

describe.each(Object.keys(cases))('%s', (name) => {
  test.each(['GET', 'HEAD'])('is the same for %s, ahead of Koa or not', async (method) => {
    handle = cases[name]!;
    const [cold, hot] = [await told('/cold', method), await told('/hot', method)];
    expect({ ...hot, headers: { ...hot.headers, 'content-length': '' } }).toEqual({
      ...cold,
      headers: { ...cold.headers, 'content-length': '' },
    });
    expect(answered).toEqual(PATHS.map((path) => `${method} ${path} ${cold.status}`));
  });
});

test('what Node refuses to send is 500, and the next request is answered', async () => {
  handle = cases['what cannot be sent']!;
  expect((await told('/hot')).status).toBe(500);
  handle = cases['an object']!;
  const { status, headers: got } = await told('/hot');
  expect([status, got['cache-control'], got['x-content-type-options']]).toEqual([
    200,
    'no-store',
    'nosniff',
  ]);
});
