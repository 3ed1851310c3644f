/**
 * Asks for purchases at a rate that does not care how the sale is doing: every purchase has its
 * intended time on an exact grid; each tick sends all that is due, as one batch per partition.
 */
import { partitionForKey } from '../../kafka/murmur2.ts';
import { BatchBuilder } from '../../kafka/records/batch-builder.ts';
import type { EncodedBatch } from '../../kafka/records/types.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { Gate } from '../gate.ts';
import { purchaseNumber, type Sale, type SaleClient } from '../sale-client.ts';

const BATCH_BYTES = 512 * 1024;
const REQUESTS_IN_FLIGHT = 1_000;
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
  client: SaleClient,
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
  client: SaleClient,
  purchases: EncodedPurchases,
  ratePerSecond: number,
  startMs: number,
): Promise<void> {
  const builders = Array.from(
    { length: client.partitionCount },
    () => new BatchBuilder({ sizeBytesMax: BATCH_BYTES }),
  );
  const gate = new Gate(REQUESTS_IN_FLIGHT);
  for (let next = 0; next < purchases.count; ) {
    const due = Math.min(
      purchases.count,
      Math.ceil(((performance.now() - startMs) / 1_000) * ratePerSecond),
    );
    if (due <= next) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    const batches = batchesOf(builders, purchases, next, due);
    next = due;
    await gate.enter();
    gate.leaveAfter(client.producer.sendBatches(batches));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await gate.empty();
}

function batchesOf(
  builders: readonly BatchBuilder[],
  { bytes, ends, keys, partitions }: EncodedPurchases,
  from: number,
  to: number,
): EncodedBatch[] {
  const batches: EncodedBatch[] = [];
  const finish = (partition: number) => {
    const builder = builders[partition]!;
    batches.push(builder.finish(TOPICS.commands, partition, 'none'));
    builder.reset();
  };
  const nowMs = Date.now();
  for (let index = from; index < to; index++) {
    const key = keys[index]!;
    const partition = partitions[index]!;
    const start = index === 0 ? 0 : ends[index - 1]!;
    const append = () =>
      builders[partition]!.appendRange(nowMs, key, 0, key.length, bytes, start, ends[index]!);
    if (append()) continue;
    finish(partition);
    append();
  }
  for (const [partition, builder] of builders.entries()) if (builder.count > 0) finish(partition);
  return batches;
}
