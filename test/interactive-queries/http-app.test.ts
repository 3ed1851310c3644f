/** Requests as bad clients send them: each gets the one answer that docs and table promise (H1-H37). */
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import Type from 'typebox';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { createHttpApp, type HttpApp } from '../../interactive-queries/http/http-app.ts';
import { PROBLEMS, Problem, retryAfter } from '../../interactive-queries/http/problem.ts';
import type { Route, RouteRequest } from '../../interactive-queries/http/route.ts';
import { exchange, type RawAnswer, requestText } from './raw-http.ts';

const BODY_LIMIT_BYTES = 4_096;
const id = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$' });
const strict = { additionalProperties: false };

const bodySchema = Type.Object(
  {
    seat: Type.Optional(id),
    seats: Type.Optional(Type.Array(id, { uniqueItems: true, minItems: 1, maxItems: 10 })),
    quantity: Type.Integer({ minimum: 1, maximum: 1_000 }),
    note: Type.Optional(Type.String({ maxLength: 20, pattern: '^(?!\\s*$)[^\\p{Cc}\\p{Cs}]+$' })),
    nested: Type.Optional(Type.Object({ 'a/b~c': Type.Optional(id) }, strict)),
  },
  strict,
);

let handle: (request: RouteRequest) => ReturnType<Route['handle']>;
let app: HttpApp;
let port: number;
let reached = 0;
const answered: string[] = [];
const problems: string[] = [];

const plain = {
  operationId: 'x',
  summary: '',
  tag: 'test',
  access: 'open',
  answers: { 200: { about: 'ok' } },
} as const;
const routes: readonly Route[] = [
  {
    ...plain,
    method: 'POST',
    path: '/v1/things',
    body: bodySchema,
    handle: ({ body }) => {
      reached++;
      return { status: 200, body: { got: body } };
    },
  },
  {
    ...plain,
    method: 'GET',
    path: '/v1/things/{thing}',
    params: { thing: id },
    query: { limit: Type.String({ pattern: '^[0-9]{1,3}$' }) },
    handle: (request) => handle(request),
  },
  {
    ...plain,
    method: 'DELETE',
    path: '/v1/things/{thing}',
    params: { thing: id },
    handle: () => ({ status: 204 }),
  },
];

beforeAll(async () => {
  app = createHttpApp({
    routes,
    authenticate: 'none' as const,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    log: silentLog,
    onAnswered: (route, method, status) => answered.push(`${method} ${route} ${status}`),
    onProblem: (slug) => problems.push(slug),
    headers: { 'X-Everywhere': 'yes' },
    monotonicMs: () => performance.now(),
    limits: { headersTimeoutMs: 200, requestTimeoutMs: 300, checkIntervalMs: 20 },
  });
  port = await app.listen('127.0.0.1', 0, 'HTTP_PORT');
});

afterAll(() => app.close(0));

beforeEach(() => {
  reached = 0;
  answered.length = 0;
  problems.length = 0;
  handle = ({ params, query }) => ({ status: 200, body: { params, query } });
});

const json = { 'Content-Type': 'application/json' };

function post(
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = json,
): Promise<RawAnswer> {
  const length = { 'Content-Length': String(Buffer.byteLength(body)) };
  const head = requestText('POST /v1/things', { ...headers, ...length });
  return exchange(port, Buffer.concat([Buffer.from(head), Buffer.from(body)]));
}

const postValue = (value: unknown) => post(JSON.stringify(value));
const get = (target: string, headers: Record<string, string> = {}) =>
  exchange(port, requestText(`GET ${target}`, headers));

/** Every error is this, and nothing has been reached. */
function expectProblem(answer: RawAnswer, slug: keyof typeof PROBLEMS): Record<string, unknown> {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  const document = JSON.parse(answer.body) as Record<string, unknown>;
  expect([answer.status, document['type'], document['status'], document['title']]).toEqual([
    PROBLEMS[slug].status,
    `urn:millrace:problem:${slug}`,
    PROBLEMS[slug].status,
    PROBLEMS[slug].title,
  ]);
  expect(reached).toBe(0);
  expect(problems).toEqual([slug]);
  return document;
}

