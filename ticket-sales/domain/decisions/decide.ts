/** What is decided on whatever changes one purchase: the plain purchase first, since nearly all are. */
import type { LogPlace, PurchaseChange } from '../command.ts';
import type { Purchase } from '../purchase.ts';
import type { Zone } from '../zone.ts';
import { decideChange, decideRejection } from './decide-change.ts';
import { decidePurchase, type PurchaseDecision } from './decide-purchase.ts';
import { decideRequest } from './decide-request.ts';
import type { ZoneFacts } from './facts.ts';

export function decide(
  zone: Zone | undefined,
  previous: Purchase | undefined,
  command: PurchaseChange,
  place: LogPlace,
  facts: ZoneFacts,
): PurchaseDecision {
  switch (command.kind) {
    case 'purchase':
      return command.options === null && (zone === undefined || zone.terms === null)
        ? decidePurchase(zone, previous, command, place)
        : decideRequest(zone, previous, command, place, facts);
    case 'rejectPurchase':
      return decideRejection(zone, previous, command, place, facts);
    default:
      return decideChange(zone, previous, command, place, facts);
  }
}
