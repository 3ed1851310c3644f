/**
 * Brings a query to the state it is about: here, or once to the owner. Answers carry how fresh they
 * are. Knows stores and partitions, not what the values mean.
 */
import type { ReadOnlyKeyValueStore } from '../stores/state-store.ts';
import { unlessKnown } from './http/etag.ts';
import { PROBLEMS, Problem, retryAfter } from './http/problem.ts';
import { changedRequest, type RouteRequest, type RouteResponse } from './http/route.ts';
import { KeptAnswers } from './kept-answers.ts';
import { type AvailableStore, LocalReads, type LocalReadsOptions } from './local-reads.ts';
import type { Peers } from './peers.ts';
import { lagAllowed, type Position, parsePosition } from './positions.ts';
import type { HostInfo, PartitionLocation } from './queryable-streams.ts';

export interface OwnerRoutingOptions extends LocalReadsOptions {
  readonly peers: Peers;
}

export type LocalAnswer<V> = (
  store: ReadOnlyKeyValueStore<unknown, V>,
  local: AvailableStore,
) => RouteResponse | Promise<RouteResponse>;

/** Reads one partition's part. */
export type Collect<T> = (
  store: ReadOnlyKeyValueStore<unknown, unknown>,
  partition: number,
) => Promise<readonly T[]>;

export interface Gathered<T> {
  readonly items: readonly T[];
  /** How fresh they are, and who says so. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What one instance contributes. */
interface Part<T> {
  readonly items: readonly T[];
  readonly position: Position;
}

export class OwnerRouting {
  readonly #options: OwnerRoutingOptions;
  readonly #local: LocalReads;
  readonly #kept = new KeptAnswers();

  constructor(options: OwnerRoutingOptions) {
    this.#options = options;
    this.#local = new LocalReads(options);
  }

  /** Whether a peer asks. Throws 508, 403. */
  isForwarded(request: RouteRequest): boolean {
    return this.#options.peers.isForwarded(request);
  }

  /** Whether a peer asks for its part of a gather or search: the answer is then `{items}`. */
  asksForPart(request: RouteRequest): boolean {
    const { peers } = this.#options;
    return peers.isForwarded(request) && peers.wantedPartitions(request) !== undefined;
  }

  /** Throws 503 while it is not known. */
  partitionCount(storeName: string): number {
    const { streams } = this.#options;
    const count = streams.stores().find(({ spec }) => spec.name === storeName)?.partitionCount ?? 0;
    if (count === 0) throw new Problem('rebalancing', retryAfter(1));
    return count;
  }

  /**
   * Answers from the local store, at once unless something must be waited for, or by one forward to
   * the owner. A client that allows it (`consistency=any`) is answered by a standby here, or by one
   * elsewhere when the owner does not answer. Throws 503 while nobody can.
   */
  answer<V>(
    storeName: string,
    location: PartitionLocation,
    request: RouteRequest,
    serve: LocalAnswer<V>,
  ): RouteResponse | Promise<RouteResponse> {
    const isForwarded = this.#options.peers.isForwarded(request);
    if (!location.isLocal) {
      return this.#answerAsStandby(storeName, location, request, serve, isForwarded);
    }
    const local = this.#local.open(storeName, location.partition, request);
    return local instanceof Promise
      ? local.then((opened) => this.#answerFrom(storeName, opened, serve))
      : this.#answerFrom(storeName, local, serve);
  }

  /**
   * Like answer, for what does not depend on who asks: made once for each state of the store and kept
   * under `name`, which must say what it is made from. `serve` gives a tagged answer; a client that has
   * it is told so.
   */
  answerSame<V>(
    storeName: string,
    location: PartitionLocation,
    request: RouteRequest,
    name: string,
    serve: LocalAnswer<V>,
  ): RouteResponse | Promise<RouteResponse> {
    if (!location.isLocal) {
      const serveHim: LocalAnswer<V> = async (store, local) =>
        unlessKnown(request, await serve(store, local));
      return this.answer(storeName, location, request, serveHim);
    }
    this.#options.peers.isForwarded(request);
    const local = this.#local.open(storeName, location.partition, request);
    const answered = (opened: AvailableStore) => {
      const response = this.#sameFrom(storeName, opened, name, serve);
      return response instanceof Promise
        ? response.then((same) => unlessKnown(request, same))
        : unlessKnown(request, response);
    };
    return local instanceof Promise ? local.then(answered) : answered(local);
  }

  #sameFrom<V>(
    storeName: string,
    local: AvailableStore,
    name: string,
    serve: LocalAnswer<V>,
  ): RouteResponse | Promise<RouteResponse> {
    const { revision } = local;
    // How old it is changes without any commit.
    if (revision === undefined || this.#local.isAging()) {
      return this.#answerFrom(storeName, local, serve);
    }
    const kept = this.#kept.get(revision, name);
    if (kept !== undefined) return kept;
    const response = this.#answerFrom(storeName, local, serve);
    if (!(response instanceof Promise)) this.#kept.keep(revision, name, response);
    return response;
  }

