/** Forwarding to addresses that anybody in the group could have written. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../base/manual-clock.ts';
import { Problem } from '../../interactive-queries/http/problem.ts';
import { PeerAddresses } from '../../interactive-queries/peer-addresses.ts';
import {
  type ForwardOutcome,
  type PeerOptions,
  Peers,
  waitSeconds,
} from '../../interactive-queries/peers.ts';
import { routeRequest } from './route-request.ts';

let server: Server;
let port: number;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let seen: IncomingMessage[];
let outcomes: ForwardOutcome[];
const clock = new ManualClock();

beforeEach(async () => {
  seen = [];
  outcomes = [];
  answer = (_, response) => response.end('{"items":[]}');
  server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as { port: number }).port;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function peers(options: Partial<PeerOptions> = {}): Peers {
  return new Peers({
    addresses: new PeerAddresses(['127.0.0.1']),
    token: 'a-shared-secret-of-peers',
    passesAuthorization: false,
    timeoutMs: 1_000,
    clock,
    onForwarded: (outcome) => outcomes.push(outcome),
    ...options,
  });
}

const owner = () => ({ host: '127.0.0.1', port });

async function refusal(forwarding: Promise<unknown>): Promise<Problem> {
  const error = await forwarding.then(
    () => new Error('it was not refused'),
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
}

describe('addresses of peers (S20)', () => {
  const allowed = new PeerAddresses([
    'app-1',
    '10.0.0.5:8080',
    '*.sale.svc',
    '*.sale.svc.local:80',
    '[fd00::1]',
  ]);

  test.each([
    ['app-1', 1],
    ['APP-1', 65_535],
    ['10.0.0.5', 8_080],
    ['pod-7.sale.svc', 8_080],
    ['a.b.sale.svc', 1],
    ['pod.sale.svc.local', 80],
    ['[fd00::1]', 9_000],
  ])('%s:%i is allowed', (host, at) => {
    expect(allowed.allow({ host, port: at })).toBe(true);
  });

  test.each([
    ['10.0.0.5', 8_081, 'another port'],
    ['pod.sale.svc.local', 81, 'another port of a domain'],
    ['127.0.0.1', 8_080, 'loopback'],
    ['localhost', 8_080, 'loopback by name'],
    ['169.254.169.254', 80, 'link-local metadata'],
    ['sale.svc', 80, 'the domain itself'],
    ['evilsale.svc', 80, 'a name that ends alike'],
    ['app-1.evil.com', 80, 'a name that begins alike'],
    ['user@app-1', 80, 'credentials'],
    ['app-1/..', 80, 'a path'],
    ['app-1:80', 80, 'a port in the host'],
    ['app-1#', 80, 'a fragment'],
    ['app-1\r\nHost: evil', 80, 'line ends'],
    ['167772165', 8_080, 'a decimal address'],
    ['0x0a000005', 8_080, 'a hexadecimal address'],
    ['[::ffff:10.0.0.5]', 8_080, 'an address mapped into IPv6'],
    ['fd00::1', 8_080, 'IPv6 without brackets'],
    ['unix:/run/socket', 80, 'a socket'],
    ['', 80, 'nothing'],
    ['app-1', 0, 'port 0'],
    ['app-1', 65_536, 'a port beyond'],
    ['app-1', 80.5, 'half a port'],
    ['app-1', Number.NaN, 'no port'],
  ])('%j:%d is refused: %s', (host, at) => {
    expect(allowed.allow({ host, port: at })).toBe(false);
  });

  test.each(['', 'http://app-1', 'a b', 'app-1:0', 'app-1:99999', '*', 'app-*.svc', '[fd00::1'])(
    'the setting %j is refused by name',
    (entry) => {
      expect(() => new PeerAddresses([entry])).toThrow(`${entry} is not an address of peers`);
    },
  );

  test('a refused address is never contacted', async () => {
    const strict = peers({ addresses: new PeerAddresses(['app-1', `127.0.0.1:${port + 1}`]) });
    const problem = await refusal(strict.forward(owner(), routeRequest()));
    expect([problem.slug, problem.options.detail]).toEqual([
      'owner-unavailable',
      expect.stringContaining('PEER_ALLOW'),
    ]);
    expect([seen.length, outcomes]).toEqual([0, ['not-allowed']]);
  });
});

describe('a forward', () => {
  test('asks once for the same target, with hop and token, and passes on what the owner needs', async () => {
    await peers().forward(
      owner(),
      routeRequest({
        target: '/v1/purchases/x?minPosition=a-1:5',
        headers: {
          prefer: 'wait=1',
          'if-none-match': '"a"',
          traceparent: '00-1-2-01',
          authorization: 'Bearer of-the-user',
          cookie: 'secret',
          'idempotency-key': 'k',
        },
      }),
    );
    const [{ method, url, headers }] = seen as [IncomingMessage];
    expect([method, url]).toEqual(['GET', '/v1/purchases/x?minPosition=a-1:5']);
    expect(headers).toMatchObject({
      'millrace-hop': '1',
      'millrace-peer-token': 'a-shared-secret-of-peers',
      prefer: 'wait=1',
      'if-none-match': '"a"',
      traceparent: '00-1-2-01',
    });
    for (const name of ['authorization', 'cookie', 'idempotency-key', 'millrace-partitions']) {
      expect(headers).not.toHaveProperty(name);
    }
    expect(outcomes).toEqual(['answered']);
  });

  test.each([
    ['with tokens of their own, in the name of the caller', true, 'Bearer of-the-user'],
    ['without, in nobody’s name', false, undefined],
  ])('asks, where callers are %s', async (_, passesAuthorization, expected) => {
    const headers = { authorization: 'Bearer of-the-user' };
    await peers({ passesAuthorization }).forward(owner(), routeRequest({ headers }));
    expect(seen[0]!.headers.authorization).toBe(expected);
  });

  test('does not show the caller’s token at an address that is not allowed', async () => {
    const strict = peers({
      passesAuthorization: true,
      addresses: new PeerAddresses(['app-1']),
    });
    const headers = { authorization: 'Bearer of-the-user' };
    await refusal(strict.forward(owner(), routeRequest({ headers })));
    expect(seen).toEqual([]);
  });

  test('brings back what an owner says of a token that has expired on the way', async () => {
    const challenge = 'Bearer error="invalid_token"';
    answer = (_, response) => response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
    const { status, headers } = await peers().forward(owner(), routeRequest());
    expect([status, headers!['www-authenticate']]).toEqual([401, challenge]);
  });

  test('brings back status, body and the headers of freshness, and no others', async () => {
    answer = (_, response) =>
      response
        .writeHead(404, {
          'Content-Type': 'application/problem+json',
          ETag: '"1"',
          'Store-Position': 'a-1:5',
          'Served-By': 'me',
          'Set-Cookie': 'a=b',
          'X-Other': '1',
        })
        .end('{"status":404}');
    const { status, headers, body } = await peers().forward(owner(), routeRequest());
    expect([status, String(body)]).toEqual([404, '{"status":404}']);
    expect(headers).toEqual({
      'content-type': 'application/problem+json',
      etag: '"1"',
      'store-position': 'a-1:5',
      'served-by': 'me',
    });
  });

  test('may ask for another target, and for named partitions', async () => {
    await peers().forward(owner(), routeRequest(), { target: '/other', partitions: [3, 5] });
    expect(seen[0]?.url).toBe('/other');
    expect(peers().wantedPartitions(routeRequest({ headers: seen[0]!.headers }))).toEqual([3, 5]);
  });

  test('follows no redirect', async () => {
    let followed = 0;
    answer = (request, response) => {
      if (request.url === '/elsewhere') followed++;
      response.writeHead(302, { Location: '/elsewhere' }).end();
    };
    expect((await refusal(peers().forward(owner(), routeRequest()))).slug).toBe(
      'owner-unavailable',
    );
    expect(followed).toBe(0);
  });

  test.each([
    ['never answers', () => {}],
    [
      'begins and never ends',
      (_: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200).write('{');
      },
    ],
  ])('to a peer that %s ends in 504 (S22)', async (_, hang) => {
    answer = hang;
    const problem = await refusal(peers({ timeoutMs: 50 }).forward(owner(), routeRequest()));
    expect([problem.slug, problem.options.headers]).toEqual([
      'deadline-exceeded',
      { 'Retry-After': '1' },
    ]);
    expect(outcomes).toEqual(['timeout']);
  });

  test('waits as much longer as the client wants to wait', async () => {
    answer = (_, response) => setTimeout(() => response.end('{}'), 200);
    const request = routeRequest({ headers: { prefer: 'wait=5' } });
    expect((await peers({ timeoutMs: 10 }).forward(owner(), request)).status).toBe(200);
  });

  describe('of a stream of events', () => {
    const stream = async (request = routeRequest()) =>
      (await peers({ timeoutMs: 1_000 }).forward(owner(), request)).stream!;

    test('passes it on as it comes, however long it takes, and where the client left off', async () => {
      let end: (() => void) | undefined;
      let seen: IncomingMessage | undefined;
      answer = (incoming, response) => {
        seen = incoming;
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 8\n\n');
        end = () => response.end('id: 9\n\n');
      };
      const request = routeRequest({ headers: { 'last-event-id': '7' } });
      const chunks = (await stream(request))(new AbortController().signal)[Symbol.asyncIterator]();
      const text = async () => Buffer.from((await chunks.next()).value as Uint8Array).toString();
      expect(await text()).toBe('id: 8\n\n');
      end!();
      expect(await text()).toBe('id: 9\n\n');
      expect((await chunks.next()).done).toBe(true);
      expect(seen!.headers['last-event-id']).toBe('7');
    });

    test.each([
      ['nobody reads it any more', (leave: AbortController) => leave],
      ['it is not wanted', () => undefined],
    ])('leaves the peer when %s', async (_, how) => {
      const left = Promise.withResolvers<void>();
      answer = (_incoming, response) => {
        response.once('close', () => left.resolve());
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 8\n\n');
      };
      const opened = await stream();
      const leave = how(new AbortController());
      opened(leave?.signal ?? AbortSignal.abort());
      leave?.abort();
      await left.promise;
    });

    test('waits for its head no longer than for any answer', async () => {
      answer = () => {};
      const problem = await refusal(peers({ timeoutMs: 50 }).forward(owner(), routeRequest()));
      expect(problem.slug).toBe('deadline-exceeded');
    });
  });

  test('of an endless answer stops at a bound (S22)', async () => {
    let sentBytes = 0;
    answer = (_, response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sentBytes += 65_536;
        if (!response.destroyed) response.once('drain', more);
      };
      response.writeHead(200);
      more();
    };
    expect(
      (await refusal(peers({ timeoutMs: 20_000 }).forward(owner(), routeRequest()))).slug,
    ).toBe('owner-unavailable');
    expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
  });

  test.each([
    ['resets', (request: IncomingMessage) => request.socket.destroy()],
    ['speaks no HTTP', (request: IncomingMessage) => request.socket.end('hello\r\n\r\n')],
  ])('to a peer that %s ends in 503', async (_, behave) => {
    answer = behave;
    expect((await refusal(peers().forward(owner(), routeRequest()))).slug).toBe(
      'owner-unavailable',
    );
    expect(outcomes).toEqual(['failed']);
  });

  test('to nobody ends in 503', async () => {
    server.close();
    server.closeAllConnections();
    expect((await refusal(peers().forward(owner(), routeRequest()))).slug).toBe(
      'owner-unavailable',
    );
  });

  test.each([
    [421, 'rebalancing'],
    [403, 'owner-unavailable'],
    [508, 'owner-unavailable'],
  ])('keeps to itself what the owner says to peers alone: %i becomes %s', async (status, slug) => {
    answer = (_, response) => response.writeHead(status).end();
    expect((await refusal(peers().forward(owner(), routeRequest()))).slug).toBe(slug);
  });

  test('ends when the client leaves, and does not hold that against the peer', async () => {
    const abort = new AbortController();
    answer = () => abort.abort();
    const ours = peers();
    for (let time = 0; time < 10; time++) {
      await refusal(ours.forward(owner(), routeRequest({ signal: abort.signal })));
    }
    answer = (_, response) => response.end();
    expect((await ours.forward(owner(), routeRequest())).status).toBe(200);
    expect(outcomes).toEqual(['answered']);
  });

  test('leaves a peer alone that failed five times in a row, for a second', async () => {
    const ours = peers();
    answer = (request) => request.socket.destroy();
    for (let time = 0; time < 7; time++) await refusal(ours.forward(owner(), routeRequest()));
    expect(seen).toHaveLength(5);
    expect(outcomes.slice(4)).toEqual(['failed', 'left-alone', 'left-alone']);
    clock.advance(1_000);
    answer = (_, response) => response.end();
    expect((await ours.forward(owner(), routeRequest())).status).toBe(200);
    answer = (request) => request.socket.destroy();
    await refusal(ours.forward(owner(), routeRequest()));
    expect(outcomes.at(-1)).toBe('failed');
  });
});

describe('a request that was forwarded to us (S21)', () => {
  const hop = (headers: Record<string, string>) => routeRequest({ headers });
  const token = 'a-shared-secret-of-peers';

  test('is known by hop and token', () => {
    expect(peers().isForwarded(hop({}))).toBe(false);
    expect(peers().isForwarded(hop({ 'millrace-hop': '1', 'millrace-peer-token': token }))).toBe(
      true,
    );
  });

  test.each([
    {},
    { 'millrace-peer-token': '' },
    { 'millrace-peer-token': `${token}x` },
    { 'millrace-peer-token': token.toUpperCase() },
  ])('without the right token is forbidden: %j', (headers) => {
    expect(() => peers().isForwarded(hop({ 'millrace-hop': '1', ...headers }))).toThrow(
      new Problem('forbidden'),
    );
  });

  test.each(['2', '0', '', '1, 1', 'x'])(
    'that came over more than one hop, or claims %j, is 508',
    (value) => {
      const request = hop({ 'millrace-hop': value, 'millrace-peer-token': token });
      expect(() => peers().isForwarded(request)).toThrow(new Problem('hop-limit'));
    },
  );

  test('needs no token where none is set', () => {
    expect(peers({ token: undefined }).isForwarded(hop({ 'millrace-hop': '1' }))).toBe(true);
  });

  test.each(['', 'x', '1;2', '1,', '-1', '1,'.repeat(10)])(
    'that wants the partitions %j wants none',
    (value) => {
      expect(peers().wantedPartitions(hop({ 'millrace-partitions': value }))).toBeUndefined();
    },
  );
});

describe('Prefer', () => {
  test.each([
    ['wait=5', 5],
    ['Wait=5', 5],
    ['wait = 5', 5],
    ['wait="5"', 5],
    ['respond-async, wait=7', 7],
    ['wait=7; foo', 7],
    ['return=minimal,wait=3', 3],
    ['wait=0', 0],
    ['wait=31', 30],
    ['wait=999999', 30],
    ['wait=9999999', 0],
    ['wait=-1', 0],
    ['wait=1.5', 0],
    ['wait=x', 0],
    ['await=5', 0],
    ['respond-async', 0],
    ['', 0],
  ])('%s waits %i seconds', (prefer, seconds) => {
    expect(waitSeconds(prefer)).toBe(seconds);
  });

  test('absent or twice waits not', () => {
    expect(waitSeconds(undefined)).toBe(0);
    expect(waitSeconds(['wait=5', 'wait=6'])).toBe(0);
  });
});
