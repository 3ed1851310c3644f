/**
 * Carries the decisions out: reads zone and purchase, asks the pure functions, writes both back and
 * forwards what changed. One instance per task; everything it touches lies in one partition.
 *
 * P1. Refusals without an outcome record (operators' commands, unusable ones) are thrown before any
 *     effect, so that the record goes to the dead letters whole.
 * P2. A zone's stock is announced once per commit, however often it changed.
 * P3. A zone lives in the partition of its key: elsewhere it is never created and never refused as
 *     unknown. Partition and names are looked at only where no zone is found: off the fast path.
 */
import { unreachable } from '../base/assert.ts';
import { partitionForKey } from '../kafka/murmur2.ts';
import type { KeyValueStore } from '../stores/state-store.ts';
import type { Processor, ProcessorContext, StreamRecord } from '../topology/processor.ts';
import type {
  CancelCommand,
  LogPlace,
  PurchaseCommand,
  TicketCommand,
  ZoneCommand,
} from './domain/command.ts';
import { decideCancel, decidePurchase, type PurchaseDecision } from './domain/decide-purchase.ts';
import { decideZone } from './domain/decide-zone.ts';
import type { Purchase } from './domain/purchase.ts';
import { isPurchaseId } from './domain/purchase-id.ts';
import { isId, type Zone, zoneKey } from './domain/zone.ts';
import { type InventoryUpdated, inventoryOf } from './records.ts';

export const STORES = { zones: 'zones', purchases: 'purchases' } as const;
export const SINKS = { purchaseStatus: 'purchase-status', inventory: 'inventory' } as const;

/** A command that has no outcome record: it belongs with the dead letters, with this reason. */
export class CommandRefused extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'CommandRefused';
  }
}

export class TicketProcessor
  implements Processor<string, TicketCommand, string, Purchase | InventoryUpdated>
{
  #context!: ProcessorContext<string, Purchase | InventoryUpdated>;
  #zones!: KeyValueStore<string, Zone>;
  #purchases!: KeyValueStore<string, Purchase>;
  readonly #commandPartitions: number;
  readonly #changedZones = new Set<string>();

  /** `commandPartitions`: how many the topic of commands has. */
  constructor(commandPartitions: number) {
    this.#commandPartitions = commandPartitions;
  }

  init(context: ProcessorContext<string, Purchase | InventoryUpdated>): void {
    this.#context = context;
    this.#zones = context.getStateStore(STORES.zones);
    this.#purchases = context.getStateStore(STORES.purchases);
  }

  process(record: StreamRecord<string, TicketCommand>): void {
    const command = record.value;
    if (record.key !== zoneKey(command.eventId, command.zoneId)) {
      throw new CommandRefused('the key is not <eventId>/<zoneId> of the value');
    }
    const place = {
      nowMs: record.timestampMs,
      offset: this.#context.recordMetadata()?.offset ?? -1,
    };
    const zone = this.#zones.get(record.key);
    if (zone === undefined) this.#mustBelongHere(record.key, command);
    switch (command.kind) {
      case 'purchase':
      case 'cancel':
        this.#decide(record.key, zone, command, place);
        break;
      case 'extendHold':
      case 'confirmHold':
      case 'rejectPurchase':
        throw new CommandRefused(`${command.kind} is not decided yet`);
      default:
        this.#change(record.key, zone, command, place);
    }
  }

  flush(): void {
    for (const key of this.#changedZones) {
      const zone = this.#zones.get(key);
      if (zone !== undefined)
        this.#forward(key, inventoryOf(zone), zone.updatedAtMs, SINKS.inventory);
    }
    this.#changedZones.clear();
  }

  #mustBelongHere(key: string, command: TicketCommand): void {
    if (!isId(command.eventId) || !isId(command.zoneId)) {
      throw new CommandRefused('eventId and zoneId are 1 to 64 of A-Z a-z 0-9 . _ ~ -');
    }
    const bytes = Buffer.from(key);
    const partition = partitionForKey(bytes, 0, bytes.length, this.#commandPartitions);
    if (partition === this.#context.partition) return;
    throw new CommandRefused(`the key belongs to partition ${partition}`);
  }

  #decide(
    key: string,
    zone: Zone | undefined,
    command: PurchaseCommand | CancelCommand,
    place: LogPlace,
  ): void {
    if (!isPurchaseId(command.purchaseId)) throw new CommandRefused('purchaseId is not a UUID');
    if (command.kind === 'purchase' && !isId(command.buyerId)) {
      throw new CommandRefused('buyerId is 1 to 64 of A-Z a-z 0-9 . _ ~ -');
    }
    const previous = this.#purchases.get(command.purchaseId);
    const decision =
      command.kind === 'purchase'
        ? decidePurchase(zone, previous, command, place)
        : decideCancel(zone, previous, command, place);
    this.#carryOut(key, decision, place);
  }

  #carryOut(key: string, decision: PurchaseDecision, place: LogPlace): void {
    switch (decision.kind) {
      case 'refused':
        throw new CommandRefused(decision.why);
      case 'decided':
        this.#purchases.put(decision.purchase.purchaseId, decision.purchase);
        if (decision.zone !== undefined) this.#putZone(key, decision.zone);
        break;
      case 'repeated':
      case 'conflict':
        break;
      default:
        unreachable(decision);
    }
    const { purchase } = decision;
    this.#forward(purchase.purchaseId, purchase, place.nowMs, SINKS.purchaseStatus);
  }

  #change(key: string, zone: Zone | undefined, command: ZoneCommand, place: LogPlace): void {
    const decision = decideZone(zone, command, place);
    if (decision.kind === 'refused') throw new CommandRefused(decision.why);
    if (decision.kind === 'changed') this.#putZone(key, decision.zone);
  }

  #putZone(key: string, zone: Zone): void {
    this.#zones.put(key, zone);
    this.#changedZones.add(key);
  }

  #forward(
    key: string,
    value: Purchase | InventoryUpdated,
    timestampMs: number,
    sink: string,
  ): void {
    this.#context.forward({ key, value, timestampMs, headers: [] }, sink);
  }
}
