/**
 * Payments of the festival that came before their purchase: kept where their way round the zones
 * ended, and sent round again, after growing pauses, until a zone has the purchase.
 *
 * E1. Log time decides how long a payment waits in all; the wall clock only when to look again.
 * E2. Bounded: so many per partition, so long each. What does not fit, or has waited long enough, is
 *     refused, and becomes a dead letter. Nobody is refunded: the record tells neither how much was
 *     paid nor by which payment.
 * E3. Another round goes through the topic: a payment that counts is a record of the log.
 */
import { jsonSerde, stringSerde } from '../../schemas/serdes.ts';
import type { KeyValueStore, StoreSpec } from '../../stores/state-store.ts';
import type { ProcessorContext, RecordHeaders, StreamRecord } from '../../topology/processor.ts';
import { CommandRefused } from '../sale/command-refused.ts';
import type { FestivalPayment } from './festival-records.ts';

export const EARLY_PAYMENTS = 'festival-early-payments';

/** Ours alone, as the door's: `<log time of the first arrival>,<rounds so far>`. */
export const WAITING_HEADER = 'millrace.festival.waiting';

const LOOK_EVERY_MS = 500;
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 30_000;
const WAITING_MAX = 10_000;
const ROUNDS_PER_LOOK = 500;

/** A payment that waits, and the headers that its producer gave it. */
export interface EarlyPayment {
  readonly payment: FestivalPayment;
  readonly headers: readonly { readonly key: string; readonly base64: string | null }[];
  readonly sinceMs: number;
  readonly rounds: number;
}

/** Sends a payment round the zones; its headers say how long it has been waiting. */
export type AnotherRound = (
  record: Pick<StreamRecord<unknown, FestivalPayment>, 'value' | 'headers' | 'timestampMs'>,
) => void | Promise<void>;

export interface EarlyPaymentsOptions {
  /** Of log time, from the first arrival on. */
  readonly waitMs: number;
  readonly anotherRound: AnotherRound;
  readonly waitingMax?: number;
}

export const earlyPaymentsStore: StoreSpec<string, EarlyPayment> = {
  kind: 'keyValue',
  name: EARLY_PAYMENTS,
  keySerde: stringSerde,
  valueSerde: jsonSerde<EarlyPayment>(),
  persistence: 'leveldb',
  changelog: { configs: {} },
};

export class EarlyPayments {
  readonly #context: ProcessorContext<never, never>;
  readonly #store: KeyValueStore<string, EarlyPayment>;
  readonly #options: EarlyPaymentsOptions;
  #count = 0;
  /** What a former life left is counted. */
  #isCounted = false;
  /** None is due before. */
  #nextDueMs = 0;

  constructor(context: ProcessorContext<never, never>, options: EarlyPaymentsOptions) {
    this.#context = context;
    this.#store = context.getStateStore(EARLY_PAYMENTS);
    this.#options = options;
    context.schedule(LOOK_EVERY_MS, 'wall-clock-time', (nowMs) => this.#look(nowMs));
  }

  /** `headers`: the producer's own, and ours about its waiting. Throws CommandRefused. */
  keep(
    payment: FestivalPayment,
    headers: readonly RecordHeaders[],
    { timestampMs, offset }: { readonly timestampMs: number; readonly offset: number },
  ): void {
    const { waitMs, waitingMax = WAITING_MAX } = this.#options;
    const { sinceMs, rounds } = waitingOf(headers) ?? { sinceMs: timestampMs, rounds: 0 };
    if (timestampMs - sinceMs >= waitMs) {
      throw new CommandRefused('the festival has no such purchase');
    }
    if (this.#count >= waitingMax) {
      throw new CommandRefused('the festival has no such purchase yet, and too many payments wait');
    }
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** Math.min(rounds, 10));
    const dueMs = this.#context.currentSystemTimeMs() + pauseMs;
    const others = headers.filter(({ key }) => key !== WAITING_HEADER).map(packed);
    this.#store.put(dueKey(dueMs, offset), { payment, headers: others, sinceMs, rounds });
    this.#nextDueMs = Math.min(this.#nextDueMs, dueMs);
    this.#count++;
  }

  async #look(nowMs: number): Promise<void> {
    if (!this.#isCounted) await this.#countAll();
    if (nowMs < this.#nextDueMs) return;
    const due: (readonly [key: string, early: EarlyPayment])[] = [];
    const range = { from: dueKey(this.#nextDueMs, 0), limit: ROUNDS_PER_LOOK + 1 };
    this.#nextDueMs = Number.POSITIVE_INFINITY;
    for await (const [key, early] of this.#store.range(range)) {
      const isDue = dueMsOf(key) <= nowMs && due.length < ROUNDS_PER_LOOK;
      if (!isDue) {
        this.#nextDueMs = dueMsOf(key);
        break;
      }
      due.push([key, early]);
    }
    for (const [key, early] of due) {
      this.#store.delete(key);
      this.#count--;
      await this.#options.anotherRound(nextRound(early, nowMs));
    }
  }

  async #countAll(): Promise<void> {
    this.#count = 0;
    for await (const _ of this.#store.range()) this.#count++;
    this.#isCounted = true;
  }
}

function nextRound({ payment, headers, sinceMs, rounds }: EarlyPayment, nowMs: number) {
  const waiting = { key: WAITING_HEADER, value: Buffer.from(`${sinceMs},${rounds + 1}`) };
  return { value: payment, headers: [...headers.map(unpacked), waiting], timestampMs: nowMs };
}

/** undefined: it has not waited. */
function waitingOf(
  headers: readonly RecordHeaders[],
): Pick<EarlyPayment, 'sinceMs' | 'rounds'> | undefined {
  const text = headers.find(({ key }) => key === WAITING_HEADER)?.value?.toString('latin1');
  const match = /^(\d{1,15}),(\d{1,6})$/.exec(text ?? '');
  return match === null ? undefined : { sinceMs: Number(match[1]), rounds: Number(match[2]) };
}

function packed({ key, value }: RecordHeaders) {
  return { key, base64: value === null ? null : value.toString('base64') };
}

function unpacked({ key, base64 }: EarlyPayment['headers'][number]): RecordHeaders {
  return { key, value: base64 === null ? null : Buffer.from(base64, 'base64') };
}

const TIME_DIGITS = 14;
const OFFSET_DIGITS = 16;

/** In the order of time, then of the log: the offset is of the one partition that the task reads. */
function dueKey(dueMs: number, offset: number): string {
  return `${digits(dueMs, TIME_DIGITS)}/${digits(offset, OFFSET_DIGITS)}`;
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0');
}

function dueMsOf(key: string): number {
  return Number(key.slice(0, TIME_DIGITS));
}
