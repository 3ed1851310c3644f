/** A voucher of one zone, and how often it was used. */
import type { ZoneAddress } from './command.ts';

export interface Voucher extends ZoneAddress {
  readonly code: string;
  /** Of the tickets' price, 0 to 100. */
  readonly percentOff: number;
  readonly amountOffMinor: number;
  /** Purchases that have it now: a released or cancelled one gives its use back. */
  readonly uses: number;
  readonly usesMax: number;
}
