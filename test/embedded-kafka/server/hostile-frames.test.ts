import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../base/log.ts';
import { seededRandom } from '../../../base/random.ts';
import { listenTcp, type TcpServer } from '../../../embedded-kafka/server/tcp-server.ts';
import { allApis } from '../../../kafka/protocol/apis.ts';
import {
  decodeResponse,
  decodeResponseHeader,
  encodeRequestFrame,
} from '../../../kafka/protocol/codec.ts';
import { apiVersionsApi } from '../../../kafka/protocol/messages/api-versions.ts';
import { metadataApi } from '../../../kafka/protocol/messages/metadata.ts';
import { BrokerHarness } from '../kit/broker-harness.ts';

const FRAME_BYTES_MAX = 2_500_000;
const BUFFERED_BYTES_MAX = 5_000_000;

let harness: BrokerHarness;
let server: TcpServer;
const sockets: net.Socket[] = [];

beforeEach(async () => {
  harness = await BrokerHarness.start();
  let connectionIds = 0;
  server = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    frameBytesMax: FRAME_BYTES_MAX,
    bufferedBytesMax: BUFFERED_BYTES_MAX,
    idleMs: 60_000,
    connectionsMax: 20,
    handler: harness.broker,
    nextConnectionId: () => ++connectionIds,
    log: silentLog,
  });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

async function connect(): Promise<net.Socket> {
  const socket = net.connect(server.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function metadataFrame(correlationId: number): Buffer {
  return encodeRequestFrame(
    metadataApi,
    12,
    { correlationId, clientId: 'x' },
    {
      topics: null,
    },
  );
}

/** The next frame, without its size. */
async function readFrame(socket: net.Socket): Promise<Buffer> {
  const size = await readBytes(socket, 4);
  return readBytes(socket, size.readInt32BE(0));
}

/** Paused reading: a flowing socket would go on after one 'data' and drop what nobody waits for. */
async function readBytes(socket: net.Socket, sizeBytes: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(sizeBytes) as Buffer | null;
    if (bytes !== null) return bytes;
    await once(socket, 'readable');
  }
}

async function expectServed(socket: net.Socket, correlationId: number): Promise<void> {
  socket.write(metadataFrame(correlationId));
  expect((await readFrame(socket)).readInt32BE(0)).toBe(correlationId);
}

/** Sends bytes that no client would, and waits until the broker has had enough of them. */
async function expectClosed(bytes: Buffer): Promise<void> {
  const socket = await connect();
  socket.resume();
  socket.write(bytes);
  await once(socket, 'close');
}

function framed(body: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length);
  return Buffer.concat([size, body]);
}

/** Api key, version, correlation id, a null client id. */
function header(apiKey: number, version: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeInt16BE(apiKey, 0);
  bytes.writeInt16BE(version, 2);
  bytes.writeInt32BE(9, 4);
  bytes.writeInt16BE(-1, 8);
  return bytes;
}

describe('a connection', () => {
  test('is served in order, however its bytes are cut and however many requests come at once', async () => {
    const socket = await connect();
    const all = Buffer.concat([1, 2, 3, 4, 5].map(metadataFrame));
    for (const byte of all.subarray(0, 70)) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    socket.write(all.subarray(70));
    for (const correlationId of [1, 2, 3, 4, 5]) {
      expect((await readFrame(socket)).readInt32BE(0)).toBe(correlationId);
    }
  });

  test('that breaks the rules is closed, and the others do not notice', async () => {
    const bystander = await connect();
    await expectServed(bystander, 1);
    const size = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(value);
      return bytes;
    };
    await expectClosed(size(-1));
    await expectClosed(size(0));
    await expectClosed(size(FRAME_BYTES_MAX + 1));
    await expectClosed(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await expectClosed(framed(Buffer.alloc(3)));
    await expectClosed(framed(header(9_999, 0)));
    await expectClosed(framed(header(metadataApi.key, 99)));
    await expectClosed(framed(Buffer.concat([header(metadataApi.key, 1), Buffer.alloc(2)])));
    // An array that claims two thousand million topics.
    await expectClosed(
      framed(Buffer.concat([header(metadataApi.key, 1), Buffer.from('7fffffff', 'hex')])),
    );
    await expectServed(bystander, 2);
  });

  test('may speak an ApiVersions that is too new: it is told in version 0 what there is', async () => {
    const socket = await connect();
    const tags = Buffer.of(0);
    socket.write(framed(Buffer.concat([header(apiVersionsApi.key, 99), tags, Buffer.alloc(20)])));
    const frame = await readFrame(socket);
    const { bodyAt } = decodeResponseHeader(frame, { apiKey: apiVersionsApi.key, flexible: false });
    const answer = decodeResponse(apiVersionsApi, 0, frame, bodyAt);
    expect(answer.errorCode).toBe(35);
    expect(answer.apiKeys.find(({ apiKey }) => apiKey === 18)).toMatchObject({ maxVersion: 4 });
    await expectServed(socket, 3);
  });

  test('of noise, shaped like requests of every API, never harms the broker', async () => {
    const random = seededRandom(7);
    for (const api of allApis) {
      for (let round = 0; round < 4; round++) {
        const span = api.maxVersion - api.minVersion + 1;
        const version = api.minVersion + Math.floor(random.next() * span);
        const noise = random.bytes(Math.floor(random.next() * 60));
        const socket = await connect();
        socket.resume();
        socket.end(framed(Buffer.concat([header(api.key, version), noise])));
        await once(socket, 'close');
      }
    }
    await expectServed(await connect(), 5);
  });

  test('that announces much and sends it slowly is closed when all together hold too much', async () => {
    const bystander = await connect();
    await expectServed(bystander, 1);
    const hoarders = await Promise.all([connect(), connect(), connect()]);
    // Not once(): a reset is an 'error' first, and as good an end as any.
    const closed = hoarders.map((socket) => new Promise((end) => socket.on('close', end)));
    const size = Buffer.alloc(4);
    size.writeInt32BE(FRAME_BYTES_MAX);
    for (const socket of hoarders) {
      socket.resume();
      socket.write(Buffer.concat([size, Buffer.alloc(FRAME_BYTES_MAX - 1)]));
    }
    await Promise.race(closed);
    await expectServed(bystander, 2);
  });

  test('beyond the limit is not taken', async () => {
    const open = await Promise.all(Array.from({ length: 20 }, connect));
    await expectServed(open[0]!, 1);
    const late = await connect();
    late.resume();
    await once(late, 'close');
    await expectServed(open[19]!, 2);
  });
});
