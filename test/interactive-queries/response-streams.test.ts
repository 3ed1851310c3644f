/** Answers that go on, over a real connection: what a client gets, and what it costs when it does not take it. */
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { createHttpApp, type HttpApp } from '../../interactive-queries/http/http-app.ts';
import type { ResponseStream } from '../../interactive-queries/http/response-streams.ts';
import { EVENT_STREAM_HEADERS } from '../../interactive-queries/http/server-sent-events.ts';
import { EventSourceClient } from '../kit/event-source.ts';

let app: HttpApp;
let url: string;

async function serve(stream: ResponseStream, limits = {}): Promise<number> {
  app = createHttpApp({
    routes: [
      {
        method: 'GET',
        path: '/stream',
        operationId: 'stream',
        summary: 'A stream',
        tag: 'test',
        access: 'open',
        answers: { 200: { about: 'It goes on' } },
        handle: () => ({ status: 200, headers: EVENT_STREAM_HEADERS, stream }),
      },
    ],
    authenticate: 'none',
    bodyLimitBytes: 1_000,
    log: silentLog,
    onAnswered: () => {},
    onProblem: () => {},
    headers: {},
    monotonicMs: () => performance.now(),
    limits,
  });
  const port = await app.listen('127.0.0.1', 0, 'PORT');
  url = `http://127.0.0.1:${port}/stream`;
  return port;
}

afterEach(() => app.close(0));

/** Tells when a stream was opened, and why it ended. */
function watched(make: (signal: AbortSignal) => AsyncIterable<string>) {
  const ended = Promise.withResolvers<void>();
  const state = { opened: 0, read: 0, ended: ended.promise };
  const stream: ResponseStream = (signal) => {
    state.opened++;
    return (async function* () {
      try {
        for await (const chunk of make(signal)) {
          state.read++;
          yield chunk;
        }
      } finally {
        ended.resolve();
      }
    })();
  };
  return { state, stream };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

async function* oneThenNothing(signal: AbortSignal): AsyncGenerator<string> {
  yield 'data: 1\nid: 1\n\n';
  await untilAborted(signal);
}

async function* endless(signal: AbortSignal): AsyncGenerator<string> {
  const chunk = `data: "${'x'.repeat(65_536)}"\n\n`;
  while (!signal.aborted) yield chunk;
}

describe('a stream', () => {
  test('is sent chunk by chunk, under its own headers, and ends when it does', async () => {
    const go = Promise.withResolvers<void>();
    const { stream } = watched(async function* () {
      yield 'data: 1\n\n';
      await go.promise;
      yield 'data: 2\n\n';
    });
    await serve(stream);
    const client = await EventSourceClient.open(url);
    expect([client.response.status, client.response.headers.get('content-type')]).toEqual([
      200,
      'text/event-stream',
    ]);
    expect(client.response.headers.get('cache-control')).toBe('no-store');
    expect((await client.next())?.data).toBe(1);
    expect(app.streamCount).toBe(1);
    go.resolve();
    expect((await client.next())?.data).toBe(2);
    expect(await client.next()).toBeUndefined();
    await vi.waitUntil(() => app.streamCount === 0);
  });

  test('ends when its client leaves', async () => {
    const { state, stream } = watched(oneThenNothing);
    await serve(stream);
    const client = await EventSourceClient.open(url);
    await client.next();
    client.leave();
    await state.ended;
    await vi.waitUntil(() => app.streamCount === 0);
  });

  test('that fails on its way is ended, so that the client comes again', async () => {
    const { stream } = watched(async function* () {
      yield 'data: 1\n\n';
      throw new Error('the state has left');
    });
    await serve(stream);
    const client = await EventSourceClient.open(url);
    await client.next();
    expect(await client.next()).toBeUndefined();
  });

  test('ends when it has lived long enough', async () => {
    const { state, stream } = watched(oneThenNothing);
    await serve(stream, { streamAgeMs: 100 });
    const client = await EventSourceClient.open(url);
    expect((await client.next())?.data).toBe(1);
    expect(await client.next()).toBeUndefined();
    await state.ended;
  });

  test('ends when the server closes, which does not wait for its grace', async () => {
    const { state, stream } = watched(oneThenNothing);
    await serve(stream);
    const client = await EventSourceClient.open(url);
    await client.next();
    await app.close(60_000);
    await state.ended;
    expect(await client.next()).toBeUndefined();
  });

  test('is not begun for a HEAD, and not for one too many, until another has ended', async () => {
    const { state, stream } = watched(oneThenNothing);
    await serve(stream, { streamsMax: 1 });
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const first = await EventSourceClient.open(url);
    await first.next();
    const refused = await fetch(url);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
    expect(((await refused.json()) as { type: string }).type).toBe(
      'urn:millrace:problem:quota-exceeded',
    );
    first.leave();
    await state.ended;
    const second = await EventSourceClient.open(url);
    expect((await second.next())?.data).toBe(1);
    second.leave();
  });
});

describe('a client that takes nothing', () => {
  let socket: Socket;

  function ask(port: number): void {
    socket = connect(port, '127.0.0.1', () => {
      socket.pause();
      socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    socket.on('error', () => {});
  }

  afterEach(() => socket.destroy());

  test('costs what the sockets hold, and no more, until it is cut', async () => {
    const { state, stream } = watched(endless);
    ask(await serve(stream, { slowClientMs: 300 }));
    await state.ended;
    // Both sides' socket buffers take a few MB at most.
    expect(state.read * 65_536).toBeLessThan(32 * 1024 * 1024);
    await vi.waitUntil(() => app.streamCount === 0);
  });

  test('does not keep the server from closing', async () => {
    const begun = Promise.withResolvers<void>();
    const { state, stream } = watched(async function* (signal) {
      begun.resolve();
      yield* endless(signal);
    });
    ask(await serve(stream));
    await begun.promise;
    await app.close(0);
    await state.ended;
  });
});
