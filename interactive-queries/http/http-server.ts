/**
 * Node's server with limits: slow, oversized and malformed requests are answered with a problem
 * document before any handler sees them, and cut.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { MillraceError } from '../../base/errors.ts';
import { Problem, type ProblemSlug } from './problem.ts';

export interface ServerLimits {
  readonly headersTimeoutMs: number;
  /** For the whole request, its body included. */
  readonly requestTimeoutMs: number;
  /** An idle connection is kept so long: clients and proxies that give up after 60 s do it first. */
  readonly keepAliveMs: number;
  /** How often the time-outs are looked after. */
  readonly checkIntervalMs: number;
  readonly headerBytesMax: number;
}

const LIMITS: ServerLimits = {
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  keepAliveMs: 75_000,
  checkIntervalMs: 1_000,
  headerBytesMax: 16_384,
};

/** While closing: how soon a connection is noticed whose last answer has gone out. */
const CLOSE_IDLE_EVERY_MS = 50;

export class HttpServer {
  readonly #server: Server;
  readonly #onRefused: (problem: Problem) => void;
  readonly #sockets = new Set<Socket>();
  #isClosing = false;

  constructor(
    listener: RequestListener,
    onRefused: (problem: Problem) => void,
    limits: Partial<ServerLimits> = {},
  ) {
    const { headersTimeoutMs, requestTimeoutMs, keepAliveMs, checkIntervalMs, headerBytesMax } = {
      ...LIMITS,
      ...limits,
    };
    this.#onRefused = onRefused;
    const options = {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: checkIntervalMs,
      maxHeaderSize: headerBytesMax,
      // Node would answer without a document; http-app looks after it.
      requireHostHeader: false,
    };
    this.#server = createServer(options, (request, response) => {
      // A connection that goes on would keep a server that closes from ending.
      if (this.#isClosing) response.setHeader('Connection', 'close');
      listener(request, response);
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket as Socket));
    this.#server.on('checkExpectation', (request, response) =>
      this.#refuseExpectation(request, response),
    );
  }

  listen(host: string, port: number, setting: string): Promise<number> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(cannotListen(host, port, setting, cause)),
      );
      server.listen(port, host, () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Requests that are being answered have the time; whoever only keeps a connection does not. */
  close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const server = this.#server;
    return new Promise((resolve) => {
      const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      server.close(() => {
        clearInterval(idle);
        clearTimeout(cut);
        resolve();
      });
      server.closeIdleConnections();
      for (const socket of this.#sockets) endAfterThis(socket);
    });
  }

  /** What Node's parser refused or what came too slowly: answered by hand, then cut. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const problem = new Problem(slugOf(error.code));
    this.#onRefused(problem);
    // An answer that has begun cannot be followed by another.
    if (hasBegunToAnswer(socket)) {
      socket.destroy();
      return;
    }
    const body = JSON.stringify(problem.document(''));
    socket.end(
      [
        `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
        'Content-Type: application/problem+json',
        `Content-Length: ${Buffer.byteLength(body)}`,
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    );
  }

  #refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
    const problem = new Problem('expectation-failed', {
      detail: 'only 100-continue is understood',
    });
    this.#onRefused(problem);
    const body = JSON.stringify(problem.document(request.url ?? ''));
    response.writeHead(problem.status, {
      'Content-Type': 'application/problem+json',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
  }
}

function slugOf(code: string | undefined): ProblemSlug {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request-timeout';
    case 'HPE_HEADER_OVERFLOW':
      return 'header-too-large';
    default:
      return 'malformed-request';
  }
}

/**
 * Over which nobody has asked anything yet: cut, since to Node that is no idle connection but a late
 * request. What is being answered is told that nothing more may be asked.
 */
function endAfterThis(socket: Socket): void {
  if (socket.bytesRead === 0) socket.destroy();
  const response = answerUnderWay(socket);
  if (response !== undefined) response.shouldKeepAlive = false;
}

function hasBegunToAnswer(socket: Socket): boolean {
  return answerUnderWay(socket)?.headersSent === true;
}

/** The response that Node keeps with its socket; not in its typings. */
function answerUnderWay(socket: Socket): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

function cannotListen(
  host: string,
  port: number,
  setting: string,
  cause: NodeJS.ErrnoException,
): MillraceError {
  const taken = cause.code === 'EADDRINUSE';
  const message = `cannot listen on ${host}:${port}: ${cause.code}`;
  return new MillraceError(taken ? 'PORT_TAKEN' : 'CONFIG_INVALID', message, {
    cause,
    hint: taken
      ? `Another process has the port: set ${setting} to a free one.`
      : `Check ${setting}.`,
  });
}
