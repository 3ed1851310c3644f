/**
 * Any sequence of commands, with every kind of repetition and mistake, against what must hold after
 * each of them. The fold over outcomes is this test's own.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type {
  CancelCommand,
  PurchaseCommand,
  ZoneCommand,
} from '../../../ticket-sales/domain/command.ts';
import { decide } from '../../../ticket-sales/domain/decisions/decide.ts';
import { decideZone } from '../../../ticket-sales/domain/decisions/decide-zone.ts';
import type { Purchase } from '../../../ticket-sales/domain/purchase.ts';
import { available, type Zone, zoneKey } from '../../../ticket-sales/domain/zone.ts';
import { NO_FACTS } from './samples.ts';

const address = { eventId: fc.constant('gala'), zoneId: fc.constantFrom('floor', 'balcony') };
/** Few ids, so that they meet again: in the same zone, in another, with another body. */
const purchaseId = fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5', 'p6');

const command: fc.Arbitrary<PurchaseCommand | CancelCommand | ZoneCommand> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('purchase' as const),
      ...address,
      purchaseId,
      buyerId: fc.constantFrom('ada', 'bob'),
      quantity: fc.integer({ min: -1, max: 6 }),
      requestedAtMs: fc.nat(),
      options: fc.constant(null),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('cancel' as const), ...address, purchaseId }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('createZone' as const),
      ...address,
      capacity: fc.constantFrom(10, 10, 12, -1),
      quantityMax: fc.constant(5),
      price: fc.constant(null),
      terms: fc.constant(null),
      blockedSeats: fc.constant([]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('changeCapacity' as const),
      ...address,
      capacity: fc.integer({ min: -1, max: 15 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('openSale' as const, 'closeSale' as const),
      ...address,
    }),
  },
);

test('no sequence of commands oversells, changes an outcome, or loses a ticket', () => {
  const seen = { confirmed: 0, cancelled: 0, soldOut: 0, conflict: 0, repeated: 0, refused: 0 };
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 80, size: 'max' }), (commands) => {
      const zones = new Map<string, Zone>();
      const purchases = new Map<string, Purchase>();
      for (const [offset, each] of commands.entries()) {
        const before = { zones: new Map(zones), purchases: new Map(purchases) };
        const result = apply(each, { nowMs: offset * 10, offset }, zones, purchases);
        if (result in seen) seen[result as keyof typeof seen]++;
        check(each, offset, before, { zones, purchases });
      }
    }),
    // One seed, so that what must have been seen is seen every time.
    { numRuns: 3_000, seed: 20_261_121 },
  );
  for (const [what, count] of Object.entries(seen))
    expect([what, count > 100]).toEqual([what, true]);
});

interface World {
  readonly zones: ReadonlyMap<string, Zone>;
  readonly purchases: ReadonlyMap<string, Purchase>;
}

/** What the processor does with a decision. */
function apply(
  each: PurchaseCommand | CancelCommand | ZoneCommand,
  place: { nowMs: number; offset: number },
  zones: Map<string, Zone>,
  purchases: Map<string, Purchase>,
): string {
  const key = zoneKey(each.eventId, each.zoneId);
  const zone = zones.get(key);
  if (each.kind !== 'purchase' && each.kind !== 'cancel') {
    const decision = decideZone(zone, each, place, NO_FACTS);
    if (decision.kind === 'changed' && decision.zone !== undefined) zones.set(key, decision.zone);
    return decision.kind;
  }
  const previous = purchases.get(each.purchaseId);
  const decision = decide(zone, previous, each, place, NO_FACTS);
  if (decision.kind !== 'decided') return decision.kind;
  purchases.set(each.purchaseId, decision.purchase);
  if (decision.zone !== undefined) zones.set(key, decision.zone);
  const { state, reason } = decision.purchase;
  return reason === 'sold_out' ? 'soldOut' : state;
}

function check(
  each: PurchaseCommand | CancelCommand | ZoneCommand,
  offset: number,
  before: World,
  after: World,
): void {
  for (const [key, zone] of after.zones) {
    const old = before.zones.get(key);
    const confirmed = [...after.purchases.values()].filter(
      ({ state, eventId, zoneId }) => state === 'confirmed' && zoneKey(eventId, zoneId) === key,
    );
    // Invariant 1, and every sold ticket belongs to exactly one confirmed purchase.
    mustBe('oversold', available(zone) < 0, false);
    const sold = confirmed.reduce((sum, { quantity }) => sum + quantity, 0);
    mustBe('sold', zone.sold, sold);
    if (old === zone) continue;
    mustBe('zone', key, zoneKey(each.eventId, each.zoneId));
    mustBe('version', zone.version, (old?.version ?? 0) + 1);
    mustBe('offset', zone.commandOffset, offset);
  }
  for (const [id, purchase] of after.purchases) {
    const old = before.purchases.get(id);
    if (old === undefined || old === purchase) continue;
    // The only way that an outcome changes.
    expect([each.kind, old.state, purchase.state]).toEqual(['cancel', 'confirmed', 'cancelled']);
    expect({ ...purchase, state: 0, decidedAtMs: 0, commandOffset: 0 }).toEqual({
      ...old,
      state: 0,
      decidedAtMs: 0,
      commandOffset: 0,
    });
  }
  mustBe('forgotten', after.purchases.size < before.purchases.size, false);
}

/** As expect() does, but hundreds of thousands of times. */
function mustBe<T>(what: string, found: T, wanted: T): void {
  if (found !== wanted) expect([what, found]).toEqual([what, wanted]);
}
