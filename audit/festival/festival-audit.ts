/**
 * I7 of the festival's records: a purchase that its producers ask for is passed on to its zone, as our
 * own command; of payments see festival-payments.ts. Either may be a dead letter instead. What becomes of
 * them in the zone is judged as for any other.
 *
 * Topics do not say which event is the festival: zones of its names, in any event, are where its
 * purchases may have gone. Memory by number of its records, and of purchases in such zones.
 */
import type { Findings } from '../findings.ts';
import { type FestivalPurchaseRecord, isTicketType, isUuid } from '../records/festival-records.ts';
import type { CommandRecord } from '../records/sale-records.ts';
import { FestivalPayments } from './festival-payments.ts';

interface Asked {
  readonly purchaseId: string;
  /** Of the last record of it. */
  place: string;
  count: number;
}

export class FestivalAudit {
  readonly payments = new FestivalPayments();
  readonly #findings: Findings;
  readonly #asked = new Map<string, Asked>();
  readonly #commands = new Map<string, number>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Why nothing can be done with it. */
  flawOf({ purchaseId, userId }: FestivalPurchaseRecord): string | undefined {
    return isUuid(purchaseId) && isUuid(userId) ? undefined : 'its ids are no UUIDs';
  }

  /** A record of theirs that is no dead letter. */
  purchase({ purchaseId, userId, ticketType, quantity }: FestivalPurchaseRecord, place: string) {
    const name = nameOf(purchaseId, userId, ticketType, quantity);
    const asked = this.#asked.get(name);
    if (asked === undefined) {
      this.#asked.set(name, { purchaseId: purchaseId.toLowerCase(), place, count: 1 });
    } else {
      asked.count++;
      asked.place = place;
    }
  }

  /** A command of ours, which may be what became of one of theirs. True if it may. */
  command({ kind, fields }: CommandRecord): boolean {
    const { purchaseId, buyerId, zoneId, quantity, options } = fields;
    if (kind !== 'Purchase' || options !== null || !isTicketType(zoneId)) return false;
    const name = nameOf(purchaseId, buyerId, zoneId, quantity);
    this.#commands.set(name, (this.#commands.get(name) ?? 0) + 1);
    return true;
  }

  /** Purchases that their producers asked for. */
  askedFor(): ReadonlySet<string> {
    return new Set([...this.#asked.values()].map(({ purchaseId }) => purchaseId));
  }

  /** All logs have been read and followed. */
  end(): void {
    for (const [name, { purchaseId, place, count }] of this.#asked) {
      if ((this.#commands.get(name) ?? 0) >= count) continue;
      const what = `the festival’s purchase ${purchaseId} is neither passed on nor a dead letter`;
      this.#findings.violated('I7', place, what);
    }
    if (this.#asked.size > 0) this.#findings.checked('I7', this.#asked.size);
    this.payments.end(this.#findings);
  }
}

function nameOf(purchaseId: string, buyerId: string, zoneId: string, quantity: number): string {
  return `${purchaseId.toLowerCase()} ${buyerId.toLowerCase()} ${zoneId} ${quantity}`;
}
