/**
 * The numbered seats of all zones of one task, as the processor of the sale uses them: it shows a
 * decision the map of its zone, and carries out the change that the decision asks for.
 * ../../seat-store.ts keeps them.
 */
import type { SeatLayout } from '../zone.ts';
import type { SeatChange, SeatMap } from './seat-map.ts';

export interface SeatPort {
  /** Reads as little as what is asked of the map needs; a zone that was never written is all free. */
  mapOf(zoneKey: string, layout: SeatLayout): SeatMap;
  /** The map has been asked before: every seat is known, and free or taken as the change needs it. */
  apply(zoneKey: string, layout: SeatLayout, change: SeatChange): void;
}
