/** Queries brought to their state: here, at the owner over a real socket, or nowhere. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { jsonWithEtag, taggedJson } from '../../interactive-queries/http/etag.ts';
import { createHttpApp, type HttpApp } from '../../interactive-queries/http/http-app.ts';
import { Problem } from '../../interactive-queries/http/problem.ts';
import type { RouteRequest, RouteResponse } from '../../interactive-queries/http/route.ts';
import { OwnerRouting } from '../../interactive-queries/owner-routing.ts';
import { PeerAddresses } from '../../interactive-queries/peer-addresses.ts';
import { Peers } from '../../interactive-queries/peers.ts';
import { storeRoutes } from '../../interactive-queries/routes/store-routes.ts';
import { UnknownSchemaError } from '../../schemas/serde.ts';
import { int32Serde, stringSerde } from '../../schemas/serdes.ts';
import { drive, settle } from '../kit/drive.ts';
import { FakeStreams } from './fake-streams.ts';
import { routeRequest } from './route-request.ts';

const PARTITIONS = 4;

/** One instance of an application of two. */
class Instance {
  readonly streams = new FakeStreams();
  readonly clock = new ManualClock();
  readonly routing: OwnerRouting;
  readonly #peers: Peers;
  readonly #app: HttpApp;
  port = 0;

  constructor() {
    this.streams.addStore('letters', { partitionCount: PARTITIONS });
    this.#peers = new Peers({
      addresses: new PeerAddresses(['127.0.0.1']),
      token: 'a-shared-secret-of-peers',
      passesAuthorization: false,
      timeoutMs: 2_000,
      clock: this.clock,
      onForwarded: () => {},
    });
    this.routing = new OwnerRouting({
      streams: this.streams,
      peers: this.#peers,
      self: { host: '127.0.0.1', port: 4_711 },
      clock: this.clock,
      queryTimeoutMs: 1_000,
    });
    this.#app = createHttpApp({
      routes: storeRoutes({ streams: this.streams, routing: this.routing, access: ['admin'] }),
      authenticate: 'none',
      bodyLimitBytes: 100,
      log: silentLog,
      onAnswered: () => {},
      onProblem: () => {},
      headers: {},
      monotonicMs: () => 0,
    });
  }

  async start(): Promise<void> {
    this.port = await this.#app.listen('127.0.0.1', 0, 'HTTP_PORT');
  }

  stop(): Promise<void> {
    return this.#app.close(0);
  }

  /** The partitions that the other one has. */
  gives(other: Instance, partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.streams.elsewhere.set(partition, { host: '127.0.0.1', port: other.port });
    }
  }

  async fetch(path: string, headers: Record<string, string> = {}) {
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, { headers });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  async read(partition: number, properties: Partial<RouteRequest> = {}): Promise<RouteResponse> {
    const location = this.streams.locatePartition('letters', partition);
    const request = routeRequest(properties);
    return this.routing.answer<string>('letters', location, request, (store) =>
      jsonWithEtag(request, store.get('a') ?? null),
    );
  }

  /** What everybody is told alike. */
  async readSame(partition: number, properties: Partial<RouteRequest> = {}) {
    const location = this.streams.locatePartition('letters', partition);
    const request = routeRequest(properties);
    return this.routing.answerSame<string>('letters', location, request, 'a', (store) =>
      taggedJson(store.get('a') ?? null),
    );
  }
}

let here: Instance;
let there: Instance;

beforeEach(async () => {
  here = new Instance();
  there = new Instance();
  await here.start();
  await there.start();
  here.gives(there, [2, 3]);
  there.gives(here, [0, 1]);
  for (const [partition, key] of ['a', 'b', 'c', 'd'].entries()) {
    (partition < 2 ? here : there).streams.put('letters', partition, key, key.toUpperCase());
  }
});

afterEach(async () => {
  await here.stop();
  await there.stop();
});

