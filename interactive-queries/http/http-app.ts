/**
 * Koa around a table of routes: reading and checking requests, answering, problem documents. Knows
 * nothing of what the routes do. The only file that names koa.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import Koa from 'koa';
import { isMillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { type Authenticate, type Caller, requireRole, TRUSTED, UNKNOWN } from '../auth/access.ts';
import { HttpServer, type ServerLimits } from './http-server.ts';
import { parseJson, readJsonBytes } from './json-body.ts';
import { Problem, type ProblemSlug, retryAfter } from './problem.ts';
import {
  discard,
  type ResponseStream,
  ResponseStreams,
  type StreamLimits,
} from './response-streams.ts';
import type { Route, RouteRequest, RouteResponse } from './route.ts';
import { type RouteMatch, RouteTable } from './route-table.ts';
import { compileChecks, type RouteChecks } from './validation.ts';

export interface HttpAppOptions {
  readonly routes: readonly Route[];
  /** Says who asks; 'none' = everybody who gets here may do everything. */
  readonly authenticate: Authenticate | 'none';
  readonly bodyLimitBytes: number;
  readonly log: Log;
  /** Told of every answer (`route` is 'none' where none matched); must be cheap. */
  readonly onAnswered: (route: string, method: string, status: number, durationMs: number) => void;
  /** Told of every error answer; must be cheap. */
  readonly onProblem: (slug: ProblemSlug) => void;
  /** Headers of every answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly monotonicMs: () => number;
  readonly limits?: Partial<ServerLimits & StreamLimits>;
}

export interface HttpApp {
  /** Resolves with the port. Rejects PORT_TAKEN naming the setting. */
  listen(host: string, port: number, setting: string): Promise<number>;
  /** Ends streams, stops accepting, lets running requests finish within the grace, then cuts. */
  close(graceMs: number): Promise<void>;
  /** Answers that are going on. */
  readonly streamCount: number;
}

/** Node itself drops what lies beyond 2,000, silently. */
const HEADER_LINES_MAX = 100;

/** Why a request's signal aborts, made once: the default reason is an exception with a stack for each. */
const CLOSED = new Error('the connection is done with this request');

/** Told instead of a status that nobody receives: a client that left is not an error of ours. */
const CLIENT_GONE = 499;

/** Statuses whose answers have no body, not even an empty one. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

const NOT_QUERYABLE =
  'it is kept in memory by the thread that owns it: only stores with persistence "leveldb" can be queried';

const FIXED_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
} as const;

export function createHttpApp(options: HttpAppOptions): HttpApp {
  const koa = new Koa();
  koa.on('error', (error: unknown) => options.log.error({ err: error }, 'request failed'));
  const table = new RouteTable(options.routes.map(checked));
  const streams = new ResponseStreams(options.log, options.limits);
  const output = { headers: { ...FIXED_HEADERS, ...options.headers }, streams };
  koa.use((context) => answer(context, table, output, options));
  const onRefused = ({ slug, status }: Problem) => {
    options.onProblem(slug);
    options.onAnswered('none', '_OTHER', status, 0);
  };
  const server = new HttpServer(koa.callback(), onRefused, options.limits);
  return {
    listen: (host, port, setting) => server.listen(host, port, setting),
    close: (graceMs) => {
      streams.close();
      return server.close(graceMs);
    },
    get streamCount() {
      return streams.count;
    },
  };
}

/** A route as it stands in the table. */
interface CheckedRoute {
  readonly method: string;
  readonly path: string;
  readonly route: Route;
  readonly checks: RouteChecks;
}

function checked(route: Route): CheckedRoute {
  return { method: route.method, path: route.path, route, checks: compileChecks(route) };
}

/** What all answers have in common. */
interface Output {
  readonly headers: Readonly<Record<string, string>>;
  readonly streams: ResponseStreams;
}

/** Outermost: turns whatever is thrown into a problem document, answers, and reports. */
async function answer(
  context: Koa.Context,
  table: RouteTable<CheckedRoute>,
  output: Output,
  options: HttpAppOptions,
): Promise<void> {
  const startMs = options.monotonicMs();
  const { req, res } = context;
  const method = req.method!;
  let route = 'none';
  let response: RouteResponse | undefined;
  try {
    refuseOddRequests(req);
    const { path } = context;
    const found = table.match(method, path);
    if (found === undefined) throw nothingHere(table.methodsOf(path));
    route = found.entry.path;
    response = await serve(found, context, options);
    if (response.stream !== undefined && output.streams.isFull) {
      throw tooManyStreams(response.stream);
    }
  } catch (error) {
    const problem = asProblem(error, options.log);
    if (context.writable) options.onProblem(problem.slug);
    response = problemResponse(problem, context.path);
  }
  const hasLeft = !context.writable;
  context.respond = false;
  if (!hasLeft) {
    send(res, response, output, method === 'HEAD');
  } else if (response.stream !== undefined) {
    discard(response.stream);
  }
  const status = hasLeft ? CLIENT_GONE : res.statusCode;
  options.onAnswered(route, method, status, options.monotonicMs() - startMs);
}

function problemResponse(problem: Problem, path: string): RouteResponse {
  return {
    status: problem.status,
    headers: { ...problem.options.headers, 'Content-Type': 'application/problem+json' },
    body: JSON.stringify(problem.document(path)),
  };
}

