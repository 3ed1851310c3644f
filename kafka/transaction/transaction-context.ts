/** What every request of one transaction (or of an init) shares: who, how long, over which sockets. */
import { backoffMs } from '../../base/backoff.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { ClientDeps } from '../client-deps.ts';
import type { Cluster } from '../wire.ts';
import type { TransactionProtocol } from './error-table.ts';

/** CONCURRENT_TRANSACTIONS is over after a few ms; the broker has often waited already. */
const BRIEF_PAUSE_MS = 2;
const BACKOFF = { initialMs: 10, maxMs: 500 };
const REQUEST_TIMEOUT_MS = 30_000;

export class TransactionContext {
  readonly cluster: Cluster;
  readonly deps: ClientDeps;
  readonly transactionalId: string;
  readonly protocol: TransactionProtocol;
  readonly #startedMs: number;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal;

  constructor(options: {
    readonly cluster: Cluster;
    readonly deps: ClientDeps;
    readonly transactionalId: string;
    readonly protocol: TransactionProtocol;
    /** Bound of all tries together; Infinity: until the signal aborts. */
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  }) {
    this.cluster = options.cluster;
    this.deps = options.deps;
    this.transactionalId = options.transactionalId;
    this.protocol = options.protocol;
    this.#startedMs = options.deps.clock.monotonicMs();
    this.#timeoutMs = options.timeoutMs;
    this.#signal = options.signal;
  }

  get elapsedMs(): number {
    return this.deps.clock.monotonicMs() - this.#startedMs;
  }

  get isOver(): boolean {
    return this.#signal.aborted || this.elapsedMs >= this.#timeoutMs;
  }

  /** For one request: never longer than what is left. */
  get requestTimeoutMs(): number {
    const leftMs = Math.ceil(this.#timeoutMs - this.elapsedMs);
    return Math.max(1, Math.min(REQUEST_TIMEOUT_MS, leftMs));
  }

  pause(kind: 'brief' | 'backoff', attempt: number): Promise<void> {
    const { clock, random } = this.deps;
    const delayMs = kind === 'brief' ? BRIEF_PAUSE_MS : backoffMs(attempt, BACKOFF, random);
    return clock.sleep(delayMs, this.#signal);
  }

  /** Resolves as `work` does, or rejects KAFKA_RETRIABLE when no time is left. */
  whileTimeIsLeft<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.deps.clock.after(this.requestTimeoutMs, () =>
        reject(new MillraceError('KAFKA_RETRIABLE', 'no time left')),
      );
      work.then(resolve, reject).finally(cancel);
    });
  }

  /** Repeats what fails only for now, until it works or there is no time left. */
  async untilItWorks<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.whileTimeIsLeft(work());
      } catch (error) {
        const isTransient = isMillraceError(error, 'KAFKA_RETRIABLE', 'KAFKA_UNAVAILABLE');
        if (!isTransient || this.isOver) throw error;
        await this.pause('backoff', attempt);
      }
    }
  }
}
