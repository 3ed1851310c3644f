/**
 * Reads the logs of one partition of orders: their dead letters, their commands, what was announced, and
 * the changelog. I7, I21 and I22 of the commands, I10 of the store; announcements are the book's to judge.
 */
import { partitionForKey } from '../../kafka/murmur2.ts';
import type { RecordCursor } from '../../kafka/records/types.ts';
import { DeadLetters } from '../checks/dead-letters.ts';
import { CommittedLog } from '../log/committed-log.ts';
import type { ReadingContext } from '../log/reading-context.ts';
import { isOrderId, type OrderCommandRecord } from '../records/order-records.ts';
import { hasKey, keyOf } from '../records/record-reader.ts';
import { ORDER_TOPICS, ordersChangelogOf } from '../topics.ts';
import type { OrderBook, OrderEntry } from './order-book.ts';

export interface OrderPartition {
  readonly applicationId: string;
  readonly partition: number;
  readonly partitionCount: number;
  /** What lies behind is not consumed yet. */
  readonly committedOffset: number;
}

export class OrderReader {
  readonly commands: CommittedLog;
  readonly #deadLog: CommittedLog;
  readonly #status: CommittedLog;
  readonly #changelog: CommittedLog;
  readonly #letters: DeadLetters;
  readonly #at: OrderPartition;
  readonly #book: OrderBook;
  readonly #context: ReadingContext;
  /** Log time, as far as it was read. */
  readonly #clock = { timeMs: 0 };

  constructor(at: OrderPartition, book: OrderBook, context: ReadingContext) {
    const log = (topic: string) => new CommittedLog(topic, at.partition, context);
    this.commands = log(ORDER_TOPICS.orders);
    this.#deadLog = log(ORDER_TOPICS.deadLetters);
    this.#status = log(ORDER_TOPICS.status);
    this.#changelog = log(ordersChangelogOf(at.applicationId));
    this.#letters = new DeadLetters(context.findings, this.#deadLog, ORDER_TOPICS.orders);
    this.#at = at;
    this.#book = book;
    this.#context = context;
  }

  get recordCount(): number {
    const logs = [this.commands, this.#deadLog, this.#status, this.#changelog];
    return logs.reduce((sum, { recordCount }) => sum + recordCount, 0);
  }

  /** Compaction has removed announcements. */
  get hasHoles(): boolean {
    return this.#status.holes > 0;
  }

  async read(): Promise<void> {
    const { committedOffset } = this.#at;
    await this.#letters.readAll();
    await this.commands.read((record) => {
      if (record.offset < committedOffset) this.#command(record);
      return 'next';
    });
    this.#letters.end((offset) => offset < committedOffset);
    await this.#status.read((record) => {
      this.#announced(record);
      return 'next';
    });
    await this.#readChangelog();
  }

  #command(record: RecordCursor): void {
    const { findings, records } = this.#context;
    const { offset, timestampMs: timeMs } = record;
    const asked = records.orderCommand.read(record);
    const key = keyOf(record);
    const place = this.commands.placeOf(offset);
    const clock = this.#clock;
    clock.timeMs = Math.max(clock.timeMs, timeMs);
    const flaw = this.#flawOf(asked, key);
    if (flaw !== undefined || key === undefined) {
      this.#letters.expect(record, flaw ?? '', place);
      return;
    }
    findings.checked('I7');
    if (this.#letters.take(offset)) {
      const what = `the command at ${offset} is a dead letter, and could be used`;
      findings.violated('I22', this.#letters.placeOf(offset), what);
      return;
    }
    const placed = asked?.command['millrace.tickets.PlaceOrder'];
    // A key that is known is answered with its order, whatever else is asked under it.
    if (placed === undefined) this.#book.cancelled(key);
    else this.#book.placed({ ...placed, orderId: key }, { offset, timeMs, place, clock });
  }

  /** Why it belongs with the dead letters. */
  #flawOf(asked: OrderCommandRecord | undefined, key: string | undefined): string | undefined {
    if (asked === undefined || key === undefined) return 'it is no command';
    if (this.#book.entries.has(key)) return undefined;
    const { command } = asked;
    const placed = command['millrace.tickets.PlaceOrder'];
    const orderId = (placed ?? command['millrace.tickets.CancelOrder'])?.orderId;
    if (orderId !== key) return 'its key is another one';
    if (!isOrderId(orderId)) return 'its id is none of an order';
    const { partition, partitionCount } = this.#at;
    const bytes = Buffer.from(key);
    const home = partitionForKey(bytes, 0, bytes.length, partitionCount);
    if (home !== partition) return 'it is in the wrong partition';
    return placed === undefined ? 'there is no such order' : undefined;
  }

  #announced(record: RecordCursor): void {
    const { records, findings } = this.#context;
    const order = records.order.read(record);
    const place = this.#status.placeOf(record.offset);
    this.#clock.timeMs = Math.max(this.#clock.timeMs, record.timestampMs);
    if (order === undefined || !hasKey(record, order.orderId)) {
      findings.violated('I9', place, 'it is no order under its own key');
    } else this.#book.announced(order, { place, hasHoles: this.hasHoles });
  }

  /** I10: the last value of each order is what was announced last. */
  async #readChangelog(): Promise<void> {
    const { records, findings } = this.#context;
    const log = this.#changelog;
    const wrong = new Map<string, { readonly offset: number; readonly what: string }>();
    await log.read((record) => {
      const key = keyOf(record) ?? '';
      const kept = records.order.read(record);
      const entry = this.#book.entries.get(key);
      if (entry !== undefined) entry.isLogged = true;
      const what = flawOfKept(entry, kept, record.valueStart < 0);
      if (what === undefined) wrong.delete(key);
      else wrong.set(key, { offset: record.offset, what });
      return 'next';
    });
    for (const [key, { offset, what }] of wrong) {
      findings.violated('I10', log.placeOf(offset), `${key}: ${what}`);
    }
    for (const [key, { clock, order, isLogged }] of this.#book.entries) {
      if (clock !== this.#clock || order === undefined) continue;
      findings.checked('I10');
      if (isLogged) continue;
      findings.violated('I10', log.placeOf(log.lastOffset), `${key} is not in the changelog`);
    }
  }
}

function flawOfKept(
  entry: OrderEntry | undefined,
  kept: OrderEntry['order'],
  isTombstone: boolean,
): string | undefined {
  if (entry === undefined) return isTombstone ? undefined : 'nobody placed it';
  if (kept === undefined) return isTombstone ? 'it was deleted' : 'its value is unreadable';
  if (JSON.stringify(kept) === JSON.stringify(entry.order)) return undefined;
  return `it is ${kept.state}, and was announced as ${entry.order?.state}, or otherwise`;
}