async function expectPointers(answer: Promise<RawAnswer>, ...pointers: string[]): Promise<void> {
  const { errors } = expectProblem(await answer, 'validation-failed') as {
    errors: { pointer: string; detail: string }[];
  };
  expect(errors.map(({ pointer }) => pointer)).toEqual(pointers);
  for (const { detail } of errors) expect(detail).not.toBe('');
}

describe('a sound request', () => {
  test('reaches its handler with its body, and carries the headers of every answer', async () => {
    const answer = await postValue({ quantity: 2, seats: ['A1', 'A2'] });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ got: { quantity: 2, seats: ['A1', 'A2'] } });
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('x-everywhere')).toBe('yes');
    expect(answered).toEqual(['POST /v1/things 200']);
  });

  test.each([
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
  ])('may say %s', async (type) => {
    expect((await post('{"quantity":1}', { 'Content-Type': type })).status).toBe(200);
  });

  test('may come in chunks', async () => {
    const text = requestText('POST /v1/things', { ...json, 'Transfer-Encoding': 'chunked' });
    const answer = await exchange(port, `${text}9\r\n{"quantit\r\n5\r\ny":1}\r\n0\r\n\r\n`);
    expect(answer.status).toBe(200);
  });

  test('has its path parameters decoded', async () => {
    const answer = await get('/v1/things/a%7Eb?limit=5');
    expect(JSON.parse(answer.body)).toEqual({ params: { thing: 'a~b' }, query: { limit: '5' } });
  });

  test('without a body in the answer has none', async () => {
    const answer = await exchange(port, requestText('DELETE /v1/things/a'));
    expect([answer.status, answer.body, answer.headers.has('content-type')]).toEqual([
      204,
      '',
      false,
    ]);
  });

  test('HEAD answers as GET does, without the body', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/things/a`, { method: 'HEAD' });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });
});

describe('a body that cannot be read', () => {
  test('empty (H1)', async () => {
    expectProblem(await post(''), 'malformed-request');
    problems.length = 0;
    expectProblem(await exchange(port, requestText('POST /v1/things')), 'malformed-request');
  });

  test.each(['{', '{"quantity":2', '{"quantity":}', "{'quantity':2}", '{"quantity":2}}', 'nul'])(
    'broken JSON: %s (H2)',
    async (body) => {
      expectProblem(await post(body), 'malformed-request');
    },
  );

  test.each([
    '{"quantity":1,"quantity":2}',
    '{"quantity":1,"quantit\\u0079":2}',
    '{"quantity":1,"\\u0071uantity" : 2}',
    '{"quantity":1,"nested":{"a":1,"a":2}}',
    '[{"a":1,"a":1}]',
  ])('duplicate keys: %s (H3)', async (body) => {
    const { detail } = expectProblem(await post(body), 'malformed-request');
    expect(detail).toContain('stands twice');
  });

  test.each([
    ['text/plain', 'identity'],
    ['application/xml', 'identity'],
    ['application/jsonp', 'identity'],
    ['application/json; charset=utf-16', 'identity'],
    ['application/json; charset=iso-8859-1', 'identity'],
    ['application/json', 'gzip'],
    ['', 'identity'],
  ])('media type %j, encoding %s (H4, H5)', async (type, encoding) => {
    const answer = await post('{"quantity":1}', {
      'Content-Type': type,
      'Content-Encoding': encoding,
    });
    expectProblem(answer, 'unsupported-media-type');
    expect(answer.headers.get('accept-post')).toBe('application/json');
  });

  test('over the limit by its Content-Length (H6)', async () => {
    const answer = await post(JSON.stringify({ note: 'x'.repeat(BODY_LIMIT_BYTES) }));
    expectProblem(answer, 'too-large');
    expect(answer.headers.get('connection')).toBe('close');
  });

  test('over the limit in chunks, and without end (H6)', async () => {
    const text = requestText('POST /v1/things', { ...json, 'Transfer-Encoding': 'chunked' });
    const chunk = `400\r\n${'x'.repeat(0x400)}\r\n`;
    const answer = await exchange(port, text + chunk.repeat(5), { more: Array(50).fill(chunk) });
    expectProblem(answer, 'too-large');
    expect(answer.headers.get('connection')).toBe('close');
  });

  test('exactly at the limit is read', async () => {
    const frame = JSON.stringify({ quantity: 1, note: '' }).length;
    const answer = await postValue({ quantity: 1, note: 'x'.repeat(BODY_LIMIT_BYTES - frame) });
    expect(answer.status).toBe(422);
  });

  test('shorter than its Content-Length (H7): closed, or 408 after a while', async () => {
    const text = requestText(
      'POST /v1/things',
      { ...json, 'Content-Length': '100' },
      '{"quantity"',
    );
    const cutOff = await exchange(port, text, { halfClose: true });
    expect([0, 400, 408]).toContain(cutOff.status);
    problems.length = 0;
    expectProblem(await exchange(port, text), 'request-timeout');
  });

  test('nested 10,000 deep (H19)', async () => {
    const deep = '['.repeat(1_900) + ']'.repeat(1_900);
    expectProblem(await post(`{"quantity":${deep}}`), 'malformed-request');
    problems.length = 0;
    expectProblem(await post('{"a":'.repeat(600)), 'malformed-request');
  });

  test('brackets inside a string are no nesting', async () => {
    await expectPointers(postValue({ quantity: 1, note: '[{'.repeat(30) }), '/note');
  });

  test('not UTF-8', async () => {
    const body = Buffer.concat([
      Buffer.from('{"note":"'),
      Buffer.from([0xc0, 0xaf]),
      Buffer.from('"}'),
    ]);
    const { detail } = expectProblem(await post(body), 'malformed-request');
    expect(detail).toContain('UTF-8');
  });
});

describe('a body with invalid values', () => {
  test.each(['[]', 'null', '"text"', '5', 'true'])('top level %s (H8)', async (body) => {
    await expectPointers(post(body), '');
  });

  test('a missing field (H9)', () => expectPointers(postValue({}), '/quantity'));

  test('an unknown field, also below, with its pointer escaped (H10)', async () => {
    await expectPointers(postValue({ quantity: 1, 'x/y~z': 1 }), '/x~1y~0z');
    problems.length = 0;
    await expectPointers(postValue({ quantity: 1, nested: { 'p/q': 1 } }), '/nested/p~1q');
    problems.length = 0;
    await expectPointers(postValue({ quantity: 1, nested: { 'a/b~c': '' } }), '/nested/a~1b~0c');
  });

  test.each(['"2"', '1.5', 'true', 'null', '[1]', '{}'])('%s for a number (H11)', (value) =>
    expectPointers(post(`{"quantity":${value}}`), '/quantity'),
  );

  test.each(['0', '-1', '1e400', '-1e400', '9007199254740993', '1001', '1e3000'])(
    '%s for a small positive number (H12, H13)',
    (value) => expectPointers(post(`{"quantity":${value}}`), '/quantity'),
  );

  test.each(['', ' ', ' \u00a0\u2003 '])('an empty or blank string %j (H14)', (note) =>
    expectPointers(postValue({ quantity: 1, note }), '/note'),
  );

  test('a string of 3,000 characters is refused, and quickly (H15)', async () => {
    await expectPointers(postValue({ quantity: 1, note: 'x'.repeat(3_000) }), '/note');
    problems.length = 0;
    // A pattern that backtracks would take seconds for this one.
    await expectPointers(
      postValue({ quantity: 1, note: `${'x'.repeat(3_000)}\u0000` }),
      '/note',
      '/note',
    );
  });

  test.each(['"a\\u0000b"', '"a\\u001fb"', '"a\\u007fb"', '"a\\ud800b"', '"a\\udc00"'])(
    'a control character or lone surrogate %s (H16)',
    (note) => expectPointers(post(`{"quantity":1,"note":${note}}`), '/note'),
  );

  test.each(['\uff21\uff11', '\u0410\u0031', 'A\u20611', 'A1\u0301', 'A1\n'])(
    'a seat that looks like another: %j (H17)',
    (seat) => expectPointers(postValue({ quantity: 1, seat }), '/seat'),
  );

  test('the names of the prototype (H18), which stays as it is', async () => {
    await expectPointers(post('{"quantity":1,"__proto__":{"polluted":true}}'), '/__proto__');
    problems.length = 0;
    await expectPointers(post('{"quantity":1,"constructor":{"prototype":{}}}'), '/constructor');
    problems.length = 0;
    await expectPointers(post('{"__proto__":{"quantity":1}}'), '/quantity', '/__proto__');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('the same seat twice (H20)', () =>
    expectPointers(postValue({ quantity: 1, seats: ['A1', 'A2', 'A1'] }), '/seats'));

  test('a body of nothing but faults gets a short answer', async () => {
    const faults = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`f${index}`, 0]));
    const { errors } = expectProblem(await postValue(faults), 'validation-failed');
    expect(errors).toHaveLength(20);
  });
});

describe('paths, queries and methods', () => {
  test.each([
    '/v1/things/..%2f',
    '/v1/things/%2e%2e%2fsecret',
    '/v1/things/a%00b',
    '/v1/things/a%20b',
    '/v1/things/%zz',
    '/v1/things/%c0%af',
    '/v1/things/-a',
    `/v1/things/${'a'.repeat(65)}`,
    '/v1/things/../things/a',
    '/v1/Things/a',
    '/v1/things/a/',
    '/v1/things/a/b',
    '//v1/things/a',
    '/',
    '/nowhere',
  ])('%s does not exist (H26)', async (target) => {
    expectProblem(await get(target), 'not-found');
  });

  test.each([
    ['limit=1&limit=2', '?limit'],
    ['limit=x', '?limit'],
    ['limit=', '?limit'],
    ['other=1', '?other'],
    ['__proto__=1', '?__proto__'],
    ['=1', '?'],
  ])('the query %s (H27)', async (query, pointer) => {
    const { errors } = expectProblem(await get(`/v1/things/a?${query}`), 'malformed-request') as {
      errors: { pointer: string }[];
    };
    expect(errors[0]?.pointer).toBe(pointer);
  });

  test.each([
    ['PUT', '/v1/things', 'POST'],
    ['GET', '/v1/things', 'POST'],
    ['POST', '/v1/things/a', 'DELETE, GET, HEAD'],
    ['PATCH', '/v1/things/a', 'DELETE, GET, HEAD'],
    ['TRACE', '/v1/things/a', 'DELETE, GET, HEAD'],
    ['OPTIONS', '/v1/things/a', 'DELETE, GET, HEAD'],
  ])('%s %s is not allowed, and told what is (H31)', async (method, path, allow) => {
    const answer = await exchange(
      port,
      requestText(`${method} ${path}`, { 'Content-Length': '0' }),
    );
    expectProblem(answer, 'method-not-allowed');
    expect(answer.headers.get('allow')).toBe(allow);
    expect(answered).toEqual([`${method} none 405`]);
  });
});

describe('requests on the edge of the protocol', () => {
  test('a header of 17 KB, a URL of 20 KB, 1,500 header lines (H34)', async () => {
    expectProblem(await get('/v1/things/a', { 'X-Long': 'x'.repeat(17_000) }), 'header-too-large');
    problems.length = 0;
    expectProblem(await get(`/v1/things/${'a'.repeat(20_000)}`), 'header-too-large');
    problems.length = 0;
    const many = Object.fromEntries(Array.from({ length: 1_500 }, (_, index) => [`x${index}`, '']));
    expectProblem(await get('/v1/things/a', many), 'header-too-large');
  });

  const post14 = 'POST /v1/things HTTP/1.1\r\nContent-Type: application/json\r\n';
  test.each([
    ['two Hosts', 'GET /v1/things/a HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n'],
    ['no Host', 'GET /v1/things/a HTTP/1.1\r\n\r\n'],
    ['an absolute target', requestText('GET http://other/v1/things/a')],
    ['a target that is no path', requestText('OPTIONS *')],
    [
      'Content-Length and Transfer-Encoding',
      `${post14}Host: a\r\nContent-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['two Content-Lengths', `${post14}Host: a\r\nContent-Length: 14\r\nContent-Length: 15\r\n\r\n`],
    ['a Content-Length that is no number', `${post14}Host: a\r\nContent-Length: 1x\r\n\r\n`],
    ['a bad chunk', `${post14}Host: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a folded header', 'GET /v1/things/a HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n'],
    ['a space before the colon', 'GET /v1/things/a HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a NUL in a header', 'GET /v1/things/a HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n'],
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ])('%s (H35)', async (_, bytes) => {
    const answer = await exchange(port, Buffer.from(bytes, 'latin1'));
    expectProblem(answer, 'malformed-request');
  });

  test('Expect: bogus (H36)', async () => {
    const answer = await exchange(
      port,
      requestText('POST /v1/things', { ...json, Expect: 'bogus', 'Content-Length': '2' }),
    );
    expectProblem(answer, 'expectation-failed');
  });

  test('Expect: 100-continue is met', async () => {
    const headers = { ...json, Expect: '100-continue', 'Content-Length': '14' };
    const text = requestText('POST /v1/things', headers, '{"quantity":1}');
    expect((await exchange(port, text)).status).toBe(100);
  });

  test('headers that never end (H37)', async () => {
    const answer = await exchange(port, 'GET /v1/things/a HTTP/1.1\r\nHost: a\r\nX: ');
    expect([answer.status, answer.headers.get('connection')]).toEqual([408, 'close']);
    expectProblem(answer, 'request-timeout');
  });
});

describe('what a handler throws', () => {
  test('a problem is answered with its headers and members', async () => {
    handle = () => {
      throw new Problem('sold-out', {
        members: { reason: 'sold_out' },
        headers: { Location: '/x' },
      });
    };
    const answer = await get('/v1/things/a');
    expect(expectProblem(answer, 'sold-out')).toMatchObject({
      reason: 'sold_out',
      instance: '/v1/things/a',
    });
    expect(answer.headers.get('location')).toBe('/x');
    expect(answered).toEqual(['GET /v1/things/{thing} 409']);
  });

  test.each([
    ['KAFKA_AMBIGUOUS', 'outcome-unknown'],
    ['KAFKA_UNAVAILABLE', 'broker-unavailable'],
    ['KAFKA_RETRIABLE', 'broker-unavailable'],
    ['SCHEMA_REGISTRY_UNAVAILABLE', 'registry-unavailable'],
    ['QUERY_UNAVAILABLE', 'rebalancing'],
    ['STORE_CLOSED', 'rebalancing'],
    ['STORE_UNKNOWN', 'rebalancing'],
    ['STORE_CORRUPT', 'store-restoring'],
    ['STORE_IO', 'store-restoring'],
  ] as const)('%s is %s, with the time to come back', async (code, slug) => {
    handle = () => Promise.reject(new MillraceError(code, 'inside'));
    const answer = await get('/v1/things/a');
    const document = expectProblem(answer, slug);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(document)).not.toContain('inside');
  });

  test('QUERY_UNSUPPORTED is 501, with what could be queried instead', async () => {
    handle = () => Promise.reject(new MillraceError('QUERY_UNSUPPORTED', 'inside'));
    const answer = await get('/v1/things/a');
    expect(expectProblem(answer, 'not-queryable')['detail']).toContain('"leveldb"');
    expect(answer.headers.has('retry-after')).toBe(false);
  });

  test('anything else is 500 without a word of what it was', async () => {
    handle = () => {
      throw new TypeError('secret at /home/me/secret.ts:5');
    };
    const answer = await get('/v1/things/a');
    expectProblem(answer, 'internal');
    expect(answer.body).not.toMatch(/secret|TypeError|\.ts/);
  });

  test.each<[string, (request: RouteRequest, then: () => void) => void]>([
    ['its signal', ({ signal }, then) => signal.addEventListener('abort', then)],
    ['whenGone', (request, then) => request.whenGone(then)],
  ])('hears by %s that the client left; what it throws then disturbs nobody', async (_, listen) => {
    let left: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      left = resolve;
    });
    handle = async (request) => {
      await new Promise<void>((resolve) => listen(request, resolve));
      // Whoever asks later hears of it, too.
      await new Promise<void>((resolve) => request.whenGone(resolve));
      left?.();
      throw new Problem('rebalancing', retryAfter(1));
    };
    const abort = new AbortController();
    const asking = fetch(`http://127.0.0.1:${port}/v1/things/a`, { signal: abort.signal }).catch(
      () => {},
    );
    setTimeout(() => abort.abort(), 50);
    await Promise.all([asking, gone]);
    handle = () => ({ status: 200, body: {} });
    expect((await get('/v1/things/a')).status).toBe(200);
  });
});

