/**
 * What operators load by hand: a table of its own, which the sale neither reads nor writes. Queries
 * look into it for what the sale itself knows nothing of.
 */

import type { Serde } from '../../schemas/serde.ts';
import { stringSerde } from '../../schemas/serdes.ts';
import type { StreamsBuilder } from '../../topology/streams-builder.ts';
import type { FestivalPurchaseStatus, FestivalStatus, TicketInventory } from './festival.ts';

export const READ_MODEL_TOPIC = 'festivalReadModel';
export const READ_MODEL_STORE = 'festival-read-model';
/** It is filled by hand: one task is enough. */
export const READ_MODEL_PARTITIONS = 1;

/** Exactly one is there. */
export interface ReadModelEntry {
  readonly purchase: LoadedPurchase | null;
  readonly inventory: TicketInventory | null;
}

interface LoadedPurchase {
  readonly purchaseId: string;
  readonly status: FestivalStatus;
  readonly paymentStatus: string | null;
}

export function defineReadModel(builder: StreamsBuilder, serde: Serde<ReadModelEntry>): void {
  builder.table(READ_MODEL_TOPIC, {
    name: 'festival-loaded',
    keySerde: stringSerde,
    valueSerde: serde,
    store: READ_MODEL_STORE,
  });
}

export function purchaseKey(purchaseId: string): string {
  return `purchase/${purchaseId}`;
}

export function inventoryKey(ticketType: string): string {
  return `inventory/${ticketType}`;
}

export function purchaseEntry(loaded: FestivalPurchaseStatus): ReadModelEntry {
  const { purchaseId, status, paymentStatus = null } = loaded;
  return { purchase: { purchaseId, status, paymentStatus }, inventory: null };
}

export function inventoryEntry({ ticketType, availableCount }: TicketInventory): ReadModelEntry {
  return { purchase: null, inventory: { ticketType, availableCount } };
}

export function loadedPurchase(entry: ReadModelEntry): FestivalPurchaseStatus | undefined {
  if (entry.purchase === null) return undefined;
  const { purchaseId, status, paymentStatus } = entry.purchase;
  return { purchaseId, status, ...(paymentStatus === null ? {} : { paymentStatus }) };
}
