/**
 * A fetch session with one broker (KIP-227): what the broker remembers of this fetcher, so that a
 * request names only the partitions that are new or have moved, and an answer only those with news. Pure.
 *
 * The broker is never asked to remember less than it does: after an answer that was lost, and after a seek
 * (the broker would not repeat bounds that it has told), everything is named anew, in a new session.
 */
import type { FetchPartition } from './fetch-partition.ts';
import type { PartitionToFetch } from './fetch-request.ts';

const NO_SESSION = 0;
/** Asks for a session; every partition is named. */
const FIRST_EPOCH = 0;
const EPOCH_MAX = 0x7fffffff;

/** A partition as the broker remembers it. */
interface Remembered {
  readonly state: FetchPartition;
  offset: number;
  lastEpoch: number;
  leaderEpoch: number;
  /** The last request that wanted it. */
  wantedAt: number;
}

/** What one request says of the session and of its partitions. */
export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  /** New to the session, or moved. */
  readonly named: readonly PartitionToFetch[];
  readonly forgotten: readonly FetchPartition[];
}

export class FetchSession {
  #id = NO_SESSION;
  #epoch = FIRST_EPOCH;
  #requests = 0;
  readonly #remembered = new Map<string, Remembered>();

  /** The last request has named only what was new. */
  get isOpen(): boolean {
    return this.#epoch !== FIRST_EPOCH;
  }

  /** For a request that wants these partitions; accepted() or lost() must follow before the next one. */
  next(wanted: readonly PartitionToFetch[]): SessionRequest {
    this.#requests++;
    if (this.isOpen && wanted.some((each) => this.#isSought(each))) this.lost();
    const named = wanted.filter((each) => this.#remember(each));
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      named,
      forgotten: named.length === this.#remembered.size ? [] : this.#forgetUnwanted(),
    };
  }

  /** The broker has answered, under this id; another one than was asked for: the session is over. */
  accepted(sessionId: number): void {
    const isOurs = !this.isOpen || sessionId === this.#id;
    if (sessionId === NO_SESSION || !isOurs) {
      this.refused();
      return;
    }
    this.#id = sessionId;
    this.#epoch = this.#epoch === EPOCH_MAX ? 1 : this.#epoch + 1;
  }

  /** Nobody knows what the broker remembers: it is told to forget it with the next request. */
  lost(): void {
    this.#epoch = FIRST_EPOCH;
    this.#remembered.clear();
  }

  /** The broker does not have the session (any more). */
  refused(): void {
    this.lost();
    this.#id = NO_SESSION;
  }

  /** As it was asked for, by its key. */
  asked(key: string): FetchPartition | undefined {
    return this.#remembered.get(key)?.state;
  }

  #isSought({ state }: PartitionToFetch): boolean {
    const remembered = this.#remembered.get(state.key);
    return remembered !== undefined && remembered.state !== state;
  }

  /** True when the broker has to be told. */
  #remember({ state, leaderEpoch }: PartitionToFetch): boolean {
    const { nextOffset: offset, lastEpoch } = state;
    const before = this.#remembered.get(state.key);
    if (before === undefined) {
      const wantedAt = this.#requests;
      this.#remembered.set(state.key, { state, offset, lastEpoch, leaderEpoch, wantedAt });
      return true;
    }
    const isSame =
      before.offset === offset &&
      before.lastEpoch === lastEpoch &&
      before.leaderEpoch === leaderEpoch;
    before.wantedAt = this.#requests;
    if (isSame) return false;
    before.offset = offset;
    before.lastEpoch = lastEpoch;
    before.leaderEpoch = leaderEpoch;
    return true;
  }

  #forgetUnwanted(): readonly FetchPartition[] {
    const forgotten: FetchPartition[] = [];
    for (const [key, { state, wantedAt }] of this.#remembered) {
      if (wantedAt === this.#requests) continue;
      this.#remembered.delete(key);
      forgotten.push(state);
    }
    return forgotten;
  }
}