describe('the server', () => {
  test('names the setting when its port is taken', async () => {
    const second = createHttpApp({ ...optionsOf(), routes: [] });
    await expect(second.listen('127.0.0.1', port, 'HTTP_PORT')).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      hint: expect.stringContaining('HTTP_PORT'),
    });
  });

  test('lets a running request end, and says that the connection ends with it', async () => {
    let release: (() => void) | undefined;
    const route: Route = {
      ...plain,
      method: 'GET',
      path: '/slow',
      handle: () =>
        new Promise((resolve) => {
          release = () => resolve({ status: 200, body: 'done' });
        }),
    };
    const other = createHttpApp({ ...optionsOf(), routes: [route] });
    const otherPort = await other.listen('127.0.0.1', 0, 'HTTP_PORT');
    const asking = fetch(`http://127.0.0.1:${otherPort}/slow`);
    while (release === undefined) await new Promise((resolve) => setImmediate(resolve));
    const closing = other.close(5_000);
    release();
    expect(await (await asking).text()).toBe('done');
    await closing;
    await expect(fetch(`http://127.0.0.1:${otherPort}/slow`)).rejects.toThrow();
  });

  test('does not wait for connections over which nobody asks anything, nor for one after its last answer', async () => {
    let release: (() => void) | undefined;
    const route: Route = {
      ...plain,
      method: 'GET',
      path: '/slow',
      handle: () =>
        new Promise((resolve) => {
          release = () => resolve({ status: 200, body: 'done' });
        }),
    };
    const other = createHttpApp({ ...optionsOf(), routes: [route] });
    const otherPort = await other.listen('127.0.0.1', 0, 'HTTP_PORT');
    const [silent, asking] = [connect(otherPort, '127.0.0.1'), connect(otherPort, '127.0.0.1')];
    const gone = Promise.all([silent, asking].map((socket) => once(socket, 'close')));
    silent.on('error', () => {});
    asking.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const answered = once(asking, 'data');
    while (release === undefined) await new Promise((resolve) => setImmediate(resolve));
    const closing = other.close(600_000);
    release();
    const [bytes] = (await answered) as [Buffer];
    expect(bytes.toString()).toContain('done');
    expect(bytes.toString().toLowerCase()).toContain('connection: close');
    await closing;
    await gone;
  });

  function optionsOf() {
    return {
      authenticate: 'none' as const,
      bodyLimitBytes: 100,
      log: silentLog,
      onAnswered: () => {},
      onProblem: () => {},
      headers: {},
      monotonicMs: () => 0,
    };
  }
});

