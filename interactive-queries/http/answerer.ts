/**
 * Answers one request: finds its route, checks what it brings, has it handled, sends the answer in one
 * write and reports it. Whatever is thrown becomes a problem document. Nothing is awaited that is there
 * already: what is read from memory is answered within the event that brought its request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isMillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { type Authenticate, type Caller, requireRole, TRUSTED, UNKNOWN } from '../auth/access.ts';
import { parseJson, readJsonBytes } from './json-body.ts';
import {
  isThere,
  NodeRouteRequest,
  refuseOddRequests,
  type Target,
  targetOf,
} from './node-request.ts';
import { Problem, type ProblemSlug, retryAfter } from './problem.ts';
import { discard, type ResponseStream, type ResponseStreams } from './response-streams.ts';
import type { Route, RouteResponse } from './route.ts';
import { type RouteMatch, RouteTable } from './route-table.ts';
import { compileChecks, type RouteChecks } from './validation.ts';

export interface AnswererOptions {
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
}

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

/** A route as it stands in the table. */
export interface CheckedRoute {
  readonly method: string;
  readonly path: string;
  readonly route: Route;
  readonly checks: RouteChecks;
}

/** A request on its way to an answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: Target;
  /** undefined where there is nothing. */
  readonly found: RouteMatch<CheckedRoute> | undefined;
  readonly startMs: number;
}

export class Answerer {
  readonly #options: AnswererOptions;
  readonly #streams: ResponseStreams;
  readonly #table: RouteTable<CheckedRoute>;
  readonly #fixed: Readonly<Record<string, string>>;

  constructor(options: AnswererOptions, streams: ResponseStreams) {
    this.#options = options;
    this.#streams = streams;
    this.#table = new RouteTable(options.routes.map(checked));
    this.#fixed = { ...FIXED_HEADERS, ...options.headers };
  }

  open(request: IncomingMessage, response: ServerResponse): Exchange {
    const startMs = this.#options.monotonicMs();
    const target = targetOf(request.url ?? '');
    const found = this.#table.match(request.method!, target.path);
    return { request, response, target, found, startMs };
  }

