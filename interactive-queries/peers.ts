/**
 * Forwards a request to the instance that owns the key: once, never further. Addresses come from
 * group metadata, which anyone in the group can write: only allowed hosts are ever contacted, with
 * our own peer token, without redirects, within a time and a size.
 */
import { timingSafeEqual } from 'node:crypto';
import { Problem, retryAfter } from './http/problem.ts';
import type { RouteRequest, RouteResponse } from './http/route.ts';
import type { HostInfo } from './queryable-streams.ts';

export interface PeerOptions {
  /** Host names or addresses that instances may be at. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Shared secret; undefined only where every instance is on loopback. */
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

const HOP_HEADER = 'millrace-hop';
const TOKEN_HEADER = 'millrace-peer-token';
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const HOST_GRAMMAR = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])$/;
const PASSED_ON = [
  'accept',
  'if-none-match',
  'prefer',
  'last-event-id',
  'traceparent',
  'tracestate',
  'authorization',
];
const PASSED_BACK = [
  'content-type',
  'etag',
  'location',
  'retry-after',
  'store-position',
  'served-by',
  'served-role',
  'preference-applied',
  'cache-control',
];

export class Peers {
  readonly #options: PeerOptions;

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

  /** GETs the target at the owner. Throws 503 owner-unavailable or 504 deadline-exceeded. */
  async forward(
    owner: HostInfo,
    request: RouteRequest,
    target = request.target,
  ): Promise<RouteResponse> {
    const url = this.#urlOf(owner, target);
    const headers: Record<string, string> = { [HOP_HEADER]: '1' };
    if (this.#options.token !== undefined) headers[TOKEN_HEADER] = this.#options.token;
    for (const name of PASSED_ON) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    const timeoutMs = this.#options.timeoutMs + waitSeconds(headers['prefer']) * 1_000;
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const answer = await fetch(url, { headers, signal, redirect: 'error' });
      const body = await readBounded(answer);
      return { status: answer.status, headers: passedBack(answer.headers), body };
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      throw new Problem(late ? 'deadline-exceeded' : 'owner-unavailable', {
        ...retryAfter(1),
        cause,
      });
    }
  }

  #urlOf(owner: HostInfo, target: string): string {
    const { host, port } = owner;
    const sound = HOST_GRAMMAR.test(host) && Number.isInteger(port) && port > 0 && port < 65_536;
    if (!sound || !this.#options.allowedHosts.has(host)) {
      throw new Problem('owner-unavailable', {
        ...retryAfter(5),
        detail: 'the owner gives an address that is not allowed (PEER_ALLOW)',
      });
    }
    return `http://${host}:${port}${target}`;
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
  const match = /(?:^|[\s,;])wait=(\d{1,6})(?:$|[\s,;])/.exec(prefer);
  return match === null ? 0 : Math.min(30, Number(match[1]));
}

async function readBounded(answer: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) throw new Problem('owner-unavailable', retryAfter(5));
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function passedBack(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of PASSED_BACK) {
    const value = headers.get(name);
    if (value !== null) kept[name] = value;
  }
  return kept;
}
