/**
 * Forwards a request to the instance that owns the key: once, never further. Addresses come from
 * group metadata, which anyone in the group can write: only allowed addresses are ever contacted,
 * with our own peer token, without redirects, within a time and a size. A peer that keeps failing is
 * left alone for a moment, so that its silence does not become ours.
 * The peer token says that a peer asks, never for whom: the owner looks at the caller's own token again.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Problem, retryAfter } from './http/problem.ts';
import type { ResponseStream } from './http/response-streams.ts';
import type { RouteRequest, RouteResponse } from './http/route.ts';
import { EVENT_STREAM, EVENT_STREAM_HEADERS } from './http/server-sent-events.ts';
import type { PeerAddresses } from './peer-addresses.ts';
import type { HostInfo } from './queryable-streams.ts';

export interface PeerOptions {
  readonly addresses: PeerAddresses;
  /** Shared secret; undefined only where every instance is on loopback. */
  readonly token: string | undefined;
  /** Whether callers have tokens of their own, which the owner is to see. */
  readonly passesAuthorization: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Told how each forward ended; must be cheap. */
  readonly onForwarded: (outcome: ForwardOutcome) => void;
}

export type ForwardOutcome = 'answered' | 'failed' | 'timeout' | 'not-allowed' | 'left-alone';

export interface ForwardOptions {
  /** Default: the target of the request. */
  readonly target?: string;
  /** Ask for these partitions only: the peer answers with its part of them, or 421. */
  readonly partitions?: readonly number[];
  /** Posts this instead of getting. The owner must take it twice as once: it may have, without our hearing. */
  readonly post?: { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> };
}

const HOP_HEADER = 'millrace-hop';
const TOKEN_HEADER = 'millrace-peer-token';
const PARTITIONS_HEADER = 'millrace-partitions';
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const PASSED_ON = [
  'accept',
  'if-none-match',
  'last-event-id',
  'prefer',
  'traceparent',
  'tracestate',
];
const PASSED_BACK = [
  'content-type',
  'etag',
  'vary',
  'location',
  'retry-after',
  'store-position',
  'store-lag',
  'served-by',
  'served-role',
  'decided-by',
  'request-digest',
  'preference-applied',
  'age',
  'www-authenticate',
];

/** So many failures in a row, and the peer is left alone for so long. */
const FAILURES_MAX = 5;
const LEFT_ALONE_MS = 1_000;

interface PeerHealth {
  failures: number;
  leftAloneUntilMs: number;
}

export class Peers {
  readonly #options: PeerOptions;
  readonly #health = new Map<string, PeerHealth>();

  constructor(options: PeerOptions) {
    this.#options = options;
  }

