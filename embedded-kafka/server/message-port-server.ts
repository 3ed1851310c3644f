/**
 * The broker's door for threads of the same process: the same frames as over TCP, over MessagePorts.
 * A base port takes `{kind: 'connect', port}`; on each such port a message is one frame without its
 * size, and an answer likewise. Closing the port closes the connection.
 */
import type { MessagePort } from 'node:worker_threads';
import type { Log } from '../../base/log.ts';
import type { ConnectionContext, FrameHandler } from '../ports.ts';

export interface MessagePortServerOptions {
  readonly frameBytesMax: number;
  readonly handler: FrameHandler;
  readonly nextConnectionId: () => number;
  readonly log: Log;
}

/** What a base port is sent. */
export interface ConnectMessage {
  readonly kind: 'connect';
  readonly port: MessagePort;
}

/** What stands before a frame where one goes into a socket. */
const FRAME_SIZE_BYTES = 4;
/** Frames that may wait while one is being served; more is a client that has lost its mind. */
const WAITING_FRAMES_MAX = 1000;

export class MessagePortServer {
  readonly #options: MessagePortServerOptions;
  readonly #bases = new Set<MessagePort>();
  readonly #connections = new Set<PortConnection>();

  constructor(options: MessagePortServerOptions) {
    this.#options = options;
  }

  serve(base: MessagePort): void {
    this.#bases.add(base);
    base.on('message', (message: unknown) => {
      if (!isConnect(message)) return;
      const connection = new PortConnection(message.port, this.#options, () =>
        this.#connections.delete(connection),
      );
      this.#connections.add(connection);
    });
    base.on('close', () => this.#bases.delete(base));
  }

  close(): void {
    for (const base of this.#bases) base.close();
    for (const connection of this.#connections) connection.close();
  }
}

class PortConnection {
  readonly #port: MessagePort;
  readonly #options: MessagePortServerOptions;
  readonly #context: ConnectionContext;
  readonly #waiting: Buffer[] = [];
  #isServing = false;
  #isClosed = false;

  constructor(port: MessagePort, options: MessagePortServerOptions, onClosed: () => void) {
    this.#port = port;
    this.#options = options;
    this.#context = {
      connectionId: options.nextConnectionId(),
      clientSoftwareName: 'unknown',
      clientHost: 'in-process',
      // Nobody dials it: whoever came by a port comes by a port again.
      localHost: 'embedded',
      localPort: 0,
    };
    port.on('message', (message: unknown) => this.#receive(message));
    port.on('close', () => {
      this.#isClosed = true;
      options.handler.connectionClosed(this.#context);
      onClosed();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#port.close();
  }

  #receive(message: unknown): void {
    const isFrame = message instanceof Uint8Array && message.length <= this.#options.frameBytesMax;
    if (!isFrame || this.#waiting.length >= WAITING_FRAMES_MAX) {
      this.#options.log.warn(
        { connection: this.#context.connectionId },
        'not a frame, or too many',
      );
      this.close();
      return;
    }
    this.#waiting.push(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
    if (!this.#isServing) void this.#serve();
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    try {
      for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
        const answer = await this.#options.handler.handle(frame, this.#context);
        if (answer !== undefined && !this.#isClosed) this.#send(answer);
      }
    } catch (error) {
      this.#options.log.warn({ error }, 'in-process connection closed by an error');
      this.close();
    } finally {
      this.#isServing = false;
    }
  }

  #next(): Buffer | undefined {
    return this.#isClosed ? undefined : this.#waiting.shift();
  }

  /** Memory is given away, not copied, where nothing else lies in it: small answers share a pool. */
  #send(answer: Buffer): void {
    const { buffer, byteOffset, byteLength } = answer;
    const isAlone = byteOffset <= FRAME_SIZE_BYTES && byteOffset + byteLength === buffer.byteLength;
    const own = isAlone
      ? new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength)
      : new Uint8Array(answer);
    this.#port.postMessage(own, [own.buffer]);
  }
}

function isConnect(message: unknown): message is ConnectMessage {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    message.kind === 'connect' &&
    'port' in message
  );
}
