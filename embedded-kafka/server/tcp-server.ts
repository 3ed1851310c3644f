/**
 * The broker's TCP listener. Each connection is served one request at a time, in order, as Kafka does;
 * what it sends ahead waits in a bounded buffer, and a peer that does not read its answers gets no more.
 * A frame that cannot be right closes its own connection and nothing else.
 */
import net from 'node:net';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { BrokerAddress } from '../../kafka/wire.ts';
import type { ConnectionContext, FrameHandler } from '../ports.ts';
import { FrameReader } from './frame-reader.ts';

export interface TcpServerOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Where clients are told to come; null or left out = to the address they have reached. */
  readonly advertised?: BrokerAddress | null;
  readonly frameBytesMax: number;
  /** Received and not yet served, over all connections: who goes beyond it is closed. */
  readonly bufferedBytesMax: number;
  readonly idleMs: number;
  readonly connectionsMax: number;
  readonly handler: FrameHandler;
  /** Unique over all servers of the broker. */
  readonly nextConnectionId: () => number;
  readonly log: Log;
}

export interface TcpServer {
  readonly host: string;
  readonly port: number;
  /** Closes the listener and all connections. */
  close(): Promise<void>;
}

/** Requests sent ahead are read up to here while one is being served. */
const READ_AHEAD_BYTES = 1024 * 1024;

/** Rejects with PORT_TAKEN, or CONFIG_INVALID when the address cannot be listened on. */
export async function listenTcp(options: TcpServerOptions): Promise<TcpServer> {
  const connections = new Set<TcpConnection>();
  const isOverBudget = () => {
    let bufferedBytes = 0;
    for (const connection of connections) bufferedBytes += connection.bufferedBytes;
    return bufferedBytes > options.bufferedBytesMax;
  };
  const server = net.createServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (connections.size >= options.connectionsMax) {
      options.log.warn({ connectionsMax: options.connectionsMax }, 'too many connections');
      socket.destroy();
      return;
    }
    const connection = new TcpConnection(socket, options, {
      isOverBudget,
      onClosed: () => connections.delete(connection),
    });
    connections.add(connection);
  });
  await listen(server, options);
  const address = server.address() as net.AddressInfo;
  return {
    host: address.address,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const connection of connections) connection.close();
      }),
  };
}

function listen(server: net.Server, { host, port }: TcpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(listenError(error, host, port));
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): MillraceError {
  const address = `${host}:${port}`;
  if (cause.code === 'EADDRINUSE') {
    return new MillraceError('PORT_TAKEN', `${address} is taken by another program`, {
      cause,
      hint: 'Set EMBEDDED_LISTEN to another host:port for the embedded broker, or stop that program.',
      facts: { host, port },
    });
  }
  return new MillraceError('CONFIG_INVALID', `cannot listen on ${address}: ${cause.message}`, {
    cause,
    hint: 'Set EMBEDDED_LISTEN to an address of this machine and a port that you may use.',
    facts: { host, port },
  });
}

/** What a connection needs of all the others. */
interface Neighbours {
  readonly isOverBudget: () => boolean;
  readonly onClosed: () => void;
}

class TcpConnection {
  readonly #socket: net.Socket;
  readonly #options: TcpServerOptions;
  readonly #reader: FrameReader;
  readonly #context: ConnectionContext;
  readonly #neighbours: Neighbours;
  #isServing = false;
  #isClosed = false;

  constructor(socket: net.Socket, options: TcpServerOptions, neighbours: Neighbours) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new FrameReader(options.frameBytesMax);
    this.#neighbours = neighbours;
    this.#context = {
      connectionId: options.nextConnectionId(),
      clientSoftwareName: 'unknown',
      clientHost: plainAddress(socket.remoteAddress),
      localHost: withoutBrackets(options.advertised?.host) ?? plainAddress(socket.localAddress),
      localPort: options.advertised?.port ?? socket.localPort ?? options.port,
    };
    socket.setTimeout(options.idleMs, () => {
      if (!this.#isServing) this.close();
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    // A reset is an ordinary end of a connection; 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
  }

  get bufferedBytes(): number {
    return this.#reader.bufferedBytes;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    const isLarge = this.#reader.bufferedBytes > READ_AHEAD_BYTES;
    if (!this.#isServing) void this.#serve();
    else if (isLarge) this.#socket.pause();
    if (isLarge && this.#neighbours.isOverBudget()) {
      const { clientHost } = this.#context;
      this.#options.log.warn({ clientHost }, 'too many bytes of unfinished requests');
      this.close();
    }
  }

  /** Serves what has been received completely, one after another. Never rejects. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    try {
      for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
        const answer = await this.#options.handler.handle(frame, this.#context);
        if (answer !== undefined) await this.#send(answer);
      }
    } catch (error) {
      const { connectionId, clientHost } = this.#context;
      this.#options.log.warn({ connectionId, clientHost, error }, 'connection closed by an error');
      this.close();
    } finally {
      this.#isServing = false;
      this.#socket.resume();
    }
  }

  #next(): Buffer | undefined {
    return this.#isClosed ? undefined : this.#reader.next();
  }

  async #send(answer: Buffer): Promise<void> {
    if (this.#isClosed) return;
    const size = Buffer.allocUnsafe(4);
    size.writeInt32BE(answer.length);
    this.#socket.cork();
    this.#socket.write(size);
    const isTaken = this.#socket.write(answer);
    this.#socket.uncork();
    if (!isTaken) await this.#drained();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.once('drain', done);
      this.#socket.once('close', done);
    });
  }

  #closed(): void {
    this.#isClosed = true;
    this.#options.handler.connectionClosed(this.#context);
    this.#neighbours.onClosed();
  }
}

/** An IPv6 address as Kafka's protocol has it, not as a URL has it. */
function withoutBrackets(host: string | undefined): string | undefined {
  return host?.replace(/^\[(.*)\]$/, '$1');
}

/** An IPv4 address as such, not wrapped into IPv6. */
function plainAddress(address = 'unknown'): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
