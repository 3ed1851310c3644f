/**
 * I17-I20, I26: what was asked, as the load generator remembers it, against what the log holds.
 * Only purchases of events that the journal names are looked at: others have other askers.
 */
import type { Findings } from '../findings.ts';
import type { JournalEntry, JournalLine, ReadEntry } from '../journal.ts';
import type { PurchaseRecord } from '../records/sale-records.ts';

interface Asked {
  readonly line: number;
  readonly isAccepted: boolean;
  readonly isUnknown: boolean;
  readonly body: number | undefined;
  isInLog: boolean;
  isDecided: boolean;
  isEffective: boolean;
}

interface KeyUse {
  readonly body: number | undefined;
  /** Distinct ones: one, if all is well. */
  readonly purchaseIds: string[];
  isUnknown: boolean;
}

export class JournalCheck {
  readonly #findings: Findings;
  readonly #asked = new Map<string, Asked>();
  readonly #keys = new Map<string, KeyUse>();
  readonly #events = new Set<string>();
  /** Newest version by reader and key. */
  readonly #seen = new Map<string, Map<string, number>>();
  /** Commands that nobody here asked for, and the festival's producers may have; with their places. */
  readonly #strangers = new Map<string, string>();
  #line = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  line(entry: JournalLine): void {
    this.#line++;
    if ('reader' in entry) this.#read(entry);
    else this.#request(entry);
  }

  #read({ reader, key, version, isStale }: ReadEntry): void {
    if (isStale === true) return;
    this.#findings.checked('I19');
    let versions = this.#seen.get(reader);
    if (versions === undefined) {
      versions = new Map();
      this.#seen.set(reader, versions);
    }
    const newest = versions.get(key) ?? version;
    versions.set(key, Math.max(newest, version));
    if (version >= newest) return;
    const what = `${reader} sees version ${version} of ${key} after ${newest}`;
    this.#findings.violated('I19', `journal line ${this.#line}`, what);
  }

  #request(entry: JournalEntry): void {
    const line = this.#line;
    const { purchaseId, answer, eventId, idempotencyKey } = entry;
    if (eventId !== undefined) this.#events.add(eventId);
    if (idempotencyKey !== undefined) this.#useKey(entry, idempotencyKey, line);
    const before = this.#asked.get(purchaseId);
    this.#asked.set(purchaseId, {
      line: before?.line ?? line,
      isAccepted: before?.isAccepted === true || answer === 'accepted',
      isUnknown: before?.isUnknown === true || answer === 'unknown',
      body: before?.body ?? bodyOf(entry),
      isInLog: false,
      isDecided: false,
      isEffective: false,
    });
  }

  /**
   * A committed purchase command. `others`: it was asked for in another topic (by an order, through the
   * intake), or may have been (by the festival: only the end shows).
   */
  command(
    purchaseId: string,
    eventId: string,
    place: string,
    others: 'no' | 'maybe' | 'yes',
  ): void {
    const asked = this.#asked.get(purchaseId);
    if (asked === undefined) {
      if (others === 'yes' || !this.#events.has(eventId)) return;
      if (others === 'maybe') this.#strangers.set(purchaseId, place);
      else this.#nobodyAsked(purchaseId, place);
      return;
    }
    asked.isInLog = true;
    this.#findings.checked('I18');
    if (asked.isAccepted || asked.isUnknown) return;
    this.#findings.violated('I18', place, `${purchaseId} was refused, and is in the log`);
  }

  /** An announced outcome. */
  outcome(purchase: PurchaseRecord, place: string): void {
    const asked = this.#asked.get(purchase.purchaseId);
    if (asked === undefined) return;
    const isFirst = !asked.isDecided;
    asked.isDecided = true;
    if (purchase.state === 'confirmed') asked.isEffective = true;
    if (!isFirst || asked.body === undefined) return;
    this.#findings.checked('I20');
    if (asked.body === bodyOf(purchase)) return;
    const what = `${purchase.purchaseId} has another body than its first request`;
    this.#findings.violated('I20', place, what);
  }

  /** `others`: purchases that others asked for, in the topic itself. */
  end(others: ReadonlySet<string>): void {
    for (const [purchaseId, place] of this.#strangers) {
      if (!others.has(purchaseId)) this.#nobodyAsked(purchaseId, place);
    }
    for (const [purchaseId, asked] of this.#asked) this.#end(purchaseId, asked);
    for (const [key, { purchaseIds, isUnknown }] of this.#keys) {
      this.#findings.checked('I20');
      if (purchaseIds.length < 2) continue;
      const place = this.#placeOf(purchaseIds[1]!);
      const effective = purchaseIds.filter((id) => this.#asked.get(id)?.isEffective === true);
      if (!isUnknown)
        this.#findings.violated('I20', place, `${key} made ${purchaseIds.join(' and ')}`);
      else if (effective.length > 1) {
        const what = `an unknown answer ended as done twice: ${effective.join(' and ')}`;
        this.#findings.violated('I26', place, what);
      }
    }
  }

  #nobodyAsked(purchaseId: string, place: string): void {
    this.#findings.violated('I18', place, `nobody asked for ${purchaseId}`);
  }

  #end(purchaseId: string, asked: Asked): void {
    const place = this.#placeOf(purchaseId);
    if (asked.isUnknown) this.#findings.checked('I26');
    if (asked.isAccepted) {
      this.#findings.checked('I17');
      if (!asked.isInLog) {
        this.#findings.violated('I17', place, `${purchaseId} was accepted and is not in the log`);
      }
    } else if (asked.isUnknown) {
      if (asked.isInLog || !asked.isDecided) return;
      const what = `${purchaseId}, unknown, was decided without a command`;
      this.#findings.violated('I26', place, what);
    }
  }

  #useKey(entry: JournalEntry, idempotencyKey: string, line: number): void {
    const { purchaseId, answer, buyerId, eventId, zoneId } = entry;
    const key = JSON.stringify([buyerId, eventId, zoneId, idempotencyKey]);
    const use = this.#keys.get(key);
    if (use === undefined) {
      const isUnknown = answer === 'unknown';
      this.#keys.set(key, { body: bodyOf(entry), purchaseIds: [purchaseId], isUnknown });
      return;
    }
    use.isUnknown ||= answer === 'unknown';
    if (!use.purchaseIds.includes(purchaseId)) use.purchaseIds.push(purchaseId);
    if (use.body === bodyOf(entry) || answer !== 'accepted') return;
    const what = `${idempotencyKey} was accepted again with another body`;
    this.#findings.violated('I20', `journal line ${line}`, what);
  }

  #placeOf(purchaseId: string): string {
    return `journal line ${this.#asked.get(purchaseId)?.line}`;
  }
}

/** A number of 52 bits instead of the body: a million of them must be remembered. */
function bodyOf(body: Partial<PurchaseRecord>): number | undefined {
  const { eventId, zoneId, buyerId, quantity } = body;
  if (quantity === undefined) return undefined;
  const text = `${eventId}\n${zoneId}\n${buyerId}\n${quantity}`;
  let [left, right] = [0x811c9dc5, 0x1b873593];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    left = Math.imul(left ^ unit, 0x01000193);
    right = Math.imul(right ^ unit, 0x85ebca6b);
    right ^= right >>> 13;
  }
  return (left >>> 0) * 0x10_0000 + (right >>> 12);
}
