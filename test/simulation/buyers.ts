/**
 * The buyers: their own client over the same bad network, and a journal of every command they sent and
 * of what they were told. Each send carries its number in a header, so that the log can be held to it.
 */
import { isMillraceError } from '../../base/errors.ts';
import { partitionForKey } from '../../kafka/murmur2.ts';
import type { KafkaClient, Producer } from '../../kafka/ports.ts';
import { toBytes } from '../../schemas/serde.ts';
import type { TicketCommand } from '../../ticket-sales/domain/command.ts';
import { purchaseIdFor } from '../../ticket-sales/domain/purchase-id.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { PARTITIONS, serdes } from './sale.ts';
import type { Process, World } from './world.ts';

export const SEND_HEADER = 'send';
const DELIVERY_TIMEOUT_MS = 4_000;

export interface Send {
  readonly command: TicketCommand;
  outcome: 'sent' | 'acknowledged' | 'unknown' | 'not taken';
}

export interface SalePlan {
  readonly zones: readonly { readonly eventId: string; readonly zoneId: string }[];
  readonly purchases: number;
  /** Over which the purchases are spread. */
  readonly durationMs: number;
}

export class Buyers {
  /** By number of the send. */
  readonly journal: Send[] = [];
  readonly #world: World;
  readonly #process: Process;
  readonly #client: KafkaClient;
  readonly #producer: Producer;
  readonly #plan: SalePlan;

  constructor(world: World, process: Process, client: KafkaClient, plan: SalePlan) {
    this.#world = world;
    this.#process = process;
    this.#client = client;
    this.#plan = plan;
    this.#producer = client.producer({
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
      lingerMs: 0,
      compression: 'none',
    });
  }

  /** Until every command has got an answer, or has been repeated until it got one. */
  async buyEverything(): Promise<void> {
    const running: Promise<void>[] = [];
    for (const zone of this.#plan.zones) running.push(this.#sendUntilTaken(this.#creation(zone)));
    const pauseMs = (2 * this.#plan.durationMs) / this.#plan.purchases;
    for (let number = 0; number < this.#plan.purchases; number++) {
      await this.#process.clock.sleep(this.#world.between(0, pauseMs));
      running.push(this.#buy(number));
    }
    await Promise.all(running);
  }

  close(): Promise<void> {
    return this.#producer.close().then(() => this.#client.close());
  }

  async #buy(number: number): Promise<void> {
    const command = this.#purchase(number);
    await this.#sendUntilTaken(command);
    if (this.#world.chance(0.2)) await this.#repeat(command);
    if (this.#world.chance(0.25)) {
      const { eventId, zoneId, purchaseId } = command;
      await this.#sendUntilTaken({ kind: 'cancel', eventId, zoneId, purchaseId });
      if (this.#world.chance(0.3)) await this.#repeat(command);
    }
    if (this.#world.chance(0.1)) {
      const { eventId, zoneId } = command;
      const kind = this.#world.chance(0.4) ? 'closeSale' : 'openSale';
      await this.#sendUntilTaken({ kind, eventId, zoneId });
    }
  }

  async #repeat(command: TicketCommand): Promise<void> {
    await this.#process.clock.sleep(this.#world.between(0, 500));
    await this.#sendUntilTaken(command);
  }

  /** As a client with an idempotency key: an unknown outcome means the same command again. */
  async #sendUntilTaken(command: TicketCommand): Promise<void> {
    while (!(await this.#send(command))) {
      await this.#process.clock.sleep(this.#world.between(10, 300));
    }
  }

  async #send(command: TicketCommand): Promise<boolean> {
    const send: Send = { command, outcome: 'sent' };
    const number = this.journal.push(send) - 1;
    const key = Buffer.from(zoneKey(command.eventId, command.zoneId));
    const headers = [{ key: SEND_HEADER, value: Buffer.from(String(number)) }];
    const value = toBytes(serdes.command, command);
    const partition = partitionForKey(key, 0, key.length, PARTITIONS);
    try {
      await this.#producer.send(TOPICS.commands, partition, { key, value, headers });
      send.outcome = 'acknowledged';
      return true;
    } catch (error) {
      send.outcome = isMillraceError(error, 'KAFKA_AMBIGUOUS') ? 'unknown' : 'not taken';
      if (isMillraceError(error, 'KAFKA_FATAL')) throw error;
      this.#world.count(`command ${send.outcome}`);
      return false;
    }
  }

  #creation({ eventId, zoneId }: SalePlan['zones'][number]): TicketCommand {
    const capacity = this.#world.pick(2, 14);
    const price = this.#world.chance(0.5) ? { amountMinor: 4500, currency: 'EUR' } : null;
    return { kind: 'createZone', eventId, zoneId, capacity, quantityMax: 4, price };
  }

  #purchase(number: number) {
    const zone = this.#plan.zones[this.#world.pick(0, this.#plan.zones.length - 1)]!;
    const buyerId = `buyer-${this.#world.pick(1, 5)}`;
    const purchaseId = purchaseIdFor({ ...zone, buyerId, idempotencyKey: `${number}` });
    const quantity = this.#world.pick(0, 20) === 0 ? 9 : this.#world.pick(1, 3);
    const requestedAtMs = this.#process.clock.nowMs();
    return { kind: 'purchase', ...zone, purchaseId, buyerId, quantity, requestedAtMs } as const;
  }
}
