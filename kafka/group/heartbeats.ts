/**
 * Heartbeats on their own timer, from the first JoinGroup on and during all that follows: rebalances,
 * callbacks, a busy engine. Owns when they are sent and how long they may go unanswered by the monotonic
 * clock; what a code means is the member's business.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { ClientDeps } from '../client-deps.ts';
import type { MemberIdentity } from './member-requests.ts';

export interface HeartbeatOptions {
  readonly intervalMs: number;
  readonly sessionTimeoutMs: number;
  /** Resolves with the error code; rejects when there was no answer. */
  readonly send: (identity: MemberIdentity, timeoutMs: number) => Promise<number>;
  /** Any answer; true when it shows that the coordinator still knows us. */
  readonly onAnswer: (identity: MemberIdentity, code: number) => boolean;
  /** No answer at all. */
  readonly onSilence: (error: unknown) => void;
  /** Not known to the coordinator any more, by our own clock. */
  readonly onSessionExpired: () => void;
}

const RETRY = { initialMs: 100, maxMs: 1_000 };

export class Heartbeats {
  readonly #options: HeartbeatOptions;
  readonly #deps: ClientDeps;
  #identity: MemberIdentity | undefined;
  #knownAtMs = 0;
  #failures = 0;
  #isOut = false;
  #cancelTimer: () => void = () => {};

  constructor(options: HeartbeatOptions, deps: ClientDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Beats for this place in the group from now on; the coordinator has just named it. */
  start(identity: MemberIdentity): void {
    this.#identity = identity;
    this.#knownAtMs = this.#deps.clock.monotonicMs();
    this.#failures = 0;
    this.#schedule(this.#options.intervalMs);
  }

  stop(): void {
    this.#identity = undefined;
    this.#cancelTimer();
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer();
    const leftMs = this.#sessionLeftMs();
    this.#cancelTimer = this.#deps.clock.after(Math.max(0, Math.min(delayMs, leftMs)), () =>
      this.#beat(),
    );
  }

  #sessionLeftMs(): number {
    return this.#knownAtMs + this.#options.sessionTimeoutMs - this.#deps.clock.monotonicMs();
  }

  #beat(): void {
    const identity = this.#identity;
    if (identity === undefined) return;
    if (this.#sessionLeftMs() <= 0) {
      this.stop();
      this.#options.onSessionExpired();
      return;
    }
    if (!this.#isOut) void this.#send(identity);
    this.#schedule(this.#options.intervalMs);
  }

  async #send(identity: MemberIdentity): Promise<void> {
    const sentAtMs = this.#deps.clock.monotonicMs();
    this.#isOut = true;
    try {
      const timeoutMs = Math.max(1, Math.ceil(this.#sessionLeftMs()));
      const code = await this.#options.send(identity, timeoutMs);
      this.#isOut = false;
      // From when it was sent: an answer that took long says nothing about now.
      if (!this.#options.onAnswer(identity, code)) return this.#retry();
      this.#knownAtMs = Math.max(this.#knownAtMs, sentAtMs);
      this.#failures = 0;
    } catch (error) {
      this.#isOut = false;
      this.#options.onSilence(error);
      this.#retry();
    }
  }

  /** Sooner than the interval: a coordinator on the move costs session time. */
  #retry(): void {
    if (this.#identity === undefined) return;
    const delayMs = backoffMs(this.#failures++, RETRY, this.#deps.random);
    this.#schedule(Math.min(delayMs, this.#options.intervalMs));
  }
}
