/**
 * Brings a query to the state it is about: here, or once to the owner. Answers carry how fresh they
 * are. Knows stores and partitions, not what the values mean.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { UnknownSchemaError } from '../schemas/serde.ts';
import type { ReadOnlyKeyValueStore } from '../stores/state-store.ts';
import { Problem, retryAfter } from './http/problem.ts';
import type { RouteRequest, RouteResponse } from './http/route.ts';
import type { Peers } from './peers.ts';
import type {
  HostInfo,
  LocalStore,
  PartitionLocation,
  QueryableStreams,
} from './queryable-streams.ts';

export type AvailableStore = Extract<LocalStore, { kind: 'available' }>;

export interface OwnerRoutingOptions {
  readonly streams: QueryableStreams;
  readonly peers: Peers;
  readonly self: HostInfo;
  readonly clock: Clock;
  /** Longest wait for `minPosition`. */
  readonly queryTimeoutMs: number;
}

export type LocalAnswer<V> = (
  store: ReadOnlyKeyValueStore<unknown, V>,
  local: AvailableStore,
) => RouteResponse | Promise<RouteResponse>;

/** A read meets this many new schemas at most; each is fetched once per process. */
const SCHEMAS_PER_READ_MAX = 20;

export class OwnerRouting {
  readonly #options: OwnerRoutingOptions;

  constructor(options: OwnerRoutingOptions) {
    this.#options = options;
  }

  /** Answers from the local store, or by one forward to the owner. Throws 503 while nobody owns it. */
  async answer<V>(
    storeName: string,
    location: PartitionLocation,
    request: RouteRequest,
    serve: LocalAnswer<V>,
  ): Promise<RouteResponse> {
    const { streams, peers } = this.#options;
    const forwarded = peers.isForwarded(request);
    if (location.isLocal) {
      const local = await this.#open(storeName, location.partition, request);
      const store = local.store as ReadOnlyKeyValueStore<unknown, V>;
      const response = await this.#withSchemas(storeName, () => serve(store, local));
      return this.#stamped(response, local);
    }
    if (forwarded) throw new Problem('misdirected');
    if (location.active === undefined) {
      throw new Problem('rebalancing', { ...retryAfter(1), detail: `state ${streams.state()}` });
    }
    return peers.forward(location.active, request);
  }

