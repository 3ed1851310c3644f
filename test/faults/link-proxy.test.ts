/** The proxy does what scenarios claim that it did: checked against a broker that echoes correlation ids. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FrameSplitter } from '../../kafka/protocol/frames.ts';
import { LinkProxy, type PassingRequest } from '../kit/link-proxy.ts';

const FRAME_BYTES_MAX = 1_024;
const END_TXN = 26;

let broker: Server;
let proxy: LinkProxy;
/** Correlation ids, in the order in which the broker got them. */
let received: number[];

beforeEach(async () => {
  received = [];
  broker = createServer((socket) => {
    const frames = new FrameSplitter(FRAME_BYTES_MAX);
    socket.on('data', (chunk) => {
      for (const frame of frames.push(chunk)) {
        received.push(frame.readInt32BE(4));
        socket.write(framed(frame.subarray(4, 8)));
      }
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  proxy = await LinkProxy.listen();
  const address = broker.address();
  proxy.forwardTo(typeof address === 'object' && address !== null ? address.port : 0);
});

afterEach(() => {
  proxy.close();
  broker.close();
});

function framed(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

function endTxn(correlationId: number): Buffer {
  const header = Buffer.alloc(11);
  header.writeInt16BE(END_TXN, 0);
  header.writeInt16BE(5, 2);
  header.writeInt32BE(correlationId, 4);
  header.writeInt16BE(-1, 8);
  return framed(header);
}

class Client {
  readonly socket: Socket;
  readonly answered: number[] = [];
  readonly closed: Promise<void>;
  #onAnswer = () => {};

  constructor() {
    this.socket = connect(proxy.port, '127.0.0.1');
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    const frames = new FrameSplitter(FRAME_BYTES_MAX);
    this.socket.on('data', (chunk) => {
      for (const frame of frames.push(chunk)) this.answered.push(frame.readInt32BE(0));
      this.#onAnswer();
    });
  }

  send(correlationId: number): void {
    this.socket.write(endTxn(correlationId));
  }

  async ask(correlationId: number): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#onAnswer = resolve;
    });
    this.send(correlationId);
    await answered;
  }
}

test('an open link is as if there were none', async () => {
  const client = new Client();
  await client.ask(1);
  await client.ask(2);
  expect(client.answered).toEqual([1, 2]);
});

test('a cut link breaks what is connected and refuses what comes, until it is open again', async () => {
  const client = new Client();
  await client.ask(1);
  proxy.become({ kind: 'cut' });
  await client.closed;
  await new Client().closed;
  expect(proxy.seen).toMatchObject({ cut: 1, refused: 1 });
  proxy.become({ kind: 'open' });
  const next = new Client();
  await next.ask(2);
  expect(next.answered).toEqual([2]);
});

test('a half-open link swallows answers although requests arrive, and breaks when it is open again', async () => {
  const client = new Client();
  await client.ask(1);
  proxy.become({ kind: 'half-open', swallow: 'answers' });
  client.send(2);
  await expect.poll(() => proxy.seen.swallowedBytes).toBeGreaterThan(0);
  expect(received).toEqual([1, 2]);
  expect(client.answered).toEqual([1]);
  proxy.become({ kind: 'open' });
  await client.closed;
});

test('requests vanish on a link that is half-open the other way', async () => {
  const client = new Client();
  await client.ask(1);
  proxy.become({ kind: 'half-open', swallow: 'requests' });
  client.send(2);
  await expect.poll(() => proxy.seen.swallowedBytes).toBeGreaterThan(0);
  expect(received).toEqual([1]);
});

test('a slow link changes no byte', async () => {
  proxy.become({ kind: 'slow', delayMs: 1 });
  const client = new Client();
  await client.ask(1);
  await client.ask(2);
  expect(client.answered).toEqual([1, 2]);
  expect(proxy.seen.delayedChunks).toBeGreaterThan(0);
});

test('a request that is held back outlives its client, and arrives when it is delivered', async () => {
  const held: PassingRequest[] = [];
  proxy.gate = (request) => {
    held.push(request);
    return 'hold';
  };
  const client = new Client();
  client.send(1);
  await expect.poll(() => held.length).toBe(1);
  expect(held[0]!.header).toMatchObject({ apiKey: END_TXN, correlationId: 1 });
  held[0]!.loseClient();
  await client.closed;
  proxy.gate = undefined;
  await new Client().ask(2);
  expect(received).toEqual([2]);
  const answer = await held[0]!.deliver();
  expect(answer.readInt32BE(0)).toBe(1);
  expect(received).toEqual([2, 1]);
});