  /** A promise only where something is awaited. Never throws or rejects. */
  answer(exchange: Exchange): void | Promise<void> {
    let answer: RouteResponse | Promise<RouteResponse>;
    try {
      answer = this.#serve(exchange);
    } catch (error) {
      answer = this.#problem(exchange, error);
    }
    if (!(answer instanceof Promise)) return this.#finish(exchange, answer);
    return answer
      .catch((error: unknown) => this.#problem(exchange, error))
      .then((later) => this.#finish(exchange, later));
  }

  #serve(exchange: Exchange): RouteResponse | Promise<RouteResponse> {
    const { request, target, found } = exchange;
    refuseOddRequests(request);
    if (found === undefined) throw nothingHere(this.#table.methodsOf(target.path));
    const { route } = found.entry;
    // Before anything else is looked at: strangers learn nothing and cost little.
    const caller = callerOf(route, request, this.#options.authenticate);
    if (caller instanceof Promise || route.body !== undefined) {
      return this.#handleLater(exchange, found, caller);
    }
    const query = checkedQuery(found, target);
    return route.handle(
      new NodeRouteRequest(exchange, caller, found.params, query, undefined, undefined),
    );
  }

  async #handleLater(
    exchange: Exchange,
    found: RouteMatch<CheckedRoute>,
    asking: Caller | Promise<Caller>,
  ): Promise<RouteResponse> {
    const { request, target } = exchange;
    const { route, checks } = found.entry;
    const caller = asking instanceof Promise ? await asking : asking;
    const query = checkedQuery(found, target);
    let body: unknown;
    let bytes: Buffer | undefined;
    if (route.body !== undefined) {
      bytes = await readJsonBytes(request, this.#options.bodyLimitBytes);
      route.checkBytes?.(request.headers, bytes);
      body = parseJson(bytes);
      checks.body(body);
    }
    return route.handle(new NodeRouteRequest(exchange, caller, found.params, query, body, bytes));
  }

  #finish(exchange: Exchange, answer: RouteResponse): void {
    const { request, response, startMs, found } = exchange;
    const { onAnswered, monotonicMs } = this.#options;
    const method = request.method!;
    let status = CLIENT_GONE;
    if (isThere(response)) {
      this.#sendSurely(exchange, this.#unlessTooMany(exchange, answer), method === 'HEAD');
      status = response.statusCode;
    } else if (answer.stream !== undefined) {
      discard(answer.stream);
    }
    onAnswered(found?.entry.path ?? 'none', method, status, monotonicMs() - startMs);
  }

  /** What Node refuses to send, a header for one, is a fault of ours: no reason to end the process. */
  #sendSurely(exchange: Exchange, answer: RouteResponse, headOnly: boolean): void {
    const { response } = exchange;
    try {
      this.#send(response, answer, headOnly);
    } catch (error) {
      const problem = this.#problem(exchange, error);
      if (response.headersSent) response.destroy();
      else this.#send(response, problem, headOnly);
    }
  }

  #unlessTooMany(exchange: Exchange, answer: RouteResponse): RouteResponse {
    if (answer.stream === undefined || !this.#streams.isFull) return answer;
    return this.#problem(exchange, tooManyStreams(answer.stream));
  }

  #problem({ response, target }: Exchange, error: unknown): RouteResponse {
    const problem = asProblem(error, this.#options.log);
    if (isThere(response)) this.#options.onProblem(problem.slug);
    return {
      status: problem.status,
      headers: { ...problem.options.headers, 'Content-Type': 'application/problem+json' },
      body: JSON.stringify(problem.document(target.path)),
    };
  }

  /** In one write. */
  #send(
    response: ServerResponse,
    { status, headers, body, stream }: RouteResponse,
    headOnly: boolean,
  ): void {
    const list = headerList(this.#fixed, headers);
    if (stream !== undefined) {
      response.writeHead(status, list);
      if (headOnly) {
        discard(stream);
        response.end();
      } else void this.#streams.send(response, stream);
      return;
    }
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
    const bytes = isRaw || body === undefined ? body : JSON.stringify(body);
    if (bytes !== undefined && !isRaw && headers?.['Content-Type'] === undefined) {
      list.push('Content-Type', 'application/json');
    }
    if (!BODILESS.has(status)) {
      list.push('Content-Length', bytes === undefined ? '0' : String(Buffer.byteLength(bytes)));
    }
    response.writeHead(status, list);
    response.end(headOnly || BODILESS.has(status) ? undefined : bytes);
  }
}

function checked(route: Route): CheckedRoute {
  return { method: route.method, path: route.path, route, checks: compileChecks(route) };
}

/** Throws what the parameters of path and query are refused with. */
function checkedQuery(
  { entry: { checks }, params }: RouteMatch<CheckedRoute>,
  { query }: Target,
): Readonly<Record<string, string>> {
  checks.params(params);
  return checks.query(query);
}

/** Names and values in turn, as Node takes them most cheaply. An answer's own go before the fixed ones. */
function headerList(
  fixed: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>> = {},
): string[] {
  const list: string[] = [];
  for (const name in fixed) if (own[name] === undefined) list.push(name, fixed[name]!);
  for (const name in own) list.push(name, own[name]!);
  return list;
}

/** Throws 401, 403 or 503. A promise only where there is a token to be looked at. */
function callerOf(
  { access }: Route,
  request: IncomingMessage,
  authenticate: AnswererOptions['authenticate'],
): Caller | Promise<Caller> {
  if (authenticate === 'none') return TRUSTED;
  if (access === 'open') return UNKNOWN;
  return authenticate(request.headers.authorization).then((caller) => {
    requireRole(caller, access);
    return caller;
  });
}

function nothingHere(allowed: readonly string[]): Problem {
  if (allowed.length === 0) return new Problem('not-found');
  return new Problem('method-not-allowed', { headers: { Allow: allowed.join(', ') } });
}

/** The stream may hold on to something, a connection to its owner for one. */
function tooManyStreams(stream: ResponseStream): Problem {
  discard(stream);
  return new Problem('quota-exceeded', { ...retryAfter(5), detail: 'too many streams are open' });
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