  /**
   * Collects from every partition, wherever it is: ours from the stores, the others' by one forward
   * to each instance, which answers with its own part. Throws 503 rather than leave a part out.
   */
  async gather<T>(
    storeName: string,
    request: RouteRequest,
    partitions: readonly number[],
    collect: (store: ReadOnlyKeyValueStore<unknown, never>) => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    const { streams, peers } = this.#options;
    const forwarded = peers.isForwarded(request);
    const parts: Promise<readonly T[]>[] = [];
    const others = new Map<string, HostInfo>();
    for (const partition of partitions) {
      const location = streams.locatePartition(storeName, partition);
      if (location.isLocal) {
        parts.push(
          this.#open(storeName, partition, request).then((local) =>
            this.#withSchemas(storeName, () =>
              collect(local.store as ReadOnlyKeyValueStore<unknown, never>),
            ),
          ),
        );
      } else if (!forwarded) {
        if (location.active === undefined) throw new Problem('rebalancing', retryAfter(1));
        others.set(`${location.active.host}:${location.active.port}`, location.active);
      }
    }
    for (const owner of others.values()) parts.push(this.#gatherFrom<T>(owner, request));
    return (await Promise.all(parts)).flat();
  }

  /** Values may have been written with schemas this thread has not met: fetched once, then read again. */
  async #withSchemas<T>(storeName: string, read: () => T | Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof UnknownSchemaError) || attempt >= SCHEMAS_PER_READ_MAX) throw error;
        const { spec } = this.#options.streams
          .stores()
          .find((store) => store.spec.name === storeName)!;
        await spec.valueSerde.resolve?.(error.schemaId);
        await spec.keySerde.resolve?.(error.schemaId);
      }
    }
  }

  async #gatherFrom<T>(owner: HostInfo, request: RouteRequest): Promise<readonly T[]> {
    const answer = await this.#options.peers.forward(owner, request);
    if (answer.status !== 200) throw new Problem('owner-unavailable', retryAfter(1));
    return (JSON.parse(String(answer.body)) as { items: readonly T[] }).items;
  }

  async #open(
    storeName: string,
    partition: number,
    request: RouteRequest,
  ): Promise<AvailableStore> {
    const { streams, clock, queryTimeoutMs } = this.#options;
    const wanted = minPositionOf(request);
    const deadlineMs = clock.monotonicMs() + queryTimeoutMs;
    for (;;) {
      const local = await streams.openLocal(storeName, partition);
      if (local.kind === 'not-here') throw new Problem('rebalancing', retryAfter(1));
      if (local.kind === 'restoring') {
        const members = { remainingRecords: local.remainingRecords };
        throw new Problem('store-restoring', { ...retryAfter(1), members });
      }
      if (wanted === undefined || hasReached(local.position, wanted)) return local;
      if (clock.monotonicMs() >= deadlineMs || request.signal.aborted) {
        throw new Problem('store-restoring', {
          ...retryAfter(1),
          detail: `not yet at ${request.query['minPosition']}`,
        });
      }
      await clock.sleep(2, request.signal);
    }
  }

  #stamped(response: RouteResponse, local: AvailableStore): RouteResponse {
    const { self, streams } = this.#options;
    const headers: Record<string, string> = {
      ...response.headers,
      'Store-Position': formatPosition(local.position),
      'Served-By': `${self.host}:${self.port}`,
      'Served-Role': local.role,
    };
    const silentMs = streams.kafkaSilentForMs();
    if (silentMs > 5_000) headers['Age'] = String(Math.floor(silentMs / 1_000));
    if (local.lag > 0) headers['Store-Lag'] = String(local.lag);
    return { ...response, headers };
  }
}

/** `topic-partition:offset` pairs, separated by commas: what Store-Position says and minPosition takes. */
export function formatPosition(position: ReadonlyMap<string, number>): string {
  let text = '';
  for (const [partition, offset] of position) {
    text += text === '' ? `${partition}:${offset}` : `,${partition}:${offset}`;
  }
  return text;
}

/** Query parameter of every read. */
export const MIN_POSITION_PATTERN = '^[A-Za-z0-9._-]+-\\d+:\\d+(,[A-Za-z0-9._-]+-\\d+:\\d+)*$';

function minPositionOf(request: RouteRequest): readonly (readonly [string, number])[] | undefined {
  const text = request.query['minPosition'];
  if (text === undefined) return undefined;
  return text.split(',').map((pair) => {
    const cut = pair.lastIndexOf(':');
    return [pair.slice(0, cut), Number(pair.slice(cut + 1))] as const;
  });
}

/** Positions of other partitions than this store's say nothing here and are passed over. */
function hasReached(
  position: ReadonlyMap<string, number>,
  wanted: readonly (readonly [string, number])[],
): boolean {
  return wanted.every(([partition, offset]) => {
    const reached = position.get(partition);
    return reached === undefined ? position.size > 0 : reached >= offset;
  });
}

/** A JSON answer with a strong ETag of its bytes; 304 when the client has them. */
export function jsonWithEtag(request: RouteRequest, value: unknown, etag?: string): RouteResponse {
  const body = JSON.stringify(value);
  const tag = etag ?? `"${createHash('sha1').update(body).digest('base64url').slice(0, 22)}"`;
  const headers = { ETag: tag, 'Content-Type': 'application/json' };
  if (request.headers['if-none-match'] === tag) return { status: 304, headers: { ETag: tag } };
  return { status: 200, headers, body };
}
