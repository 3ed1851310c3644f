import { describe, expect, test } from 'vitest';
import type { CreateZoneCommand, ZoneCommand } from '../../../ticket-sales/domain/command.ts';
import { decideZone } from '../../../ticket-sales/domain/decisions/decide-zone.ts';
import { CAPACITY_MAX, QUANTITY_MAX } from '../../../ticket-sales/domain/zone.ts';
import { PLAIN_TERMS } from '../../../ticket-sales/domain/zone-terms.ts';
import { NO_FACTS, PLACE, zoneWith } from './samples.ts';

const address = { eventId: 'gala', zoneId: 'floor' };

function create(properties: Partial<CreateZoneCommand> = {}): CreateZoneCommand {
  return {
    kind: 'createZone',
    ...address,
    capacity: 100,
    quantityMax: 10,
    price: null,
    terms: null,
    blockedSeats: [],
    ...properties,
  };
}

function changeCapacity(capacity: number): ZoneCommand {
  return { kind: 'changeCapacity', ...address, capacity };
}

describe('creating a zone', () => {
  test('opens it with its stock', () => {
    expect(decideZone(undefined, create(), PLACE, NO_FACTS)).toEqual({
      kind: 'changed',
      zone: zoneWith({ updatedAtMs: PLACE.nowMs, commandOffset: PLACE.offset }),
    });
  });

  test('again, unchanged, has no effect on what was sold', () => {
    expect(decideZone(zoneWith({ sold: 50 }), create(), PLACE, NO_FACTS)).toEqual({
      kind: 'unchanged',
    });
  });

  test.each([
    { capacity: 200 },
    { quantityMax: 5 },
    { price: { amountMinor: 1, currency: 'EUR' } },
  ])('again with %j is refused', (properties) => {
    expect(decideZone(zoneWith(), create(properties), PLACE, NO_FACTS)).toEqual({
      kind: 'refused',
      why: 'the zone exists with other properties',
    });
  });

  test.each([
    [{ capacity: -1 }, 'capacity must be'],
    [{ capacity: CAPACITY_MAX + 1 }, 'capacity must be'],
    [{ capacity: 1.5 }, 'capacity must be'],
    [{ quantityMax: 0 }, 'quantityMax must be'],
    [{ quantityMax: -1 }, 'quantityMax must be'],
    [{ quantityMax: QUANTITY_MAX + 1 }, 'quantityMax must be'],
    [{ price: { amountMinor: -1, currency: 'EUR' } }, 'price must be'],
    [{ price: { amountMinor: 2_000_000_000, currency: 'EUR' } }, 'price must be'],
    [{ price: { amountMinor: 1, currency: 'euro' } }, 'price must be'],
    [{ price: { amountMinor: 1, currency: '' } }, 'price must be'],
  ])('with %j is refused (T16)', (properties, why) => {
    expect(decideZone(undefined, create(properties), PLACE, NO_FACTS)).toEqual({
      kind: 'refused',
      why: expect.stringContaining(why),
    });
  });

  test.each([
    { capacity: 0 },
    { capacity: CAPACITY_MAX },
    { quantityMax: QUANTITY_MAX },
    { price: { amountMinor: 0, currency: 'EUR' } },
  ])('with %j is fine', (properties) => {
    expect(decideZone(undefined, create(properties), PLACE, NO_FACTS)).toMatchObject({
      kind: 'changed',
      zone: properties,
    });
  });
});

describe('changing a zone', () => {
  test('its capacity goes up, and down to what is held and sold', () => {
    const zone = zoneWith({ held: 5, sold: 50 });
    expect(decideZone(zone, changeCapacity(150), PLACE, NO_FACTS)).toMatchObject({
      zone: { capacity: 150, version: 2 },
    });
    expect(decideZone(zone, changeCapacity(55), PLACE, NO_FACTS)).toMatchObject({
      zone: { capacity: 55 },
    });
    expect(decideZone(zone, changeCapacity(54), PLACE, NO_FACTS)).toEqual({
      kind: 'refused',
      why: 'capacity 54 is below held and sold, 55',
    });
    expect(decideZone(zone, changeCapacity(100), PLACE, NO_FACTS)).toEqual({ kind: 'unchanged' });
    expect(decideZone(zone, changeCapacity(-1), PLACE, NO_FACTS)).toMatchObject({
      kind: 'refused',
    });
  });

  test('its sale closes and opens again', () => {
    const close: ZoneCommand = { kind: 'closeSale', ...address };
    const open: ZoneCommand = { kind: 'openSale', ...address };
    expect(decideZone(zoneWith(), close, PLACE, NO_FACTS)).toMatchObject({
      zone: { sale: 'closed', version: 2 },
    });
    expect(decideZone(zoneWith({ sale: 'closed' }), open, PLACE, NO_FACTS)).toMatchObject({
      zone: { sale: 'open' },
    });
    expect(decideZone(zoneWith(), open, PLACE, NO_FACTS)).toEqual({ kind: 'unchanged' });
    expect(decideZone(zoneWith({ sale: 'closed' }), close, PLACE, NO_FACTS)).toEqual({
      kind: 'unchanged',
    });
  });

  test.each<ZoneCommand>([
    changeCapacity(5),
    { kind: 'openSale', ...address },
    { kind: 'closeSale', ...address },
  ])('that does not exist is refused: %j', (command) => {
    expect(decideZone(undefined, command, PLACE, NO_FACTS)).toMatchObject({ kind: 'refused' });
  });
});

