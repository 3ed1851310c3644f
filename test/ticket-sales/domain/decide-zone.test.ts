import { describe, expect, test } from 'vitest';
import type { CreateZoneCommand, ZoneCommand } from '../../../ticket-sales/domain/command.ts';
import { decideZone } from '../../../ticket-sales/domain/decide-zone.ts';
import { CAPACITY_MAX, QUANTITY_MAX } from '../../../ticket-sales/domain/zone.ts';
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
