/**
 * A route as data: what matches, what it takes, what it answers, who handles it. The router, the
 * validation and the OpenAPI document are all made from these, so they cannot disagree.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TSchema } from 'typebox';
import type { Access, Caller } from '../auth/access.ts';
import type { ResponseStream } from './response-streams.ts';

export interface RouteRequest {
  /** Path parameters, validated. */
  readonly params: Readonly<Record<string, string>>;
  /** Query parameters, validated; each at most once. */
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  /** Has what the route's `access` asks for. */
  readonly caller: Caller;
  /** Validated against the route's body schema. */
  readonly body: unknown;
  /** The body as it came. */
  readonly bodyBytes?: Buffer | undefined;
  /** Path and query as they came, for problem documents and forwarding. */
  readonly target: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /**
   * Calls back when the client goes away: what a signal says, for those who wait in every request,
   * where a signal would cost more than the waiting. Returns what ends that.
   */
  whenGone(listener: () => void): () => void;
  /** For what is not said otherwise: the connection, say. Answers go the way of RouteResponse. */
  readonly raw: { readonly request: IncomingMessage; readonly response: ServerResponse };
}

export interface RouteResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a string or Buffer as it is. */
  readonly body?: unknown;
  /** Instead of a body: what is sent as it comes. Opened when the head has gone out. */
  readonly stream?: ResponseStream;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With `{name}` for parameters: as OpenAPI writes it. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly tag: string;
  /** Who may ask. Nothing is open unless it says so. */
  readonly access: Access;
  readonly params?: Readonly<Record<string, TSchema>>;
  readonly query?: Readonly<Record<string, TSchema>>;
  readonly body?: TSchema;
  /** Before anybody reads the body: throws what a wrong signature over its bytes is answered with. */
  readonly checkBytes?: (headers: IncomingMessage['headers'], bytes: Buffer) => void;
  /** Invalid values are answered with this, in the path, too. Default: 404 in the path, 422 in the body. */
  readonly invalidAs?: 'malformed-request';
  /** Asked for so often that Koa's part would cost as much as all the rest: answered ahead of it. */
  readonly isHot?: true;
  /** Required and optional request headers, for the document. */
  readonly requestHeaders?: Readonly<
    Record<string, { readonly required: boolean; readonly about: string }>
  >;
  /** Status -> what it means and its body. Problems are added for every 4xx and 5xx named here. */
  readonly answers: Readonly<
    Record<number, { readonly about: string; readonly body?: TSchema; readonly mediaType?: string }>
  >;
  /** A promise only where something is really awaited. */
  handle(request: RouteRequest): RouteResponse | Promise<RouteResponse>;
}

/** Another request in the name of the same client. */
export function changedRequest(
  request: RouteRequest,
  changes: Partial<Omit<RouteRequest, 'signal' | 'whenGone' | 'raw' | 'caller'>>,
): RouteRequest {
  return {
    params: request.params,
    query: request.query,
    headers: request.headers,
    caller: request.caller,
    body: request.body,
    bodyBytes: request.bodyBytes,
    target: request.target,
    ...changes,
    // Looked up only when somebody waits: making it costs.
    get signal() {
      return request.signal;
    },
    whenGone: (listener) => request.whenGone(listener),
    get raw() {
      return request.raw;
    },
  };
}