describe('the terms of a zone', () => {
  const price = { amountMinor: 1_000, currency: 'EUR' };
  const hold = { ...PLAIN_TERMS, checkout: 'hold', holdMs: 1_000 } as const;
  const tier = (fromSoldPermille: number, amountMinor = 1) => ({ fromSoldPermille, amountMinor });

  test.each([
    [{ ...hold, holdMs: 999 }, 'holdMs'],
    [{ ...hold, holdMs: 86_400_001 }, 'holdMs'],
    [{ ...hold, holdMs: 0 }, 'holdMs'],
    [{ ...PLAIN_TERMS, holdMs: 1 }, 'holdMs'],
    [{ ...hold, holdMs: 1_000.5 }, 'holdMs'],
    [{ ...hold, customerMax: -1 }, 'customerMax'],
    [{ ...hold, opensAtMs: 5, closesAtMs: 5 }, 'before it closes'],
    [{ ...hold, opensAtMs: -5 }, 'times'],
    [{ ...hold, fees: { perTicketMinor: -1, perPurchaseMinor: 0 } }, 'fees'],
    [{ ...hold, fees: { perTicketMinor: 0, perPurchaseMinor: 1_000_000_001 } }, 'fees'],
    [{ ...hold, tiers: [tier(0)] }, 'tiers must rise'],
    [{ ...hold, tiers: [tier(500), tier(500)] }, 'tiers must rise'],
    [{ ...hold, tiers: [tier(1_001)] }, 'tiers must rise'],
    [{ ...hold, tiers: [tier(1, -1)] }, "tier's price"],
    [{ ...hold, tiers: Array.from({ length: 101 }, (_, index) => tier(index + 1)) }, '100 tiers'],
    [{ ...hold, layout: { rows: 0, columns: 1 } }, 'layout'],
    [{ ...hold, layout: { rows: 401, columns: 250 } }, 'layout'],
  ])('are refused when they cannot be kept: %j', (terms, why) => {
    const decision = decideZone(undefined, create({ price, terms }), PLACE, NO_FACTS);
    expect(decision).toEqual({ kind: 'refused', why: expect.stringContaining(why) });
  });

  test.each([{ fees: { perTicketMinor: 1, perPurchaseMinor: 0 } }, { tiers: [tier(1)] }])(
    'that are about money need a price: %j',
    (terms) => {
      const command = create({ terms: { ...hold, ...terms } });
      expect(decideZone(undefined, command, PLACE, NO_FACTS)).toMatchObject({ kind: 'refused' });
    },
  );

  test('are kept when they are sound, and make another zone of it when they differ', () => {
    const terms = { ...hold, customerMax: 4, tiers: [tier(1), tier(1_000)] };
    const decision = decideZone(undefined, create({ price, terms }), PLACE, NO_FACTS);
    expect(decision).toMatchObject({ zone: { terms } });
    const zone = zoneWith({ price, terms });
    const again = { ...terms, tiers: [...terms.tiers] };
    expect(decideZone(zone, create({ price, terms: again }), PLACE, NO_FACTS)).toEqual({
      kind: 'unchanged',
    });
    const other = { ...terms, holdMs: 2_000 };
    expect(decideZone(zone, create({ price, terms: other }), PLACE, NO_FACTS)).toMatchObject({
      kind: 'refused',
    });
  });

  test.each([
    { percentOff: 101 },
    { percentOff: -1 },
    { amountOffMinor: -1 },
    { amountOffMinor: 1_000_000_001 },
    { usesMax: -1 },
    { code: 'no code' },
  ])('give out no voucher that cannot be: %j', (wrong) => {
    const sound = { code: 'HALF', percentOff: 50, amountOffMinor: 0, usesMax: 1 };
    const command = { kind: 'defineVoucher', ...address, ...sound, ...wrong } as const;
    expect(decideZone(zoneWith(), command, PLACE, NO_FACTS)).toMatchObject({ kind: 'refused' });
  });
});
