/**
 * A TCP proxy before one Kafka broker: the link between one instance and that broker, which a test
 * cuts, slows down, makes half-open, or whose requests it holds back one by one. It forwards whole
 * requests (it has to know them) and the bytes of answers as they come.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeRequestHeader, type ReceivedRequestHeader } from '../../kafka/protocol/codec.ts';
import { FrameSplitter } from '../../kafka/protocol/frames.ts';

export interface PassingRequest {
  readonly header: ReceivedRequestHeader;
  /** Header and body, without the size. */
  readonly frame: Buffer;
  /** Sends it to the broker on its own connection; resolves with the answer's frame. */
  deliver(): Promise<Buffer>;
  /** Breaks the instance's side: for the instance, request and connection are lost. */
  loseClient(): void;
}

/** 'forward': as if the proxy were not there. 'hold': whoever said so delivers it, or nobody does. */
export type Verdict = 'forward' | 'hold';
export type Gate = (request: PassingRequest) => Verdict | Promise<Verdict>;

const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const SLOW_PIECE_BYTES = 1_024;

export class LinkProxy {
  /** What came through, for a run's evidence. */
  readonly seen = { connections: 0, refused: 0, cut: 0, swallowedBytes: 0, delayedChunks: 0 };
  /** Asked about every request while it is set; the ones behind it on the connection wait. */
  gate: Gate | undefined;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #targetPort = 0;
  #mode: LinkMode = { kind: 'open' };

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => this.#accept(client));
  }

  /** Listens on a free port of loopback; nothing is forwarded before `forwardTo`. */
  static listen(): Promise<LinkProxy> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true });
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(new LinkProxy(server)));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get mode(): LinkMode {
    return this.#mode;
  }

  forwardTo(port: number): void {
    this.#targetPort = port;
  }

  /** From now on. 'cut' also breaks what is connected. */
  become(mode: LinkMode): void {
    this.#mode = mode;
    if (mode.kind === 'cut') this.#breakAll();
    // What a half-open link has swallowed is gone: its connections cannot go on.
    if (mode.kind === 'open') for (const pair of this.#pairs) if (pair.hasLostBytes) pair.break();
  }

  close(): void {
    this.#server.close();
    this.#breakAll();
  }

  #breakAll(): void {
    this.seen.cut += this.#pairs.size;
    for (const pair of this.#pairs) pair.break();
  }

  #accept(client: Socket): void {
    if (this.#mode.kind === 'cut') {
      this.seen.refused++;
      client.resetAndDestroy();
      return;
    }
    this.seen.connections++;
    const pair: Pair = new Pair(client, this.#targetPort, this, () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
  }
}

export type LinkMode =
  | { readonly kind: 'open' }
  /** Connections break and new ones are refused. */
  | { readonly kind: 'cut' }
  /** What is connected stays so, and says nothing: answers, requests or both are swallowed. */
  | { readonly kind: 'half-open'; readonly swallow: 'requests' | 'answers' | 'both' }
  /** Each piece of an answer comes that much later, a few bytes at a time. */
  | { readonly kind: 'slow'; readonly delayMs: number };

/** A client's connection and the one to the broker that belongs to it. */
class Pair {
  hasLostBytes = false;
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #proxy: LinkProxy;
  readonly #answers = new FrameSplitter(FRAME_BYTES_MAX);
  /** Of delivered requests whose answers do not go to the client, by correlation id. */
  readonly #awaited = new Map<number, (frame: Buffer) => void>();
  #requests: Promise<void> = Promise.resolve();
  #slowAnswers: Promise<void> = Promise.resolve();
  #held = 0;

  constructor(client: Socket, port: number, proxy: LinkProxy, onEnd: () => void) {
    this.#client = client;
    this.#broker = dial({ port, host: '127.0.0.1', noDelay: true });
    this.#proxy = proxy;
    const requests = new FrameSplitter(FRAME_BYTES_MAX);
    client.on('data', (chunk: Buffer) => {
      for (const frame of requests.push(chunk)) {
        const copy = Buffer.from(frame);
        this.#requests = this.#requests.then(() => this.#pass(copy)).catch(() => this.break());
      }
    });
    this.#broker.on('data', (chunk: Buffer) => this.#answer(chunk));
    // Held requests live on with the broker's side when the client has gone.
    client.on('close', () => this.#held === 0 && this.break());
    client.on('error', () => this.#held === 0 && this.break());
    this.#broker.on('error', () => this.break());
    this.#broker.on('close', () => {
      this.break();
      onEnd();
    });
  }

  break(): void {
    this.#client.destroy();
    this.#broker.destroy();
  }

  async #pass(frame: Buffer): Promise<void> {
    const { gate, mode } = this.#proxy;
    if (mode.kind === 'half-open' && mode.swallow !== 'answers') {
      this.hasLostBytes = true;
      this.#proxy.seen.swallowedBytes += frame.length;
      return;
    }
    if (gate !== undefined) {
      this.#held++;
      const header = decodeRequestHeader(frame);
      const verdict = await gate({
        header,
        frame,
        deliver: () => this.#deliver(header.correlationId, frame),
        loseClient: () => this.#client.destroy(),
      });
      if (verdict === 'hold') return;
      this.#held--;
    }
    this.#send(frame);
  }

  #deliver(correlationId: number, frame: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#awaited.set(correlationId, resolve);
      this.#broker.once('close', () => reject(new Error('the broker closed the connection')));
      this.#send(frame);
    });
  }

  #send(frame: Buffer): void {
    const size = Buffer.allocUnsafe(4);
    size.writeInt32BE(frame.length);
    this.#broker.write(Buffer.concat([size, frame]));
  }

  #answer(chunk: Buffer): void {
    const { mode, seen } = this.#proxy;
    if (this.#awaited.size > 0) {
      this.#answerHeld(chunk);
    } else if (mode.kind === 'half-open' && mode.swallow !== 'requests') {
      this.hasLostBytes = true;
      seen.swallowedBytes += chunk.length;
    } else if (mode.kind === 'slow') {
      this.#slowAnswers = this.#slowAnswers.then(() => this.#answerSlowly(chunk, mode.delayMs));
    } else this.#client.write(chunk);
  }

  #answerHeld(chunk: Buffer): void {
    for (const frame of this.#answers.push(chunk)) {
      const correlationId = frame.readInt32BE(0);
      this.#awaited.get(correlationId)?.(Buffer.from(frame));
      this.#awaited.delete(correlationId);
    }
  }

  async #answerSlowly(chunk: Buffer, delayMs: number): Promise<void> {
    this.#proxy.seen.delayedChunks++;
    for (let at = 0; at < chunk.length; at += SLOW_PIECE_BYTES) {
      if (this.#proxy.mode.kind === 'slow') await sleep(delayMs);
      this.#client.write(chunk.subarray(at, at + SLOW_PIECE_BYTES));
    }
  }
}
