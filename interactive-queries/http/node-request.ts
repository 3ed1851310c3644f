/** Node's request as handlers see it, and what of requests is refused before anything else. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../auth/access.ts';
import { Problem } from './problem.ts';
import type { RouteRequest } from './route.ts';

/** What a request is for, as it was written. */
export interface Target {
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
}

/** Node itself drops what lies beyond 2,000, silently. */
const HEADER_LINES_MAX = 100;

/** Why a request's signal aborts, made once: the default reason is an exception with a stack for each. */
const CLOSED = new Error('the connection is done with this request');

/** A fragment is none of the server's business. */
export function targetOf(url: string): Target {
  const hash = url.indexOf('#');
  const text = hash < 0 ? url : url.slice(0, hash);
  const mark = text.indexOf('?');
  if (mark < 0) return { path: text, query: '' };
  return { path: text.slice(0, mark), query: text.slice(mark + 1) };
}

export class NodeRouteRequest implements RouteRequest {
  readonly raw: RouteRequest['raw'];
  readonly caller: Caller;
  readonly params: RouteRequest['params'];
  readonly query: RouteRequest['query'];
  readonly body: unknown;
  readonly bodyBytes: Buffer | undefined;
  #signal: AbortSignal | undefined;

  constructor(
    raw: RouteRequest['raw'],
    caller: Caller,
    params: RouteRequest['params'],
    query: RouteRequest['query'],
    body: unknown,
    bodyBytes: Buffer | undefined,
  ) {
    this.raw = raw;
    this.caller = caller;
    this.params = params;
    this.query = query;
    this.body = body;
    this.bodyBytes = bodyBytes;
  }

  get headers(): RouteRequest['headers'] {
    return this.raw.request.headers;
  }

  get target(): string {
    return this.raw.request.url!;
  }

  /** Made only when somebody looks: most requests never wait. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      const { response } = this.raw;
      if (response.closed) controller.abort(CLOSED);
      else response.once('close', () => controller.abort(CLOSED));
      this.#signal = controller.signal;
    }
    return this.#signal;
  }

  whenGone(listener: () => void): () => void {
    const { response } = this.raw;
    if (response.closed) queueMicrotask(listener);
    else response.on('close', listener);
    return () => response.off('close', listener);
  }
}

/** False when nobody would get the answer. */
export function isThere({ writableEnded, socket }: ServerResponse): boolean {
  // Without a socket it waits for its turn on the connection.
  return !writableEnded && (socket === null || socket.writable);
}

/** Throws what Node lets through and nobody honest sends. */
export function refuseOddRequests(request: IncomingMessage): void {
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