/** In one write, past Koa's own response: its setters cost more than everything else of a small read. */
function send(
  response: ServerResponse,
  { status, headers, body, stream }: RouteResponse,
  { headers: fixed, streams }: Output,
  headOnly: boolean,
): void {
  if (stream !== undefined) {
    response.writeHead(status, { ...fixed, ...headers });
    if (headOnly) {
      discard(stream);
      response.end();
    } else void streams.send(response, stream);
    return;
  }
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
  const bytes = isRaw || body === undefined ? body : JSON.stringify(body);
  const all: Record<string, string | number> = { ...fixed };
  if (bytes !== undefined && !isRaw) all['Content-Type'] = 'application/json';
  Object.assign(all, headers);
  if (!BODILESS.has(status)) {
    all['Content-Length'] = bytes === undefined ? 0 : Buffer.byteLength(bytes);
  }
  response.writeHead(status, all);
  response.end(headOnly || BODILESS.has(status) ? undefined : bytes);
}

/** The stream may hold on to something, a connection to its owner for one. */
function tooManyStreams(stream: ResponseStream): Problem {
  discard(stream);
  return new Problem('quota-exceeded', { ...retryAfter(5), detail: 'too many streams are open' });
}

async function serve(
  { entry: { route, checks }, params }: RouteMatch<CheckedRoute>,
  context: Koa.Context,
  options: HttpAppOptions,
): Promise<RouteResponse> {
  // Before anything else is looked at: strangers learn nothing and cost little.
  const known = callerOf(route, context.req, options);
  const caller = known instanceof Promise ? await known : known;
  checks.params(params);
  const query = checks.query(context.querystring);
  let body: unknown;
  let bytes: Buffer | undefined;
  if (route.body !== undefined) {
    bytes = await readJsonBytes(context.req, options.bodyLimitBytes);
    route.checkBytes?.(context.req.headers, bytes);
    body = parseJson(bytes);
    checks.body(body);
  }
  return route.handle(new KoaRouteRequest(context, caller, params, query, body, bytes));
}

/** Throws 401, 403 or 503. A promise only where there is a token to be looked at. */
function callerOf(
  { access }: Route,
  request: IncomingMessage,
  { authenticate }: HttpAppOptions,
): Caller | Promise<Caller> {
  if (authenticate === 'none') return TRUSTED;
  if (access === 'open') return UNKNOWN;
  return authenticate(request.headers.authorization).then((caller) => {
    requireRole(caller, access);
    return caller;
  });
}

class KoaRouteRequest implements RouteRequest {
  readonly #context: Koa.Context;
  readonly caller: Caller;
  readonly params: RouteRequest['params'];
  readonly query: RouteRequest['query'];
  readonly body: unknown;
  readonly bodyBytes: Buffer | undefined;
  #signal: AbortSignal | undefined;

  constructor(
    context: Koa.Context,
    caller: Caller,
    params: RouteRequest['params'],
    query: RouteRequest['query'],
    body: unknown,
    bodyBytes: Buffer | undefined,
  ) {
    this.#context = context;
    this.caller = caller;
    this.params = params;
    this.query = query;
    this.body = body;
    this.bodyBytes = bodyBytes;
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
      const { res } = this.#context;
      if (res.closed) controller.abort(CLOSED);
      else res.once('close', () => controller.abort(CLOSED));
      this.#signal = controller.signal;
    }
    return this.#signal;
  }

  whenGone(listener: () => void): () => void {
    const { res } = this.#context;
    if (res.closed) queueMicrotask(listener);
    else res.on('close', listener);
    return () => res.off('close', listener);
  }
}

/** What Node lets through and nobody honest sends. */
function refuseOddRequests(request: IncomingMessage): void {
  if (!request.url?.startsWith('/')) {
    throw new Problem('malformed-request', { detail: 'the request target must be a path' });
  }
  const { rawHeaders } = request;
  if (rawHeaders.length > 2 * HEADER_LINES_MAX) {
    throw new Problem('header-too-large', { detail: `at most ${HEADER_LINES_MAX} header lines` });
  }
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  // HTTP/1.0 knows no Host.
  if (hosts === 1 || (hosts === 0 && request.httpVersion === '1.0')) return;
  throw new Problem('malformed-request', { detail: `${hosts} Host headers, expected one` });
}

function nothingHere(allowed: readonly string[]): Problem {
  if (allowed.length === 0) return new Problem('not-found');
  return new Problem('method-not-allowed', { headers: { Allow: allowed.join(', ') } });
}

function asProblem(error: unknown, log: Log): Problem {
  if (error instanceof Problem) return error;
  const cause = error;
  if (isMillraceError(error, 'KAFKA_AMBIGUOUS')) {
    return new Problem('outcome-unknown', { ...retryAfter(1), cause });
  }
  if (isMillraceError(error, 'KAFKA_UNAVAILABLE', 'KAFKA_RETRIABLE')) {
    return new Problem('broker-unavailable', { ...retryAfter(2), cause });
  }
  if (isMillraceError(error, 'SCHEMA_REGISTRY_UNAVAILABLE')) {
    return new Problem('registry-unavailable', { ...retryAfter(2), cause });
  }
  if (isMillraceError(error, 'QUERY_UNSUPPORTED')) {
    return new Problem('not-queryable', { detail: NOT_QUERYABLE, cause });
  }
  // Routes name known stores: one is unknown only while the engine has not read its topology yet.
  if (isMillraceError(error, 'QUERY_UNAVAILABLE', 'STORE_CLOSED', 'STORE_UNKNOWN')) {
    return new Problem('rebalancing', { ...retryAfter(1), cause });
  }
  log.error({ err: error }, 'request failed');
  // Its task wipes and restores what it finds damaged: this answer is for the time until then.
  if (isMillraceError(error, 'STORE_CORRUPT', 'STORE_IO', 'STORE_DISK_FULL')) {
    return new Problem('store-restoring', { ...retryAfter(5), cause });
  }
  return new Problem('internal', { cause });
}