describe('whatever is sent', () => {
  const anything = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc
      .record({
        quantity: fc.oneof(fc.integer(), fc.jsonValue()),
        note: fc.string({ unit: 'binary' }),
      })
      .map((value) => JSON.stringify(value)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );

  test('a body is answered by 200 or a problem below 500', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(anything, async (text) => {
        const answer = await fetch(`http://127.0.0.1:${port}/v1/things`, {
          method: 'POST',
          headers: json,
          body: text,
        });
        const document = (await answer.json()) as { type?: string };
        if (answer.status === 200) accepted++;
        else {
          expect(answer.headers.get('content-type')).toBe('application/problem+json');
          expect(document.type).toMatch(/^urn:millrace:problem:/);
          expect(answer.status).toBeLessThan(500);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(0);
  }, 120_000);

  test('bytes that may be no HTTP are answered by a status below 500, or closed', async () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'GET /v1/things/a HTTP/1.1',
        'Host: a',
        'Content-Length: 5',
        'Transfer-Encoding: chunked',
        '',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
        const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
        const answer = await exchange(port, bytes, { halfClose: true });
        expect(answer.status).toBeLessThan(500);
        if (answer.status >= 400) {
          expect(answer.headers.get('content-type')).toBe('application/problem+json');
        }
      }),
      { numRuns: 500 },
    );
  });
});
