import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { createTcpConnector } from '../../kafka/kafkajs-transport.ts';
import { decodeRequest, decodeRequestHeader, encodeResponse } from '../../kafka/protocol/codec.ts';
import { FrameSplitter } from '../../kafka/protocol/frames.ts';
import { saslAuthenticateApi } from '../../kafka/protocol/messages/sasl-authenticate.ts';
import { saslHandshakeApi } from '../../kafka/protocol/messages/sasl-handshake.ts';
import type { BrokerConnection, RequestHeader } from '../../kafka/wire.ts';
import { turn } from '../kit/passing-time.ts';

const PLAIN_HEADER = { apiKey: 12, apiName: 'Heartbeat', apiVersion: 3, flexible: false };
const FLEXIBLE_HEADER = { apiKey: 12, apiName: 'Heartbeat', apiVersion: 4, flexible: true };
const API_VERSIONS = { apiKey: 18, apiName: 'ApiVersions', apiVersion: 3, flexible: true };
const TIMEOUT_MS = 5_000;

let server: Server;
let sockets: Socket[];
let open: BrokerConnection[];
/** What the server does with a request: answers with these bytes behind the correlation id, or not. */
let answer: (header: ReturnType<typeof decodeRequestHeader>, body: Buffer, socket: Socket) => void;

beforeEach(async () => {
  sockets = [];
  open = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    const frames = new FrameSplitter(1_000_000);
    socket.on('data', (chunk) => {
      for (const frame of frames.push(chunk)) {
        const header = decodeRequestHeader(frame);
        answer(header, frame.subarray(header.bodyAt), socket);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  for (const connection of open) connection.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

async function connect(clock = systemClock as ManualClock | typeof systemClock) {
  const { port } = server.address() as AddressInfo;
  const connector = createTcpConnector({ clientId: 'tester' }, { clock, log: silentLog });
  const connection = await connector.connect({ host: '127.0.0.1', port }, 'test');
  open.push(connection);
  return connection;
}

function frame(correlationId: number, ...parts: Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  const payload = Buffer.concat(parts);
  head.writeInt32BE(4 + payload.length, 0);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, payload]);
}

const send = (connection: BrokerConnection, header: RequestHeader, body: string) =>
  connection.request(header, Buffer.from(body), TIMEOUT_MS);

describe('a connection', () => {
  test('sends header and body as they are, and resolves with the body of the answer', async () => {
    const seen: unknown[] = [];
    answer = (header, body, socket) => {
      const { apiKey, apiVersion, clientId, flexible } = header;
      seen.push({ apiKey, apiVersion, clientId, flexible, body: body.toString() });
      socket.write(frame(header.correlationId, Buffer.from('the answer')));
    };
    const connection = await connect();
    expect((await send(connection, PLAIN_HEADER, 'the request')).toString()).toBe('the answer');
    expect(seen).toEqual([
      { apiKey: 12, apiVersion: 3, clientId: 'tester', flexible: false, body: 'the request' },
    ]);
  });

  test('skips the tagged fields of a flexible answer, which ApiVersions never has', async () => {
    const tags = Buffer.from([2, 0, 3, 1, 2, 3, 7, 1, 9]);
    answer = ({ correlationId, apiKey }, _body, socket) => {
      const body = Buffer.from('body');
      socket.write(apiKey === 18 ? frame(correlationId, body) : frame(correlationId, tags, body));
    };
    const connection = await connect();
    expect((await send(connection, FLEXIBLE_HEADER, '')).toString()).toBe('body');
    expect((await send(connection, API_VERSIONS, '')).toString()).toBe('body');
  });

  test('puts together answers that come in pieces, and takes apart those that come at once', async () => {
    const held: Buffer[] = [];
    answer = ({ correlationId }, body, socket) => {
      held.push(frame(correlationId, Buffer.from(`re: ${body.toString()}`)));
      if (held.length < 3) return;
      const all = Buffer.concat(held);
      socket.setNoDelay(true);
      socket.write(all.subarray(0, 6));
      setImmediate(() => socket.write(all.subarray(6)));
    };
    const connection = await connect();
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((body) => send(connection, PLAIN_HEADER, body)),
    );
    expect(answers.map(String)).toEqual(['re: one', 're: two', 're: three']);
  });

  test('rejects everything that is out when it is lost, and whatever comes later', async () => {
    answer = (_header, body, socket) => {
      if (body.toString() === 'two') socket.destroy();
    };
    const connection = await connect();
    const outcomes = await Promise.allSettled(
      ['one', 'two'].map((body) => send(connection, PLAIN_HEADER, body)),
    );
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'KAFKA_RETRIABLE' } });
    }
    expect(connection.isOpen).toBe(false);
    await expect(send(connection, PLAIN_HEADER, 'late')).rejects.toMatchObject({
      code: 'KAFKA_RETRIABLE',
    });
  });

  test('is closed when a request is not answered in time: what comes later would not be trusted', async () => {
    const clock = new ManualClock();
    const received = Promise.withResolvers<void>();
    answer = () => received.resolve();
    const connection = await connect(clock);
    const sent = send(connection, PLAIN_HEADER, 'x');
    const refused = expect(sent).rejects.toThrow(/Heartbeat: .* no answer within 5000 ms/);
    await received.promise;
    clock.advance(TIMEOUT_MS - 1);
    await turn();
    expect(connection.isOpen).toBe(true);
    clock.advance(1);
    await refused;
    expect(connection.isOpen).toBe(false);
  });

  test('is closed by an answer that cannot be read', async () => {
    answer = ({ correlationId }, _body, socket) => {
      socket.write(frame(correlationId, Buffer.from([1, 0, 200])));
    };
    const connection = await connect();
    await expect(send(connection, FLEXIBLE_HEADER, '')).rejects.toMatchObject({
      code: 'KAFKA_PROTOCOL',
    });
    expect(connection.isOpen).toBe(false);
  });

  test('leaves no timer behind that wakes the process up', async () => {
    answer = ({ correlationId }, _body, socket) => socket.write(frame(correlationId));
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
    const before = timers().length;
    const connection = await connect();
    await send(connection, PLAIN_HEADER, 'x');
    await send(connection, PLAIN_HEADER, 'y');
    expect(timers().length).toBe(before);
    const clock = new ManualClock();
    const quiet = await connect(clock);
    await quiet.request(PLAIN_HEADER, Buffer.from('x'), TIMEOUT_MS);
    expect(clock.nextTimerInMs()).toBeUndefined();
  });
});

