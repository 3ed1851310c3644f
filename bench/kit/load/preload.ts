/**
 * Fills the command topic before the app is started: zones first, then purchases round the zones,
 * as whole record batches. Knows what the sale must come to, not how it is decided.
 */
import { partitionForKey } from '../../../kafka/murmur2.ts';
import { BatchBuilder } from '../../../kafka/records/batch-builder.ts';
import { toBytes } from '../../../schemas/serde.ts';
import { zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { Gate } from '../../gate.ts';
import { purchaseNumber, type Sale } from '../../sale-client.ts';
import type { SaleTopics } from '../sale-topics.ts';

const BATCH_BYTES = 512 * 1024;
const BATCHES_IN_FLIGHT = 16;
const VALUE_BYTES_MAX = 4_096;
/** One purchase of a hundred comes again, a little later. */
const REPEAT_EVERY = 100;
const REPEAT_AFTER = 50;
const SOLD_SHARE = 0.9;
/** A zone may have no more. */
const CAPACITY_MAX = 1_000_000;

export interface PreloadPlan {
  readonly sale: Sale;
  readonly purchases: number;
  readonly partitions: number;
}

/** A sale in which this share of the purchases finds a ticket. */
export function benchSale(zones: number, purchases: number, soldShare = SOLD_SHARE): Sale {
  const wanted = Math.max(1, Math.floor((purchases / zones) * soldShare));
  const capacity = Math.min(wanted, CAPACITY_MAX);
  return {
    eventId: `bench-${Date.now().toString(36)}`,
    zones: Array.from({ length: zones }, (_, index) => ({ zoneId: `zone-${index}`, capacity })),
  };
}

/** Resolves with the number of records written, zones and repeated purchases included. */
export async function preload(
  topics: SaleTopics,
  plan: PreloadPlan,
  onProgress: (purchases: number) => void,
): Promise<number> {
  const writer = new PartitionedWriter(topics, plan.partitions);
  for (const { zoneId, capacity } of plan.sale.zones) {
    const { eventId } = plan.sale;
    const zone = {
      eventId,
      zoneId,
      capacity,
      quantityMax: 10,
      price: null,
      terms: null,
      blockedSeats: [],
    };
    const value = toBytes(topics.serdes.command, { kind: 'createZone', ...zone });
    await writer.write(zoneKey(eventId, zoneId), value, value.length);
  }
  const value = Buffer.allocUnsafe(VALUE_BYTES_MAX);
  const write = (index: number) => {
    const purchase = purchaseNumber(plan.sale, index);
    const end = topics.serdes.command.encode(purchase, value, 0);
    return writer.write(zoneKey(purchase.eventId, purchase.zoneId), value, end);
  };
  for (let index = 0; index < plan.purchases; index++) {
    const full = write(index);
    if (full !== undefined) await full;
    if (index % REPEAT_EVERY === REPEAT_EVERY - 1) await write(index - REPEAT_AFTER);
    if (index % 4_096 === 0) onProgress(index);
  }
  onProgress(plan.purchases);
  await writer.end();
  return writer.count;
}

/** One open batch per partition; a few full ones are on their way. */
class PartitionedWriter {
  readonly #topics: SaleTopics;
  readonly #builders: readonly BatchBuilder[];
  readonly #gate = new Gate(BATCHES_IN_FLIGHT);
  readonly #places = new Map<string, { key: Buffer; partition: number }>();
  readonly #nowMs = Date.now();
  count = 0;

  constructor(topics: SaleTopics, partitions: number) {
    this.#topics = topics;
    this.#builders = Array.from(
      { length: partitions },
      () => new BatchBuilder({ sizeBytesMax: BATCH_BYTES }),
    );
  }

  /** undefined unless there is something to wait for: most records only go into a slab. */
  write(key: string, value: Buffer, end: number): Promise<void> | undefined {
    const place = this.#placeOf(key);
    this.count++;
    if (this.#append(place, value, end)) return undefined;
    return this.#send(place.partition).then(() => {
      this.#append(place, value, end);
    });
  }

  async end(): Promise<void> {
    for (const [partition, builder] of this.#builders.entries()) {
      if (builder.count > 0) await this.#send(partition);
    }
    await this.#gate.empty();
  }

  #append(place: { key: Buffer; partition: number }, value: Buffer, end: number): boolean {
    const { key, partition } = place;
    const builder = this.#builders[partition]!;
    return builder.appendRange(this.#nowMs, key, 0, key.length, value, 0, end);
  }

  async #send(partition: number): Promise<void> {
    const builder = this.#builders[partition]!;
    const batch = builder.finish(TOPICS.commands, partition, 'none');
    builder.reset();
    await this.#gate.enter();
    this.#gate.leaveAfter(this.#topics.producer.sendBatches([batch]));
  }

  #placeOf(text: string): { key: Buffer; partition: number } {
    let place = this.#places.get(text);
    if (place === undefined) {
      const key = Buffer.from(text);
      place = { key, partition: partitionForKey(key, 0, key.length, this.#builders.length) };
      this.#places.set(text, place);
    }
    return place;
  }
}
