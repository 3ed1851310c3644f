/**
 * I10 for one partition: the last value per key of both changelogs equals what the fold holds at the
 * committed offset. Only keys whose last value is wrong so far are remembered.
 */

import type { AuditContext } from '../context.ts';
import { differsInLife, effectOf } from '../life/judging/differences.ts';
import type { LifeAudit } from '../life/life-audit.ts';
import { type LifePurchase, LifeZone } from '../life/life-zone.ts';
import type { CommittedLog } from '../log/committed-log.ts';
import { keyOf, type RecordReader } from '../records/record-reader.ts';
import { type PurchaseRecord, samePrice, type ZoneRecord } from '../records/sale-records.ts';
import type { PurchaseState, SaleFold, ZoneState } from '../sale-fold.ts';
import { Manifest } from './manifests.ts';
import { differs } from './outcomes.ts';
import { stockEffectOf } from './stock.ts';

interface Wrong {
  readonly offset: number;
  readonly what: string;
}

export function checkZoneChangelog(
  log: CommittedLog,
  fold: SaleFold,
  life: LifeAudit,
  context: AuditContext,
): Promise<Manifest> {
  return checkChangelog(log, all(fold.zones, life.zones), context, context.records.zone, {
    differs: differsZone,
    effectOf: stockEffectOf,
  });
}

export function checkPurchaseChangelog(
  log: CommittedLog,
  fold: SaleFold,
  life: LifeAudit,
  context: AuditContext,
): Promise<Manifest> {
  const states = all(fold.purchases, life.purchases);
  return checkChangelog(log, states, context, context.records.purchase, {
    differs: differsPurchase,
    effectOf,
  });
}

function differsPurchase(state: PurchaseState | LifePurchase, found: PurchaseRecord) {
  return 'record' in state ? differsInLife(state.record, found) : differs(state, found);
}

/** Hardly ever are there both. */
function all<One, Other>(
  some: ReadonlyMap<string, One>,
  others: ReadonlyMap<string, Other>,
): ReadonlyMap<string, One | Other> {
  if (others.size === 0) return some;
  return some.size === 0 ? others : new Map<string, One | Other>([...some, ...others]);
}

interface Comparison<State, Found> {
  differs(state: State, found: Found): string | undefined;
  effectOf(found: Found): number;
}

async function checkChangelog<State extends { isLogged: boolean }, Found>(
  log: CommittedLog,
  states: ReadonlyMap<string, State>,
  { findings }: AuditContext,
  reader: RecordReader<Found>,
  comparison: Comparison<State, Found>,
): Promise<Manifest> {
  const manifest = new Manifest(log);
  const wrong = new Map<string, Wrong>();
  await log.read((record) => {
    const key = keyOf(record) ?? '';
    const state = states.get(key);
    const isTombstone = record.valueStart < 0;
    const found = reader.read(record);
    if (found !== undefined) manifest.effect(comparison.effectOf(found));
    if (state !== undefined) state.isLogged = true;
    let what: string | undefined;
    if (state === undefined)
      what = isTombstone ? undefined : 'no such key follows from the commands';
    else if (found === undefined) what = isTombstone ? 'it was deleted' : 'its value is unreadable';
    else what = comparison.differs(state, found);
    if (what !== undefined) wrong.set(key, { offset: record.offset, what });
    else if (wrong.size > 0) wrong.delete(key);
    return 'next';
  });
  findings.checked('I10', states.size);
  for (const [key, { offset, what }] of wrong) {
    findings.violated('I10', log.placeOf(offset), `${key}: ${what}`);
  }
  for (const [key, { isLogged }] of states) {
    if (isLogged) continue;
    findings.violated('I10', log.placeOf(log.lastOffset), `${key} is not in the changelog`);
  }
  return manifest;
}

function differsZone(zone: ZoneState | LifeZone, found: ZoneRecord): string | undefined {
  const isLife = zone instanceof LifeZone;
  // Time is only told by what has a place in the log.
  const time = isLife ? { updatedAtMs: found.updatedAtMs } : { updatedAtMs: zone.updatedAtMs };
  const { eventId, zoneId, version, capacity, sold, revenueMinor, sale, quantityMax } = zone;
  const { commandOffset } = zone;
  const expected = {
    ...{ eventId, zoneId, version, capacity, sold, revenueMinor, sale, quantityMax },
    ...{ commandOffset, held: isLife ? zone.held : 0 },
    ...time,
  };
  for (const field of ZONE_FIELDS) {
    if (expected[field] === found[field]) continue;
    return `${field} is ${found[field]}, and should be ${expected[field]}`;
  }
  return samePrice(zone.price, found.price) ? undefined : 'another price';
}

const ZONE_FIELDS = [
  'version',
  'capacity',
  'sold',
  'held',
  'revenueMinor',
  'sale',
  'quantityMax',
  'updatedAtMs',
  'commandOffset',
  'eventId',
  'zoneId',
] as const;
