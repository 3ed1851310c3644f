/**
 * How many requests each client may make: a bucket of tokens per client, filled at a steady rate.
 * Bounded: beyond so many clients the one that was quiet longest is forgotten; should it come again,
 * it begins with a full bucket.
 */
export interface TokenBucketsOptions {
  /** More than 0. */
  readonly perSecond: number;
  /** What a client that was quiet may ask at once. */
  readonly burst: number;
  readonly monotonicMs: () => number;
  readonly clientsMax?: number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

const CLIENTS_MAX = 100_000;

export class TokenBuckets {
  readonly #options: TokenBucketsOptions;
  /** The one that was quiet longest first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: TokenBucketsOptions) {
    this.#options = options;
  }

  /** Takes one token: 0. Without any: ms until there is one. */
  take(client: string): number {
    const { perSecond, monotonicMs } = this.#options;
    const bucket = this.#filled(client, monotonicMs());
    if (bucket.tokens < 1) return ((1 - bucket.tokens) / perSecond) * 1_000;
    bucket.tokens--;
    return 0;
  }

  #filled(client: string, nowMs: number): Bucket {
    const { perSecond, burst, clientsMax = CLIENTS_MAX } = this.#options;
    const known = this.#buckets.get(client);
    const bucket = known ?? { tokens: burst, filledAtMs: nowMs };
    const gained = ((nowMs - bucket.filledAtMs) / 1_000) * perSecond;
    bucket.tokens = Math.min(burst, bucket.tokens + gained);
    bucket.filledAtMs = nowMs;
    if (known !== undefined) this.#buckets.delete(client);
    else if (this.#buckets.size >= clientsMax) this.#forgetOldest();
    this.#buckets.set(client, bucket);
    return bucket;
  }

  #forgetOldest(): void {
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}