  /** True when this request was forwarded to us by a peer that knows the token. Throws 508, 403. */
  isForwarded(request: RouteRequest): boolean {
    const hop = request.headers[HOP_HEADER];
    if (hop === undefined) return false;
    if (hop !== '1') throw new Problem('hop-limit');
    if (!this.#knowsToken(request.headers[TOKEN_HEADER])) throw new Problem('forbidden');
    return true;
  }

  /** The partitions that a forwarding peer asks for; undefined = it did not say. */
  wantedPartitions(request: RouteRequest): readonly number[] | undefined {
    const text = request.headers[PARTITIONS_HEADER];
    if (typeof text !== 'string' || !/^\d{1,5}(,\d{1,5})*$/.test(text)) return undefined;
    return text.split(',').map(Number);
  }

  /**
   * GETs the target at the owner (or POSTs to it). A stream of events is passed on as it comes. Throws
   * 503 owner-unavailable (not allowed, no answer, left alone), 503 rebalancing (not the owner any more)
   * or 504 deadline-exceeded.
   */
  async forward(
    owner: HostInfo,
    request: RouteRequest,
    options: ForwardOptions = {},
  ): Promise<RouteResponse> {
    const { addresses, onForwarded } = this.#options;
    if (!addresses.allow(owner)) {
      onForwarded('not-allowed');
      const detail = 'the owner gives an address that is not allowed (PEER_ALLOW)';
      throw new Problem('owner-unavailable', { ...retryAfter(5), detail });
    }
    const name = `${owner.host}:${owner.port}`;
    if (this.#isLeftAlone(name)) {
      onForwarded('left-alone');
      throw new Problem('owner-unavailable', retryAfter(1));
    }
    const url = `http://${name}${options.target ?? request.target}`;
    try {
      const answer = await this.#ask(url, request, options);
      this.#health.delete(name);
      onForwarded('answered');
      return asOwnersAnswer(answer);
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      // The client went away: that says nothing about the peer.
      if (request.signal.aborted) throw new Problem('owner-unavailable', { cause });
      this.#failed(name);
      const isLate = cause instanceof Error && cause.name === 'TimeoutError';
      onForwarded(isLate ? 'timeout' : 'failed');
      throw new Problem(isLate ? 'deadline-exceeded' : 'owner-unavailable', {
        ...retryAfter(1),
        cause,
      });
    }
  }

  async #ask(
    url: string,
    request: RouteRequest,
    { partitions, post }: ForwardOptions,
  ): Promise<RouteResponse> {
    const { token, timeoutMs, passesAuthorization } = this.#options;
    const headers: Record<string, string> = { [HOP_HEADER]: '1' };
    if (token !== undefined) headers[TOKEN_HEADER] = token;
    if (partitions !== undefined) headers[PARTITIONS_HEADER] = partitions.join(',');
    const { authorization } = request.headers;
    if (passesAuthorization && authorization !== undefined)
      headers['authorization'] = authorization;
    for (const name of PASSED_ON) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    const patienceMs = timeoutMs + waitSeconds(headers['prefer']) * 1_000;
    const sent =
      post === undefined
        ? { headers }
        : { method: 'POST', headers: { ...headers, ...post.headers }, body: post.body };
    const end = new AbortController();
    const late = setTimeout(() => end.abort(tooLate(patienceMs)), patienceMs);
    try {
      const signal = AbortSignal.any([request.signal, end.signal]);
      const answer = await fetch(url, { ...sent, signal, redirect: 'error' });
      const { status } = answer;
      const back = passedBack(answer.headers);
      if (!isEventStream(answer)) {
        return { status, headers: back, body: await readBounded(answer) };
      }
      const { 'content-type': _, ...rest } = back;
      const headersOfStream = { ...EVENT_STREAM_HEADERS, ...rest };
      return { status, headers: headersOfStream, stream: passedOn(answer, end) };
    } finally {
      clearTimeout(late);
    }
  }

  #isLeftAlone(name: string): boolean {
    const health = this.#health.get(name);
    return health !== undefined && this.#options.clock.monotonicMs() < health.leftAloneUntilMs;
  }

  #failed(name: string): void {
    const failures = (this.#health.get(name)?.failures ?? 0) + 1;
    const nowMs = this.#options.clock.monotonicMs();
    const leftAloneUntilMs = failures >= FAILURES_MAX ? nowMs + LEFT_ALONE_MS : 0;
    this.#health.set(name, { failures, leftAloneUntilMs });
  }

  #knowsToken(given: string | string[] | undefined): boolean {
    const { token } = this.#options;
    if (token === undefined) return true;
    if (typeof given !== 'string') return false;
    const [ours, theirs] = [Buffer.from(token), Buffer.from(given)];
    return ours.length === theirs.length && timingSafeEqual(ours, theirs);
  }
}

/** Seconds of `Prefer: wait=N` (RFC 7240), at most 30; 0 when it is absent. */
export function waitSeconds(prefer: string | string[] | undefined): number {
  if (typeof prefer !== 'string') return 0;
  const match = /(?:^|[\s,;])wait\s*=\s*"?(\d{1,6})"?(?:$|[\s,;])/i.exec(prefer);
  return match === null ? 0 : Math.min(30, Number(match[1]));
}

/** What an owner says to a peer alone is not for the client's eyes. */
function asOwnersAnswer(answer: RouteResponse): RouteResponse {
  switch (answer.status) {
    case 421:
      throw new Problem('rebalancing', retryAfter(1));
    case 403:
    case 508:
      throw new Problem('owner-unavailable', {
        ...retryAfter(5),
        detail: 'the owner does not take us for a peer (PEER_TOKEN), or has other roles (AUTH)',
      });
    default:
      return answer;
  }
}

async function readBounded(answer: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) throw new Error(`more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isEventStream(answer: Response): boolean {
  return answer.ok && answer.headers.get('content-type') === EVENT_STREAM;
}

/** Ends with the peer's stream, and ends that one. */
function passedOn({ body }: Response, end: AbortController): ResponseStream {
  return (signal) => {
    const stop = () => end.abort(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return body!;
  };
}

function tooLate(timeMs: number): DOMException {
  return new DOMException(`no answer within ${timeMs} ms`, 'TimeoutError');
}

function passedBack(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of PASSED_BACK) {
    const value = headers.get(name);
    if (value !== null) kept[name] = value;
  }
  return kept;
}
