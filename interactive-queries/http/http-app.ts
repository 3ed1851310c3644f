/**
 * Koa around a table of routes: reading and checking requests, answering, problem documents, the
 * limits of the server. Knows nothing of what the routes do. The only file that names koa.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { readJsonBody } from './json-body.ts';
import { PROBLEMS, Problem } from './problem.ts';
import type { Route, RouteRequest, RouteResponse } from './route.ts';
import { compileChecks, type RouteChecks } from './validation.ts';

export interface HttpAppOptions {
  readonly routes: readonly Route[];
  readonly bodyLimitBytes: number;
  readonly log: Log;
  /** Told of every answer; must be cheap. */
  readonly onAnswered: (route: string, method: string, status: number, durationMs: number) => void;
  /** Headers of every answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly monotonicMs: () => number;
}

export interface HttpApp {
  /** Resolves with the port. Rejects PORT_TAKEN naming the setting. */
  listen(host: string, port: number, setting: string): Promise<number>;
  /** Stops accepting, lets running requests finish within the grace, then cuts. */
  close(graceMs: number): Promise<void>;
}

const FIXED_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
} as const;

export function createHttpApp(options: HttpAppOptions): HttpApp {
  const koa = new Koa();
  koa.on('error', (error: unknown) => options.log.error({ error }, 'request failed'));
  const router = new Router();
  for (const route of options.routes) {
    const checks = compileChecks(route);
    const path = route.path.replace(/\{(\w+)\}/g, ':$1');
    router.register(
      path,
      [route.method.toLowerCase()],
      (context: Koa.Context) => serve(route, checks, context, options),
      {},
    );
  }
  koa.use((context, next) => answer(context, next, options));
  koa.use(router.routes());
  koa.use((context) => nothingHere(context as Koa.Context & { matched?: { methods: string[] }[] }));
  const server = createServer(
    {
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 16_384,
    },
    koa.callback(),
  );
  server.on('clientError', onClientError);
  return {
    listen: (host, port, setting) => listen(server, host, port, setting),
    close: (graceMs) => close(server, graceMs),
  };
}

/** Outermost: turns whatever is thrown into a problem document, and reports. */
async function answer(
  context: Koa.Context,
  next: Koa.Next,
  options: HttpAppOptions,
): Promise<void> {
  const startMs = options.monotonicMs();
  context.set(FIXED_HEADERS);
  context.set(options.headers);
  try {
    refuseOddRequests(context.req);
    await next();
  } catch (error) {
    const problem = asProblem(error, options.log);
    context.status = problem.status;
    context.set(problem.options.headers ?? {});
    context.body = JSON.stringify(problem.document(context.path));
    context.type = 'application/problem+json';
  }
  const route = (context.state as { route?: string }).route ?? 'none';
  options.onAnswered(route, context.method, context.status, options.monotonicMs() - startMs);
}

async function serve(
  route: Route,
  checks: RouteChecks,
  context: Koa.Context,
  options: HttpAppOptions,
): Promise<void> {
  context.state = { route: route.path };
  const params = (context as unknown as { params: Record<string, string> }).params;
  checks.params(params);
  const query = checks.query(new URLSearchParams(context.querystring));
  let body: unknown;
  if (route.body !== undefined) {
    body = await readJsonBody(context.req, options.bodyLimitBytes);
    checks.body(body);
  }
  const request = new KoaRouteRequest(context, params, query, body);
  const result = route.handle(request);
  respond(context, result instanceof Promise ? await result : result);
}

function respond(context: Koa.Context, result: RouteResponse | 'taken'): void {
  if (result === 'taken') {
    context.respond = false;
    return;
  }
  context.status = result.status;
  if (result.headers !== undefined) context.set(result.headers as Record<string, string>);
  if (result.body === undefined) {
    context.body = null;
    context.status = result.status;
  } else if (typeof result.body === 'string' || Buffer.isBuffer(result.body)) {
    context.body = result.body;
  } else {
    context.body = JSON.stringify(result.body);
    if (result.headers?.['Content-Type'] === undefined) context.type = 'application/json';
  }
}

class KoaRouteRequest implements RouteRequest {
  readonly #context: Koa.Context;
  readonly params: RouteRequest['params'];
  readonly query: RouteRequest['query'];
  readonly body: unknown;
  #signal: AbortSignal | undefined;

  constructor(
    context: Koa.Context,
    params: RouteRequest['params'],
    query: RouteRequest['query'],
    body: unknown,
  ) {
    this.#context = context;
    this.params = params;
    this.query = query;
    this.body = body;
  }

  get headers(): RouteRequest['headers'] {
    return this.#context.req.headers;
  }

  get target(): string {
    return this.#context.url;
  }

  get raw(): RouteRequest['raw'] {
    return { request: this.#context.req, response: this.#context.res };
  }

  /** Made only when somebody looks: most requests never wait. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.#context.res.once('close', () => controller.abort());
      this.#signal = controller.signal;
    }
    return this.#signal;
  }
}

/** What Node lets through and nobody honest sends. */
function refuseOddRequests(request: IncomingMessage): void {
  if (!request.url?.startsWith('/')) {
    throw new Problem('malformed-request', { detail: 'the request target must be a path' });
  }
  let hosts = 0;
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    if (request.rawHeaders[index]!.toLowerCase() === 'host') hosts++;
  }
  if (hosts > 1) throw new Problem('malformed-request', { detail: 'more than one Host' });
}

function nothingHere(context: Koa.Context & { matched?: { methods: string[] }[] }): never {
  const allowed = [...new Set((context.matched ?? []).flatMap((layer) => layer.methods))];
  if (allowed.length === 0) throw new Problem('not-found');
  throw new Problem('method-not-allowed', { headers: { Allow: allowed.join(', ') } });
}

function asProblem(error: unknown, log: Log): Problem {
  if (error instanceof Problem) return error;
  if (isMillraceError(error, 'KAFKA_AMBIGUOUS'))
    return new Problem('outcome-unknown', { headers: { 'Retry-After': '1' }, cause: error });
  if (isMillraceError(error, 'KAFKA_UNAVAILABLE', 'KAFKA_RETRIABLE')) {
    return new Problem('broker-unavailable', { headers: { 'Retry-After': '2' }, cause: error });
  }
  if (isMillraceError(error, 'QUERY_UNAVAILABLE', 'STORE_CLOSED')) {
    return new Problem('rebalancing', { headers: { 'Retry-After': '1' }, cause: error });
  }
  log.error({ error }, 'request failed');
  return new Problem('internal', { cause: error });
}

/** Requests that Node's parser refused or that came too slowly: answered by hand, then cut. */
function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const [status, title] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, PROBLEMS['request-timeout'].title]
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? [431, 'The header is too large']
        : [400, PROBLEMS['malformed-request'].title];
  const body = JSON.stringify({ type: 'about:blank', title, status });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function listen(server: Server, host: string, port: number, setting: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      reject(
        new MillraceError(
          taken ? 'PORT_TAKEN' : 'CONFIG_INVALID',
          `cannot listen on ${host}:${port}: ${cause.code}`,
          {
            cause,
            hint: taken
              ? `Another process has the port: set ${setting} to a free one.`
              : `Check ${setting}.`,
          },
        ),
      );
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