  async #answerAsStandby<V>(
    storeName: string,
    location: PartitionLocation,
    request: RouteRequest,
    serve: LocalAnswer<V>,
    isForwarded: boolean,
  ): Promise<RouteResponse> {
    const standby = await this.#local.openStandby(storeName, location, request);
    if (standby !== undefined) return this.#answerFrom(storeName, standby, serve);
    if (isForwarded) throw new Problem('misdirected');
    return this.#forward(location, request);
  }

  #answerFrom<V>(
    storeName: string,
    local: AvailableStore,
    serve: LocalAnswer<V>,
  ): RouteResponse | Promise<RouteResponse> {
    const store = local.store as ReadOnlyKeyValueStore<unknown, V>;
    const withFreshness = (response: RouteResponse): RouteResponse => ({
      ...response,
      headers: { ...response.headers, ...this.#local.freshness(local.position, local) },
    });
    const response = this.#local.read(storeName, () => serve(store, local));
    return response instanceof Promise ? response.then(withFreshness) : withFreshness(response);
  }

  /** To the owner; where that fails and the client allows it, to the standbys in turn. */
  async #forward(
    { active, standbys }: PartitionLocation,
    request: RouteRequest,
  ): Promise<RouteResponse> {
    const { peers, streams } = this.#options;
    try {
      if (active !== undefined) return await peers.forward(active, request);
      throw new Problem('rebalancing', { ...retryAfter(1), detail: `state ${streams.state()}` });
    } catch (error) {
      for (const standby of lagAllowed(request.query) > 0 ? standbys : []) {
        const answer = await peers.forward(standby, request).catch(() => undefined);
        if (answer !== undefined && answer.status < 500) return answer;
      }
      throw error;
    }
  }

  /**
   * Collects from every partition, wherever it is: ours from the stores, the others' by one forward
   * to each instance, which is told its partitions and answers `{items}` of exactly these. Throws
   * 503 rather than leave a part out. Asked by a peer, it collects what that peer wants of us.
   */
  async gather<T>(
    storeName: string,
    request: RouteRequest,
    collect: Collect<T>,
  ): Promise<Gathered<T>> {
    return this.#joined(await Promise.all(this.#parts(storeName, request, collect)));
  }

  /** Like gather, for something that is in one place: found is found, even if a part is missing. */
  async search<T>(
    storeName: string,
    request: RouteRequest,
    collect: Collect<T>,
  ): Promise<Gathered<T>> {
    const settled = await Promise.allSettled(this.#parts(storeName, request, collect));
    const parts = settled.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    const missing = settled.find((result) => result.status === 'rejected');
    const joined = this.#joined(parts);
    if (joined.items.length === 0 && missing !== undefined) throw missing.reason;
    return joined;
  }

  /**
   * Reads another store of a partition that is being read: one of the same task, hence here, too. It
   * may be a commit ahead of the first. Throws 503 when the task is leaving.
   */
  async alongside<V, T>(
    storeName: string,
    partition: number,
    request: RouteRequest,
    read: (store: ReadOnlyKeyValueStore<unknown, V>) => T | Promise<T>,
  ): Promise<T> {
    const { store } = await this.#local.open(storeName, partition, request);
    return this.#local.read(storeName, () => read(store as ReadOnlyKeyValueStore<unknown, V>));
  }

  /** A read of another store than the one that answers: it may meet schemas of its own. */
  read<T>(storeName: string, read: () => T | Promise<T>): T | Promise<T> {
    return this.#local.read(storeName, read);
  }

  /** Where everything is, is looked up before anything is begun: what throws here leaves nothing behind. */
  #parts<T>(storeName: string, request: RouteRequest, collect: Collect<T>): Promise<Part<T>>[] {
    const { streams, peers } = this.#options;
    const isForwarded = peers.isForwarded(request);
    const wanted = isForwarded ? peers.wantedPartitions(request) : undefined;
    const locations = (wanted ?? this.#partitionsOf(storeName)).map((partition) =>
      streams.locatePartition(storeName, partition),
    );
    if (isForwarded && locations.some(({ isLocal }) => !isLocal)) throw new Problem('misdirected');
    const byOwner = new Map<string, { readonly owner: HostInfo; readonly partitions: number[] }>();
    for (const { isLocal, active, partition } of locations) {
      if (isLocal || active === undefined) continue;
      const name = `${active.host}:${active.port}`;
      const group = byOwner.get(name) ?? { owner: active, partitions: [] };
      group.partitions.push(partition);
      byOwner.set(name, group);
    }
    const unowned = locations.some(({ isLocal, active }) => !isLocal && active === undefined);
    return [
      ...(unowned ? [Promise.reject(new Problem('rebalancing', retryAfter(1)))] : []),
      ...locations
        .filter(({ isLocal }) => isLocal)
        .map(({ partition }) => this.#collectHere(storeName, partition, request, collect)),
      ...[...byOwner.values()].map(({ owner, partitions }) =>
        this.#collectFrom<T>(owner, request, partitions),
      ),
    ];
  }

  async #collectHere<T>(
    storeName: string,
    partition: number,
    request: RouteRequest,
    collect: Collect<T>,
  ): Promise<Part<T>> {
    const { store, position } = await this.#local.open(storeName, partition, request);
    return { items: await this.#local.read(storeName, () => collect(store, partition)), position };
  }

  async #collectFrom<T>(
    owner: HostInfo,
    request: RouteRequest,
    partitions: readonly number[],
  ): Promise<Part<T>> {
    const headers = { ...request.headers, 'if-none-match': undefined, prefer: undefined };
    const plain = changedRequest(request, { headers });
    const answer = await this.#options.peers.forward(owner, plain, { partitions });
    if (answer.status === PROBLEMS['not-queryable'].status) throw new Problem('not-queryable');
    const items = answer.status === 200 ? itemsOf<T>(answer.body) : undefined;
    if (items === undefined) throw new Problem('owner-unavailable', retryAfter(1));
    return { items, position: parsePosition(answer.headers?.['store-position'] ?? '') };
  }

  #joined<T>(parts: readonly Part<T>[]): Gathered<T> {
    const position = new Map(parts.flatMap((part) => [...part.position]));
    return {
      items: parts.flatMap(({ items }) => items),
      headers: this.#local.freshness(position, { role: 'active', lag: 0 }),
    };
  }

  #partitionsOf(storeName: string): readonly number[] {
    return Array.from({ length: this.partitionCount(storeName) }, (_, partition) => partition);
  }
}

/** The items that a peer answers with, undefined when it is not that. */
function itemsOf<T>(body: unknown): readonly T[] | undefined {
  try {
    const { items } = JSON.parse(String(body)) as { items?: unknown };
    return Array.isArray(items) ? (items as T[]) : undefined;
  } catch {
    return undefined;
  }
}