describe('connecting', () => {
  test('to nobody is KAFKA_UNAVAILABLE and names the address', async () => {
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const connector = createTcpConnector({ clientId: 'x' }, { clock: systemClock, log: silentLog });
    const connecting = connector.connect({ host: '127.0.0.1', port }, 'test');
    await expect(connecting).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    await expect(connecting).rejects.toThrow(`cannot connect to 127.0.0.1:${port}`);
  });

  describe('with a login', () => {
    const sasl = { mechanism: 'plain', username: 'ada', password: 'secret' } as const;
    const logIn = (sessionLifetimeMs: number, errorCode = 0) => {
      answer = (header, body, socket) => {
        const { correlationId, apiVersion } = header;
        const reply = (payload: Buffer) => socket.write(frame(correlationId, payload));
        if (header.apiKey === saslHandshakeApi.key) {
          reply(
            encodeResponse(saslHandshakeApi, apiVersion, { errorCode: 0, mechanisms: ['PLAIN'] }),
          );
        } else if (header.apiKey === saslAuthenticateApi.key) {
          const { authBytes } = decodeRequest(saslAuthenticateApi, apiVersion, Buffer.from(body));
          expect(authBytes.toString()).toBe('\0ada\0secret');
          const errorMessage = errorCode === 0 ? null : 'no such user';
          const response = {
            errorCode,
            errorMessage,
            authBytes: Buffer.alloc(0),
            sessionLifetimeMs,
          };
          reply(encodeResponse(saslAuthenticateApi, apiVersion, response));
        } else reply(Buffer.from('ok'));
      };
      const { port } = server.address() as AddressInfo;
      const deps = { clock: systemClock, log: silentLog };
      const connector = createTcpConnector({ clientId: 'x', sasl }, deps);
      return connector.connect({ host: '127.0.0.1', port }, 'test');
    };

    test('works before anything else is sent', async () => {
      const connection = await logIn(0);
      open.push(connection);
      expect(connection.isOpen).toBe(true);
      expect((await send(connection, PLAIN_HEADER, '')).toString()).toBe('ok');
    });

    test('that is refused is KAFKA_AUTHENTICATION', async () => {
      const refused = logIn(0, 58);
      await expect(refused).rejects.toMatchObject({ code: 'KAFKA_AUTHENTICATION' });
      await expect(refused).rejects.toThrow(/no such user/);
    });

    test('that is about to run out asks for a new connection, when nothing is out on this one', async () => {
      const connection = await logIn(5);
      open.push(connection);
      const sent = send(connection, PLAIN_HEADER, '');
      expect(connection.isOpen).toBe(true);
      expect((await sent).toString()).toBe('ok');
      expect(connection.isOpen).toBe(false);
    });
  });

  test('gives up on a login that the broker does not answer', async () => {
    const clock = new ManualClock();
    const { port } = server.address() as AddressInfo;
    const received = Promise.withResolvers<void>();
    answer = () => received.resolve();
    const sasl = { mechanism: 'plain', username: 'u', password: 'p' } as const;
    const connector = createTcpConnector({ clientId: 'x', sasl }, { clock, log: silentLog });
    const connecting = connector.connect({ host: '127.0.0.1', port }, 'test');
    const refused = expect(connecting).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE' });
    await received.promise;
    clock.advance(10_000);
    await refused;
  });
});
