/**
 * Buyers for a scenario: purchases at a steady rate until told to stop, some of them sent twice,
 * optionally some over HTTP with retries, all in the journal. Knows which are decided.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate } from '../../../bench/gate.ts';
import { answerOfStatus, type JournalWriter } from '../../../bench/kit/journal-writer.ts';
import {
  endOffsets,
  purchaseNumber,
  readTopic,
  type Sale,
  type SaleClient,
} from '../../../bench/sale-client.ts';
import type { PurchaseCommand } from '../../../ticket-sales/domain/command.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';

export interface LoadOptions {
  readonly ratePerSecond: number;
  /** Asked and not decided: at most so many. */
  readonly window: number;
  /** Every so manieth is sent twice. */
  readonly repeatEvery: number;
  /** Every so manieth goes over HTTP. */
  readonly httpEvery?: number;
  /** Where HTTP requests go; asked anew for each attempt. */
  readonly httpUrl: () => string;
}

const DEFAULTS = { ratePerSecond: 150, window: 400, repeatEvery: 50 };
const STUCK_AFTER_MS = 120_000;
const HTTP_ATTEMPT_MS = 10_000;
const HTTP_RETRY_MS = 200;
const IN_FLIGHT_MAX = 2_000;

export class Load {
  /** Sent twice on purpose. */
  repeated = 0;
  /** HTTP requests whose answer was lost and that were sent again. */
  retried = 0;
  /** Longest time between two decisions so far. */
  longestGapMs = 0;
  readonly #client: SaleClient;
  readonly #sale: Sale;
  readonly #journal: JournalWriter;
  readonly #options: LoadOptions;
  readonly #decided = new Set<string>();
  readonly #gate = new Gate(IN_FLIGHT_MAX);
  #asked = 0;
  #isPaused = false;
  #isStopping = false;
  #asking: Promise<void> = Promise.resolve();
  #watching: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #isOver = false;

  constructor(
    client: SaleClient,
    sale: Sale,
    journal: JournalWriter,
    options: Partial<LoadOptions> & Pick<LoadOptions, 'httpUrl'>,
  ) {
    this.#client = client;
    this.#sale = sale;
    this.#journal = journal;
    this.#options = { ...DEFAULTS, ...options };
  }

  get asked(): number {
    return this.#asked;
  }

  get decided(): number {
    return this.#decided.size;
  }

  begin(): void {
    const failed = (error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    };
    this.#watching = this.#watch().catch(failed);
    this.#asking = this.#ask().catch(failed);
  }

  /** Resolves when `count` more than now are decided. Rejects when nothing is for long. */
  async decidesMore(count: number): Promise<void> {
    const target = this.decided + count;
    await this.#until(`${count} more decisions`, () => this.decided >= target);
  }

  /** Asks nothing until resume(). Resolves when everything asked is decided. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#until('everything decided', () => this.decided >= this.#asked);
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Sends everything asked so far once more, unjournaled: nothing may come of it. */
  async replay(): Promise<number> {
    const count = this.#asked;
    const send = (index: number) => this.#client.send(purchaseNumber(this.#sale, index));
    await Promise.all(Array.from({ length: count }, (_, index) => send(index)));
    this.repeated += count;
    return count;
  }

  /** One more buyer, whose command goes out in a way of its own. Resolves when it is acknowledged. */
  async askBy(send: (purchase: PurchaseCommand) => Promise<void>): Promise<void> {
    const purchase = purchaseNumber(this.#sale, this.#asked++);
    await this.#journal.follow(purchase, send(purchase));
  }

  /** Asks no more. Resolves when everything asked is acknowledged and decided. */
  async drained(): Promise<void> {
    this.#isStopping = true;
    await this.#asking;
    await this.#until('everything decided', () => this.decided >= this.#asked);
    this.#isOver = true;
    await this.#watching;
  }

  /** After a failure: nothing of it goes on. */
  abandon(): void {
    this.#isStopping = true;
    this.#isOver = true;
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    let before = -1;
    let sinceMs = performance.now();
    while (!holds()) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.decided !== before) [before, sinceMs] = [this.decided, performance.now()];
      if (performance.now() - sinceMs > STUCK_AFTER_MS) {
        throw new Error(`stuck waiting for ${what}: ${this.decided} of ${this.#asked} decided`);
      }
      await sleep(20);
    }
  }

  async #ask(): Promise<void> {
    const { ratePerSecond, window, repeatEvery, httpEvery } = this.#options;
    let dueMs = performance.now();
    for (; !this.#isStopping; dueMs += 1_000 / ratePerSecond) {
      const nowMs = performance.now();
      if (dueMs > nowMs) await sleep(dueMs - nowMs);
      else dueMs = Math.max(dueMs, nowMs - 1_000);
      while (this.#asked - this.decided > window && !this.#isStopping) await sleep(10);
      if (this.#isPaused) await sleep(10);
      if (this.#isStopping) break;
      if (this.#isPaused) continue;
      const index = this.#asked++;
      if (httpEvery !== undefined && index % httpEvery === 0) await this.#run(this.#post(index));
      else await this.#run(this.#produce(index));
      if (index % repeatEvery !== repeatEvery - 1) continue;
      this.repeated++;
      await this.#run(this.#produce(index));
    }
    await this.#gate.empty();
  }

  async #run(request: Promise<void>): Promise<void> {
    this.#gate.leaveAfter(request);
    await this.#gate.enter();
  }

  #produce(index: number): Promise<void> {
    const purchase = purchaseNumber(this.#sale, index);
    return this.#journal.follow(purchase, this.#client.send(purchase));
  }

  /** As a careful buyer: the same key until there is a definite answer. */
  async #post(index: number): Promise<void> {
    const purchase = purchaseNumber(this.#sale, index);
    const { eventId, zoneId, buyerId, quantity } = purchase;
    const key = `rush-${index}`;
    const answered = this.#journal.sent(purchase, key);
    while (!this.#isOver) {
      const answer = await fetch(`${this.#options.httpUrl()}/v1/purchases`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': key,
          prefer: 'wait=5',
        },
        body: JSON.stringify({ eventId, zoneId, buyerId, quantity }),
        signal: AbortSignal.timeout(HTTP_ATTEMPT_MS),
      }).catch(() => undefined);
      await answer?.arrayBuffer().catch(() => {});
      const verdict = answer === undefined ? 'unknown' : answerOfStatus(answer.status);
      if (verdict !== 'unknown') return answered(verdict);
      this.retried++;
      await sleep(HTTP_RETRY_MS);
    }
    answered('unknown');
  }

  async #watch(): Promise<void> {
    const { kafka, serdes } = this.#client;
    const from = await endOffsets(kafka, TOPICS.purchaseStatus, 'read_committed');
    const reader = await readTopic(kafka, TOPICS.purchaseStatus, from);
    let decidedAtMs = performance.now();
    await reader.read(
      (record) => {
        if (record.valueStart < 0) return;
        const nowMs = performance.now();
        this.longestGapMs = Math.max(this.longestGapMs, Math.round(nowMs - decidedAtMs));
        decidedAtMs = nowMs;
        const purchase = serdes.purchase.decode(record.buffer, record.valueStart, record.valueEnd);
        if (purchase.eventId === this.#sale.eventId) this.#decided.add(purchase.purchaseId);
      },
      () => this.#isOver,
      Number.POSITIVE_INFINITY,
    );
    await reader.close();
  }
}
