/**
 * Asks for purchases at a rate that does not care how the sale is doing: every purchase has its
 * intended time on an exact grid; each millisecond all that is due is sent, or goes with the next request.
 */
import { partitionForKey } from '../../../kafka/murmur2.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import type { EncodedBatch } from '../../../kafka/records/types.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { purchaseNumber, type Sale, type SaleOnKafka } from '../../sale-client.ts';

const BATCH_BYTES = 512 * 1024;
const VALUE_BYTES_MAX = 1_024;

/** Purchases encoded ahead, so that the sender costs little while it matters. */
export interface EncodedPurchases {
  readonly count: number;
  readonly bytes: Buffer;
  /** Purchase n lies from ends[n - 1] to ends[n]. */
  readonly ends: Float64Array;
  readonly keys: readonly Buffer[];
  readonly partitions: Int32Array;
}

/** Purchases `from` … `from + count - 1` of the sale. */
export function encodeAhead(
  client: SaleOnKafka,
  sale: Sale,
  from: number,
  count: number,
): EncodedPurchases {
  const ends = new Float64Array(count);
  const partitions = new Int32Array(count);
  const keys: Buffer[] = [];
  const keyOf = new Map(
    sale.zones.map(({ zoneId }) => [zoneId, Buffer.from(zoneKey(sale.eventId, zoneId))]),
  );
  let bytes = Buffer.allocUnsafe(VALUE_BYTES_MAX + count * 128);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const purchase = purchaseNumber(sale, from + index);
    if (bytes.length - at < VALUE_BYTES_MAX) bytes = Buffer.concat([bytes], bytes.length * 2);
    at = client.serdes.command.encode(purchase, bytes, at);
    const key = keyOf.get(purchase.zoneId)!;
    ends[index] = at;
    keys.push(key);
    partitions[index] = partitionForKey(key, 0, key.length, client.partitionCount);
  }
  return { count, bytes, ends, keys, partitions };
}

/** Resolves when all are acknowledged. Purchase n is due at `startMs + n / rate`. */
export async function sendOpenLoop(
  client: SaleOnKafka,
  purchases: EncodedPurchases,
  ratePerSecond: number,
  startMs: number,
): Promise<void> {
  const sender = new BatchingSender(client, purchases);
  for (let next = 0; next < purchases.count; ) {
    const elapsedMs = performance.now() - startMs;
    const due = Math.min(purchases.count, Math.ceil((elapsedMs / 1_000) * ratePerSecond));
    for (; next < due; next++) sender.append(next);
    sender.flush();
    sender.throwIfFailed();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await sender.end();
}

/** As every good producer: what comes while a request is out goes into the next one. */
class BatchingSender {
  readonly #client: SaleOnKafka;
  readonly #purchases: EncodedPurchases;
  readonly #builders: readonly BatchBuilder[];
  readonly #nowMs = Date.now();
  #full: EncodedBatch[] = [];
  #sending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(client: SaleOnKafka, purchases: EncodedPurchases) {
    this.#client = client;
    this.#purchases = purchases;
    this.#builders = Array.from(
      { length: client.partitionCount },
      () => new BatchBuilder({ sizeBytesMax: BATCH_BYTES }),
    );
  }

  append(index: number): void {
    const { bytes, ends, keys, partitions } = this.#purchases;
    const key = keys[index]!;
    const partition = partitions[index]!;
    const builder = this.#builders[partition]!;
    const start = index === 0 ? 0 : ends[index - 1]!;
    const fits = () =>
      builder.appendRange(this.#nowMs, key, 0, key.length, bytes, start, ends[index]!);
    if (fits()) return;
    this.#finish(partition);
    fits();
  }

  /** Sends what there is, or leaves it to the end of the request that is out. */
  flush(): void {
    if (this.#sending !== undefined || this.#failure !== undefined) return;
    for (const [partition, { count }] of this.#builders.entries()) {
      if (count > 0) this.#finish(partition);
    }
    if (this.#full.length === 0) return;
    const batches = this.#full;
    this.#full = [];
    this.#sending = this.#client.producer.sendBatches(batches).then(
      () => this.#sent(),
      (error: unknown) => {
        this.#failure = { error };
        this.#sending = undefined;
      },
    );
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async end(): Promise<void> {
    for (this.flush(); this.#sending !== undefined; this.flush()) await this.#sending;
    this.throwIfFailed();
  }

  #sent(): void {
    this.#sending = undefined;
    this.flush();
  }

  #finish(partition: number): void {
    const builder = this.#builders[partition]!;
    this.#full.push(builder.finish(TOPICS.commands, partition, 'none'));
    builder.reset();
  }
}
