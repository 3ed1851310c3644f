/**
 * The buyers: what they send over the bad network, and a journal of every command they sent and of what
 * they were told. Each send carries its number in a header, so that the log can be held to it.
 */
import { partitionForKey } from '../../kafka/murmur2.ts';
import { toBytes } from '../../schemas/serde.ts';
import type { SimulatedRun } from '../../simulation/scenario.ts';
import { between, chance, pick } from '../../simulation/world/draw.ts';
import type { TicketCommand } from '../../ticket-sales/domain/command.ts';
import { purchaseIdFor } from '../../ticket-sales/domain/purchase-id.ts';
import { zoneKey } from '../../ticket-sales/domain/zone.ts';
import { TOPICS } from '../../ticket-sales/records.ts';
import { PARTITIONS, serdes } from './sale.ts';

export const SEND_HEADER = 'send';

export interface Send {
  readonly command: TicketCommand;
  outcome: 'sent' | 'acknowledged' | 'unknown' | 'not sent';
}

interface SalePlan {
  readonly zones: readonly { readonly eventId: string; readonly zoneId: string }[];
  readonly purchases: number;
}

export class Buyers {
  /** By number of the send. */
  readonly journal: Send[] = [];
  readonly #run: SimulatedRun;
  readonly #plan: SalePlan;

  constructor(run: SimulatedRun) {
    this.#run = run;
    this.#plan = salePlan(run);
  }

  /** Until every command has got an answer, or has been repeated until it got one. */
  async buyEverything(): Promise<void> {
    const running: Promise<void>[] = [];
    for (const zone of this.#plan.zones) running.push(this.#sendUntilTaken(this.#creation(zone)));
    const pauseMs = (2 * this.#run.faultsMs) / this.#plan.purchases;
    for (let number = 0; number < this.#plan.purchases; number++) {
      await this.#run.clock.sleep(between(this.#run.random, 0, pauseMs));
      running.push(this.#buy(number));
    }
    await Promise.all(running);
  }

  async #buy(number: number): Promise<void> {
    const command = this.#purchase(number);
    await this.#sendUntilTaken(command);
    if (chance(this.#run.random, 0.2)) await this.#repeat(command);
    if (chance(this.#run.random, 0.25)) {
      const { eventId, zoneId, purchaseId } = command;
      await this.#sendUntilTaken({ kind: 'cancel', eventId, zoneId, purchaseId });
      if (chance(this.#run.random, 0.3)) await this.#repeat(command);
    }
    if (chance(this.#run.random, 0.1)) {
      const { eventId, zoneId } = command;
      const kind = chance(this.#run.random, 0.4) ? 'closeSale' : 'openSale';
      await this.#sendUntilTaken({ kind, eventId, zoneId });
    }
  }

  async #repeat(command: TicketCommand): Promise<void> {
    await this.#run.clock.sleep(between(this.#run.random, 0, 500));
    await this.#sendUntilTaken(command);
  }

  /** As a client with an idempotency key: an unknown outcome means the same command again. */
  async #sendUntilTaken(command: TicketCommand): Promise<void> {
    while (!(await this.#send(command))) {
      await this.#run.clock.sleep(between(this.#run.random, 10, 300));
    }
  }

  async #send(command: TicketCommand): Promise<boolean> {
    const send: Send = { command, outcome: 'sent' };
    const number = this.journal.push(send) - 1;
    const key = Buffer.from(zoneKey(command.eventId, command.zoneId));
    const headers = [{ key: SEND_HEADER, value: Buffer.from(String(number)) }];
    const value = toBytes(serdes.command, command);
    const partition = partitionForKey(key, 0, key.length, PARTITIONS);
    const outcome = await this.#run.send(TOPICS.commands, partition, { key, value, headers });
    send.outcome = outcome;
    return outcome === 'acknowledged';
  }

  #creation({ eventId, zoneId }: SalePlan['zones'][number]): TicketCommand {
    const capacity = pick(this.#run.random, 2, 14);
    const price = chance(this.#run.random, 0.5) ? { amountMinor: 4500, currency: 'EUR' } : null;
    return {
      kind: 'createZone',
      eventId,
      zoneId,
      capacity,
      quantityMax: 4,
      price,
      terms: null,
      blockedSeats: [],
    };
  }

  #purchase(number: number) {
    const zone = this.#plan.zones[pick(this.#run.random, 0, this.#plan.zones.length - 1)]!;
    const buyerId = `buyer-${pick(this.#run.random, 1, 5)}`;
    const purchaseId = purchaseIdFor({ ...zone, buyerId, idempotencyKey: `${number}` });
    const quantity = pick(this.#run.random, 0, 20) === 0 ? 9 : pick(this.#run.random, 1, 3);
    const requestedAtMs = this.#run.clock.nowMs();
    return {
      kind: 'purchase',
      ...zone,
      purchaseId,
      buyerId,
      quantity,
      requestedAtMs,
      options: null,
    } as const;
  }
}

function salePlan({ random, faultsMs }: SimulatedRun): SalePlan {
  const zones = Array.from({ length: pick(random, 1, 4) }, (_, index) => ({
    eventId: `event-${index % 2}`,
    zoneId: `zone-${index}`,
  }));
  return { zones, purchases: pick(random, 6, 12 + Math.min(100, faultsMs / 150)) };
}
