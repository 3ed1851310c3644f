/**
 * Reads of the state in this process: the owner's, waited for until it is as new as the client
 * wants it, or a standby's, where the client may be told something older.
 */
import type { Clock } from '../base/clock.ts';
import { UnknownSchemaError } from '../schemas/serde.ts';
import { Problem, retryAfter } from './http/problem.ts';
import type { RouteRequest } from './http/route.ts';
import { waitSeconds } from './peers.ts';
import {
  formatPosition,
  hasReached,
  lagAllowed,
  type Position,
  parsePosition,
} from './positions.ts';
import type {
  HostInfo,
  LocalStore,
  PartitionLocation,
  QueryableStreams,
} from './queryable-streams.ts';

export type AvailableStore = Extract<LocalStore, { kind: 'available' }>;

export interface LocalReadsOptions {
  readonly streams: QueryableStreams;
  readonly self: HostInfo;
  readonly clock: Clock;
  /** Longest wait for `minPosition`; `Prefer: wait` prolongs it. */
  readonly queryTimeoutMs: number;
}

/** A read meets this many new schemas at most; each is fetched once per process. */
const SCHEMAS_PER_READ_MAX = 20;

/** Waiting for a position looks again after so long, then twice as long, and so on. */
const LOOK_AGAIN_FIRST_MS = 1;
const LOOK_AGAIN_LAST_MS = 32;

/** Older than this, an answer says how old it is. */
const SILENT_MS = 5_000;

export class LocalReads {
  readonly #options: LocalReadsOptions;
  readonly #servedBy: string;

  constructor(options: LocalReadsOptions) {
    this.#options = options;
    this.#servedBy = `${options.self.host}:${options.self.port}`;
  }

  /**
   * The owner's state; at once unless something must be waited for. Throws 503 while it is not here,
   * being restored, or not where the client wants it.
   */
  open(
    storeName: string,
    partition: number,
    request: RouteRequest,
  ): AvailableStore | Promise<AvailableStore> {
    if (request.query['minPosition'] === undefined) {
      const local = this.#options.streams.openLocal(storeName, partition);
      return local instanceof Promise ? local.then(ownersStore) : ownersStore(local);
    }
    return this.#openReached(storeName, partition, request, request.query['minPosition']);
  }

  async #openReached(
    storeName: string,
    partition: number,
    request: RouteRequest,
    minPosition: string,
  ): Promise<AvailableStore> {
    const { streams, clock, queryTimeoutMs } = this.#options;
    const wanted = parsePosition(minPosition);
    const patienceMs = queryTimeoutMs + waitSeconds(request.headers['prefer']) * 1_000;
    const deadlineMs = clock.monotonicMs() + patienceMs;
    for (let pauseMs = LOOK_AGAIN_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, LOOK_AGAIN_LAST_MS)) {
      const local = ownersStore(await streams.openLocal(storeName, partition));
      if (hasReached(local.position, wanted, partition)) return local;
      if (clock.monotonicMs() >= deadlineMs || request.signal.aborted) {
        const detail = `not yet at ${minPosition}`;
        throw new Problem('store-restoring', { ...retryAfter(1), detail });
      }
      await clock.sleep(pauseMs, request.signal);
    }
  }

  /** A standby here that may answer. It knows no input positions: `minPosition` is for the owner. */
  async openStandby(
    storeName: string,
    { isLocal, partition }: PartitionLocation,
    request: RouteRequest,
  ): Promise<AvailableStore | undefined> {
    const lagMax = lagAllowed(request.query);
    if (isLocal || lagMax === 0 || request.query['minPosition'] !== undefined) return undefined;
    const local = await this.#options.streams.openLocal(storeName, partition);
    return local.kind === 'available' && local.lag <= lagMax ? local : undefined;
  }

  /** Values may have been written with schemas this thread has not met: fetched once, then read again. */
  read<T>(storeName: string, read: () => T | Promise<T>): T | Promise<T> {
    try {
      const result = read();
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => this.#readAgain(storeName, read, error));
    } catch (error) {
      if (!(error instanceof UnknownSchemaError)) throw error;
      return this.#readAgain(storeName, read, error);
    }
  }

  async #readAgain<T>(storeName: string, read: () => T | Promise<T>, failure: unknown): Promise<T> {
    let error = failure;
    for (let attempt = 0; attempt < SCHEMAS_PER_READ_MAX; attempt++) {
      if (!(error instanceof UnknownSchemaError)) throw error;
      const { streams } = this.#options;
      const { spec } = streams.stores().find((store) => store.spec.name === storeName)!;
      await spec.valueSerde.resolve?.(error.schemaId);
      await spec.keySerde.resolve?.(error.schemaId);
      try {
        return await read();
      } catch (next) {
        error = next;
      }
    }
    throw error;
  }

  /** Whether answers have to say how old they are. */
  isAging(): boolean {
    return this.#options.streams.kafkaSilentForMs() > SILENT_MS;
  }

  /** Headers that say how fresh an answer is, and who says so. */
  freshness(
    position: Position,
    { role, lag }: Pick<AvailableStore, 'role' | 'lag'>,
  ): Record<string, string> {
    const { streams } = this.#options;
    const headers: Record<string, string> = {
      'Served-By': this.#servedBy,
      'Served-Role': role,
    };
    if (role === 'standby') headers['Store-Lag'] = String(lag);
    const text = formatPosition(position);
    if (text !== '') headers['Store-Position'] = text;
    const silentMs = streams.kafkaSilentForMs();
    if (silentMs > SILENT_MS) headers['Age'] = String(Math.floor(silentMs / 1_000));
    return headers;
  }
}

/** Throws 503 unless the task runs here and owns its state. */
function ownersStore(local: LocalStore): AvailableStore {
  if (local.kind === 'not-here') throw new Problem('rebalancing', retryAfter(1));
  if (local.kind === 'restoring') {
    const members = { remainingRecords: local.remainingRecords };
    throw new Problem('store-restoring', { ...retryAfter(1), members });
  }
  // The owner's word counts: a task that has just become a standby has no say any more.
  if (local.role === 'standby') throw new Problem('rebalancing', retryAfter(1));
  return local;
}
