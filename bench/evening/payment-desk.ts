/**
 * The payment side of the evening, with books of its own: takes money, declines, takes it twice, and
 * gives back what the sale asks to be given back. Knows the sale only by its topics.
 */
import { partitionForKey } from '../../kafka/murmur2.ts';
import { toBytes } from '../../schemas/serde.ts';
import type { PaymentUpdate } from '../../ticket-sales/domain/command.ts';
import type { RefundRequest } from '../../ticket-sales/domain/payment.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { readTopic, type SaleClient } from '../sale-client.ts';

export interface Bill {
  readonly purchaseId: string;
  readonly eventId: string;
  readonly zoneId: string;
  readonly amountMinor: number;
  readonly currency: string;
}

/** In minor units; one currency, as all zones of the evening have the same. */
export interface DeskBooks {
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly payments: number;
  readonly refunds: number;
  readonly problems: readonly string[];
}

const IDLE_MS = 500;

export class PaymentDesk {
  readonly #client: SaleClient;
  /** By payment: what was taken, and from whom. */
  readonly #captured = new Map<string, Bill>();
  /** By refund: how much was given back of which payment. */
  readonly #refunds = new Map<string, RefundRequest>();
  readonly #refundedOf = new Map<string, number>();
  readonly #problems: string[] = [];
  #isClosing = false;
  #following: Promise<void> = Promise.resolve();

  constructor(client: SaleClient) {
    this.#client = client;
  }

  async open(): Promise<void> {
    const { serdes } = this.#client;
    await serdes.payment.prepare?.(TOPICS.payments, 'value');
    await serdes.refundRequest.prepare?.(TOPICS.refundRequests, 'value');
    this.#following = this.#followRefunds();
  }

  /** Takes the money, then tells the sale, as often as `times` says. */
  async capture(bill: Bill, paymentId: string, times = 1): Promise<void> {
    this.#captured.set(paymentId, bill);
    for (let time = 0; time < times; time++) await this.#tell(bill, paymentId, 'succeeded');
  }

  async decline(bill: Bill, paymentId: string): Promise<void> {
    await this.#tell(bill, paymentId, 'failed');
  }

  books(): DeskBooks {
    const sum = (amounts: Iterable<{ readonly amountMinor: number }>) =>
      [...amounts].reduce((total, { amountMinor }) => total + amountMinor, 0);
    return {
      capturedMinor: sum(this.#captured.values()),
      refundedMinor: sum(this.#refunds.values()),
      payments: this.#captured.size,
      refunds: this.#refunds.size,
      problems: this.#problems,
    };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#following;
  }

  async #tell(
    bill: Bill,
    paymentId: string,
    status: PaymentUpdate['status'],
    refundId: string | null = null,
  ): Promise<void> {
    const { serdes, producer, partitionCount } = this.#client;
    const { purchaseId, eventId, zoneId, amountMinor, currency } = bill;
    const key = Buffer.from(zoneKey(eventId, zoneId));
    const value = toBytes(serdes.payment, {
      kind: 'payment',
      ...{ purchaseId, eventId, zoneId, paymentId, status, amountMinor, currency, refundId },
      detail: status === 'failed' ? 'card declined' : null,
      occurredAtMs: Date.now(),
    });
    const partition = partitionForKey(key, 0, key.length, partitionCount);
    await producer.send(TOPICS.payments, partition, { key, value });
  }

  async #followRefunds(): Promise<void> {
    const { kafka, serdes } = this.#client;
    const reader = await readTopic(kafka, TOPICS.refundRequests);
    const wanted: RefundRequest[] = [];
    while (!this.#isClosing) {
      await reader.read(
        ({ buffer, valueStart, valueEnd }) => {
          wanted.push(serdes.refundRequest.decode(buffer, valueStart, valueEnd));
        },
        () => wanted.length > 0 || this.#isClosing,
        IDLE_MS,
      );
      for (const refund of wanted.splice(0)) await this.#refund(refund);
    }
    await reader.close();
  }

  /** The same refund again is answered again, and paid once. */
  async #refund(refund: RefundRequest): Promise<void> {
    const { refundId, paymentId, amountMinor } = refund;
    const payment = this.#captured.get(paymentId);
    if (payment === undefined) {
      this.#problems.push(`refund ${refundId} of a payment that was never taken`);
      return;
    }
    if (!this.#refunds.has(refundId)) {
      const before = this.#refundedOf.get(paymentId) ?? 0;
      if (before + amountMinor > payment.amountMinor) {
        this.#problems.push(`refund ${refundId} gives back more than was paid`);
      }
      this.#refunds.set(refundId, refund);
      this.#refundedOf.set(paymentId, before + amountMinor);
    }
    await this.#tell({ ...payment, amountMinor }, paymentId, 'refunded', refundId);
  }
}
