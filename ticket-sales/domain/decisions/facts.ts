/** What a decision may ask about a zone beyond the zone itself. Read when it is asked, and only then. */
import type { Refund } from '../payment.ts';
import type { SeatMap } from '../seats/seat-map.ts';
import type { Voucher } from '../voucher.ts';
import type { SeatLayout } from '../zone.ts';

export interface ZoneFacts {
  /** Held and sold to this buyer in this zone. Only zones with a limit per customer count them. */
  ticketsOf(buyerId: string): number;
  voucher(code: string): Voucher | undefined;
  refund(refundId: string): Refund | undefined;
  seatMap(layout: SeatLayout): SeatMap;
}
