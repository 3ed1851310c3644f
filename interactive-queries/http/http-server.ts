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

export class HttpServer {
  readonly #server: Server;
  readonly #onRefused: (problem: Problem) => void;
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

  close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    return new Promise((resolve) => {
      const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      this.#server.closeIdleConnections();
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

/** The response that Node keeps with its socket; not in its typings. */
function hasBegunToAnswer(socket: Socket): boolean {
  return (socket as { _httpMessage?: ServerResponse })._httpMessage?.headersSent === true;
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
