/**
 * The way of the festival's payments. One that its zone does not know goes to the next zone that may, as
 * a copy; at the end of a round it waits, and begins another one, until it is found or given up. So each
 * record has an outcome, a copy further on, or a dead letter, or it waits still.
 */
import type { Findings } from '../findings.ts';
import type { Hop, QueuedPayment } from '../life/queues/payment-queue.ts';
import {
  type EarlyPaymentRecord,
  type FestivalPaymentRecord,
  isUuid,
  type Round,
  roundOf,
  statusOf,
  visitedOf,
} from '../records/festival-records.ts';

/** One payment's way through the zones, by number of zones that it has been to. */
interface Way {
  readonly hops: Hop[];
  /** Of its records at the end of the way, so many wait, or have begun the next round. */
  waited: number;
}

const FIRST: Round = { sinceMs: 0, number: 0 };

export class FestivalPayments {
  readonly #ways = new Map<string, Way>();

  /** A record of the topic of payments. */
  said(
    theirs: FestivalPaymentRecord,
    headers: Parameters<typeof visitedOf>[0],
    at: Pick<QueuedPayment, 'offset' | 'timeMs' | 'letter' | 'place'>,
  ): { readonly payment?: QueuedPayment; readonly flaw?: string } {
    const purchaseId = theirs.purchaseId.toLowerCase();
    const status = statusOf(theirs);
    if (!isUuid(purchaseId) || status === undefined) return { flaw: 'it is no payment' };
    const zones = visitedOf(headers).length;
    const round = roundOf(headers);
    const way = this.#wayOf(theirs, round);
    const hop = hopOf(way, zones, purchaseId);
    if (hop.records === 0) hop.place = at.place;
    if (at.letter === 'none') hop.records++;
    if (zones > 1 || (zones === 1 && round.number === 0)) {
      hopOf(way, zones - 1, purchaseId).copies++;
    } else if (zones === 1) this.#waited(theirs, { ...round, number: round.number - 1 });
    return { payment: { ...at, kind: 'festival', purchaseId, status, hop } };
  }

  /** One that waits at the end of the log. */
  waits({ payment, sinceMs, rounds }: EarlyPaymentRecord): void {
    this.#waited(payment, { sinceMs, number: rounds });
  }

  /** All of them are known: how many went on from the end of each way. */
  link(): void {
    for (const { hops, waited } of this.#ways.values()) {
      const last = hops.at(-1);
      if (last !== undefined) last.copies += waited;
    }
  }

  /** All logs have been followed. */
  end(findings: Findings): void {
    for (const { hops } of this.#ways.values()) {
      findings.checked('I7', hops.length);
      for (const { place, purchaseId, unsettled, copies } of hops) {
        if (unsettled <= copies) continue;
        const what = `the festival’s payment for ${purchaseId} has no outcome, went nowhere, and is no dead letter`;
        findings.violated('I7', place, what);
      }
    }
  }

  #waited(theirs: FestivalPaymentRecord, round: Round): void {
    this.#wayOf(theirs, round).waited++;
  }

  #wayOf({ purchaseId, timestamp, status }: FestivalPaymentRecord, round: Round): Way {
    const { sinceMs, number } = round.number === 0 ? FIRST : round;
    const name = JSON.stringify([purchaseId, timestamp, status, sinceMs, number]);
    const known = this.#ways.get(name);
    if (known !== undefined) return known;
    const way = { hops: [], waited: 0 };
    this.#ways.set(name, way);
    return way;
  }
}

function hopOf({ hops }: Way, zones: number, purchaseId: string): Hop {
  for (let at = hops.length; at <= zones; at++) {
    hops.push({ place: '', purchaseId, records: 0, unsettled: 0, copies: 0 });
  }
  return hops[zones]!;
}
