/** Who waits until an offset is durable, in the order of the offsets. */

interface Waiter {
  /** Durable once everything up to and with this offset is. */
  readonly lastOffset: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class DurableWaiters {
  #waiters: Waiter[] = [];

  /** Resolves at the first release() beyond `lastOffset`; rejects when dismissed before. */
  wait(lastOffset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      // Only who waits for a repeated batch comes late: searching from the end is short.
      let at = this.#waiters.length;
      while (at > 0 && this.#waiters[at - 1]!.lastOffset > lastOffset) at--;
      this.#waiters.splice(at, 0, { lastOffset, resolve, reject });
    });
  }

  /** Everything below `offset` is durable. */
  release(offset: number): void {
    const pending = this.#waiters.findIndex((waiter) => waiter.lastOffset >= offset);
    const released = this.#waiters.splice(0, pending < 0 ? this.#waiters.length : pending);
    for (const waiter of released) waiter.resolve();
  }

  dismiss(reason: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(reason);
  }
}