async function slugOf(reading: Promise<unknown>): Promise<string> {
  const error = await reading.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(Problem);
  const { slug, status, options } = error as Problem;
  if (status === 503) expect(options.headers).toHaveProperty('Retry-After');
  return slug;
}

const forwarded = { 'millrace-hop': '1', 'millrace-peer-token': 'a-shared-secret-of-peers' };

describe('a read of one partition', () => {
  test('of ours says how fresh it is and who says so', async () => {
    here.streams.position(0, 'in-0', 42);
    expect(await here.read(0)).toEqual({
      status: 200,
      body: '"A"',
      headers: {
        'Content-Type': 'application/json',
        ETag: expect.stringMatching(/^"[\w-]{22}"$/),
        'Store-Position': 'in-0:42',
        'Served-By': '127.0.0.1:4711',
        'Served-Role': 'active',
      },
    });
  });

  test('tells its age when Kafka has been silent', async () => {
    here.streams.silentMs = 7_900;
    expect((await here.read(0)).headers).toMatchObject({ Age: '7' });
  });

  test('is 304 for a client that has it, however a proxy marked the tag', async () => {
    const tag = (await here.read(0)).headers!['ETag']!;
    for (const known of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      const answer = await here.read(0, { headers: { 'if-none-match': known } });
      expect([answer.status, answer.body]).toEqual([304, undefined]);
    }
    expect((await here.read(0, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });

  test('of another instance is brought there, once', async () => {
    const answer = await here.fetch('/v1/stores/letters/keys/c');
    expect([answer.status, answer.body]).toEqual([200, { key: 'c', value: 'C' }]);
  });

  test('that was forwarded to the wrong instance goes no further: 421', async () => {
    expect(await slugOf(here.read(2, { headers: forwarded }))).toBe('misdirected');
  });

  test('that nobody owns is 503 rebalancing', async () => {
    here.streams.elsewhere.set(3, undefined);
    expect(await slugOf(here.read(3))).toBe('rebalancing');
    here.streams.gone.add(0);
    expect(await slugOf(here.read(0))).toBe('rebalancing');
  });

  test('that is being restored is 503, with what remains', async () => {
    here.streams.restoring.set(0, 1_234);
    const error = await here.read(0).catch((cause: unknown) => cause as Problem);
    expect((error as Problem).document('/x')).toMatchObject({
      type: 'urn:millrace:problem:store-restoring',
      remainingRecords: 1_234,
    });
  });

  test('meets a schema that this thread does not know: fetched once, then read', async () => {
    const resolved: number[] = [];
    const resolve = async (schemaId: number) => {
      resolved.push(schemaId);
    };
    here.streams.addStore('letters', {
      partitionCount: 1,
      valueSerde: { ...(stringSerde as object), resolve } as never,
    });
    here.streams.nextReadError = new UnknownSchemaError(7);
    expect((await here.read(0)).body).toBe('"A"');
    expect(resolved).toEqual([7]);
    let looks = 0;
    const read = here.routing.read('letters', () => {
      if (++looks < 3) throw new UnknownSchemaError(looks);
      return looks;
    });
    expect([await read, resolved]).toEqual([3, [7, 1, 2]]);
  });
});

describe('a read that says the same to everybody', () => {
  test('is made once, and anew when the state is another', async () => {
    here.streams.revision = {};
    const first = await here.readSame(0);
    here.streams.put('letters', 0, 'a', 'other');
    expect(await here.readSame(0)).toEqual(first);
    here.streams.revision = {};
    expect((await here.readSame(0)).body).toBe('"other"');
  });

  test('is made for everyone where nobody can tell whether the state is another', async () => {
    expect((await here.readSame(0)).body).toBe('"A"');
    here.streams.put('letters', 0, 'a', 'other');
    expect((await here.readSame(0)).body).toBe('"other"');
  });

  test('is 304 for a client that has it, kept or not, and whole for the next one', async () => {
    here.streams.revision = {};
    const whole = await here.readSame(0);
    const headers = { 'if-none-match': whole.headers?.['ETag'] ?? '' };
    expect((await here.readSame(0, { headers })).status).toBe(304);
    expect(await here.readSame(0)).toEqual(whole);
  });

  test('tells its age while Kafka is silent, and no longer than that', async () => {
    here.streams.revision = {};
    expect((await here.readSame(0)).headers?.['Age']).toBeUndefined();
    here.streams.silentMs = 7_400;
    expect((await here.readSame(0)).headers?.['Age']).toBe('7');
    here.streams.silentMs = 0;
    expect((await here.readSame(0)).headers?.['Age']).toBeUndefined();
  });

  test('of another instance is asked of nobody here', async () => {
    here.streams.revision = {};
    expect((await here.readSame(0)).status).toBe(200);
    await expect(there.readSame(0, { headers: { 'millrace-hop': '1' } })).rejects.toMatchObject({
      slug: 'forbidden',
    });
  });
});

describe('a read with minPosition', () => {
  const reading = { query: { minPosition: 'in-0:10' } };

  test('is answered at once where the state is there already', async () => {
    here.streams.position(0, 'in-0', 10);
    expect((await here.read(0, reading)).status).toBe(200);
    expect(here.streams.opened).toBe(1);
  });

  test('waits until the state gets there', async () => {
    here.clock.after(300, () => here.streams.position(0, 'in-0', 10));
    expect((await drive(here.clock, here.read(0, reading))).status).toBe(200);
    expect(here.streams.opened).toBeLessThan(20);
  });

  test('is 503 when the state does not get there in time', async () => {
    here.streams.position(0, 'in-0', 9);
    expect(await drive(here.clock, slugOf(here.read(0, reading)))).toBe('store-restoring');
    expect(here.clock.monotonicMs()).toBeLessThan(1_100);
  });

  test('waits longer for a client that prefers to wait', async () => {
    here.clock.after(4_000, () => here.streams.position(0, 'in-0', 10));
    const patient = { ...reading, headers: { prefer: 'wait=5' } };
    expect((await drive(here.clock, here.read(0, patient))).status).toBe(200);
  });

  test('ends when the client leaves', async () => {
    const abort = new AbortController();
    here.clock.after(100, () => abort.abort());
    const read = here.read(0, { ...reading, signal: abort.signal });
    expect(await drive(here.clock, slugOf(read))).toBe('store-restoring');
    expect(here.clock.monotonicMs()).toBeLessThan(200);
  });
});

describe('a read that may be a little old', () => {
  const any = { query: { consistency: 'any' } };

  test('is answered by the standby here, with its lag, although the owner is elsewhere', async () => {
    here.streams.followed.set(2, 7);
    here.streams.put('letters', 2, 'a', 'old');
    expect(await here.read(2, any)).toMatchObject({
      status: 200,
      body: '"old"',
      headers: { 'Served-Role': 'standby', 'Store-Lag': '7' },
    });
  });

  test('is brought to the owner when the standby here is too far behind, or a position is wanted', async () => {
    here.streams.followed.set(2, 7);
    const tooFar = { query: { consistency: 'any', maxLag: '6' } };
    const wanting = { query: { consistency: 'any', minPosition: 'in-2:1' } };
    for (const properties of [tooFar, wanting, {}]) {
      expect(await slugOf(here.read(2, { ...properties, headers: forwarded }))).toBe('misdirected');
    }
    const closeEnough = { query: { consistency: 'any', maxLag: '7' } };
    expect((await here.read(2, { ...closeEnough, headers: forwarded })).status).toBe(200);
  });

  test('is brought to a standby elsewhere when the owner does not answer, or there is none', async () => {
    there.streams.elsewhere.set(3, { host: '127.0.0.1', port: 1 });
    there.streams.followed.set(3, 2);
    here.streams.standbys.set(3, [
      { host: '127.0.0.1', port: 1 },
      { host: '127.0.0.1', port: there.port },
    ]);
    for (const owner of [{ host: '127.0.0.1', port: 1 }, undefined]) {
      here.streams.elsewhere.set(3, owner);
      const served = () =>
        here.routing.answer<string>(
          'letters',
          here.streams.locatePartition('letters', 3),
          routeRequest({ query: { consistency: 'any' }, target: '/v1/metadata/tasks' }),
          () => ({ status: 500 }),
        );
      expect((await served()).status).toBe(200);
      expect(await slugOf(here.read(3))).toMatch(/owner-unavailable|rebalancing/);
    }
  });

  test('is never the answer to a client that did not allow it, even where we were the owner', async () => {
    here.streams.followed.set(0, 0);
    expect(await slugOf(here.read(0))).toBe('rebalancing');
  });
});

describe('a list over all partitions', () => {
  const all = ['a', 'b', 'c', 'd'].map((key) => ({ key, value: key.toUpperCase() }));

  test('has the parts of all instances, whoever is asked, and their positions', async () => {
    here.streams.position(0, 'in-0', 3);
    there.streams.position(2, 'in-2', 5);
    const answer = await here.fetch('/v1/stores/letters/entries');
    expect(answer.body).toEqual({ items: all });
    expect(answer.headers.get('store-position')).toBe('in-0:3,in-2:5');
    const other = await there.fetch('/v1/stores/letters/entries');
    expect((other.body!['items'] as { key: string }[]).map(({ key }) => key).sort()).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  test('is whole for a client that has an older one', async () => {
    const answer = await here.fetch('/v1/stores/letters/entries', { 'if-none-match': '*' });
    expect(answer.body).toEqual({ items: all });
  });

  test('passes over no partition that moved meanwhile: 503', async () => {
    // Here one believes that there are 2 and 3; 3 has gone to a third instance.
    there.streams.elsewhere.set(3, { host: '127.0.0.1', port: 1 });
    const answer = await here.fetch('/v1/stores/letters/entries');
    expect([answer.status, answer.body!['type']]).toEqual([
      503,
      'urn:millrace:problem:rebalancing',
    ]);
  });

  test('names no entry twice when the other one has taken a partition over', async () => {
    there.streams.elsewhere.delete(1);
    there.streams.put('letters', 1, 'b', 'B');
    expect((await here.fetch('/v1/stores/letters/entries')).body).toEqual({ items: all });
  });

  test.each([
    ['we keep', () => [here]],
    ['the other one keeps', () => [there]],
    ['both keep', () => [here, there]],
  ])('is 501 of a store that %s in memory', async (_, keepers) => {
    for (const { streams } of keepers()) streams.inMemory.add('letters');
    for (const path of ['entries', 'count', 'keys/nobodys']) {
      const answer = await here.fetch(`/v1/stores/letters/${path}`);
      expect([answer.status, answer.body!['type'], answer.headers.get('retry-after')]).toEqual([
        501,
        'urn:millrace:problem:not-queryable',
        null,
      ]);
    }
  });

  test.each([
    ['one partition has no owner', () => here.streams.elsewhere.set(1, undefined)],
    ['one of ours is being restored', () => here.streams.restoring.set(0, 5)],
    ['one of theirs is being restored', () => there.streams.restoring.set(2, 5)],
    ['the other one does not answer', () => there.stop()],
    [
      'everything fails at once',
      () => {
        here.streams.restoring.set(0, 5);
        here.streams.elsewhere.set(1, undefined);
        return there.stop();
      },
    ],
  ])('is 503 when %s, and nothing is left behind', async (_, breakIt) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    await breakIt();
    expect((await here.fetch('/v1/stores/letters/entries')).status).toBe(503);
    await settle();
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  test('is 503 when a peer answers something else', async () => {
    const nonsense = createHttpApp({
      routes: [
        {
          method: 'GET',
          path: '/v1/stores/{store}/entries',
          operationId: 'x',
          summary: '',
          tag: '',
          access: 'open',
          answers: {},
          handle: () => ({ status: 200, body: '{"items":' }),
        },
      ],
      authenticate: 'none',
      bodyLimitBytes: 100,
      log: silentLog,
      onAnswered: () => {},
      onProblem: () => {},
      headers: {},
      monotonicMs: () => 0,
    });
    const port = await nonsense.listen('127.0.0.1', 0, 'HTTP_PORT');
    here.streams.elsewhere.set(2, { host: '127.0.0.1', port });
    const answer = await here.fetch('/v1/stores/letters/entries');
    expect([answer.status, answer.body!['type']]).toEqual([
      503,
      'urn:millrace:problem:owner-unavailable',
    ]);
    await nonsense.close(0);
  });

  test('counts all partitions', async () => {
    expect((await here.fetch('/v1/stores/letters/count')).body).toEqual({ approximateCount: 4 });
  });
});

describe('a search for one key', () => {
  test.each(['a', 'b', 'c', 'd'])('finds %s wherever it is', async (key) => {
    expect((await here.fetch(`/v1/stores/letters/keys/${key}`)).body).toEqual({
      key,
      value: key.toUpperCase(),
    });
  });

  test('is 404 only when every partition has been asked', async () => {
    expect((await here.fetch('/v1/stores/letters/keys/x')).status).toBe(404);
    here.streams.elsewhere.set(1, undefined);
    expect((await here.fetch('/v1/stores/letters/keys/x')).status).toBe(503);
  });

  test('finds what is there although another part is missing', async () => {
    here.streams.elsewhere.set(1, undefined);
    expect((await here.fetch('/v1/stores/letters/keys/c')).status).toBe(200);
  });

  test('of an unknown store is 404', async () => {
    const { status, body } = await here.fetch('/v1/stores/nothing/keys/a');
    expect([status, body!['type']]).toEqual([404, 'urn:millrace:problem:unknown-store']);
  });

  test('is 503 while the engine has not said what stores there are', async () => {
    here.streams.forget();
    for (const path of ['keys/a', 'entries', 'count']) {
      expect((await here.fetch(`/v1/stores/letters/${path}`)).status).toBe(503);
    }
  });

  test('takes numbers for keys that are numbers, and refuses what cannot be one', async () => {
    here.streams.addStore('numbers', { keySerde: int32Serde as never, partitionCount: 1 });
    here.streams.put('numbers', 0, 42, 'answer');
    expect((await here.fetch('/v1/stores/numbers/keys/42')).body).toEqual({
      key: 42,
      value: 'answer',
    });
    const { status, body } = await here.fetch('/v1/stores/numbers/keys/many');
    expect([status, body!['type']]).toEqual([400, 'urn:millrace:problem:key-codec']);
  });

  test('tells bytes and great numbers as JSON can', async () => {
    here.streams.addStore('odd', { partitionCount: 1 });
    here.streams.put('odd', 0, 'a', { big: 2n ** 60n, bytes: Buffer.from('hi'), list: [1n] });
    expect((await here.fetch('/v1/stores/odd/keys/a')).body).toEqual({
      key: 'a',
      value: { big: '1152921504606846976', bytes: { base64: 'aGk=' }, list: ['1'] },
    });
  });
});

describe('metadata', () => {
  test('tells the stores and where their partitions are', async () => {
    const { body } = await here.fetch('/v1/stores');
    expect(body).toMatchObject({
      items: [
        {
          name: 'letters',
          partitions: [
            { isLocal: true },
            { isLocal: true },
            { active: `127.0.0.1:${there.port}` },
            {},
          ],
        },
      ],
    });
  });

  test('tells who owns a key, by the partitioning of producers', async () => {
    const { body } = await here.fetch('/v1/metadata/stores/letters/keys/some-key');
    const { partition } = here.streams.locateKey('letters', Buffer.from('some-key'));
    expect(body).toMatchObject({ partition });
  });

  test('tells the tasks', async () => {
    expect((await here.fetch('/v1/metadata/tasks')).body).toEqual({ state: 'RUNNING', items: [] });
    expect((await here.fetch('/v1/metadata/instances')).body).toEqual({ items: [] });
  });
});
