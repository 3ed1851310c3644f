/**
 * I10 for one partition: the last value per key of both changelogs equals what the fold holds at the
 * committed offset. Only keys whose last value is wrong so far are remembered.
 */
import type { CommittedLog } from '../committed-log.ts';
import type { AuditContext } from '../context.ts';
import type { SaleFold, ZoneState } from '../sale-fold.ts';
import { keyOf, type RecordReader, samePrice, type ZoneRecord } from '../sale-records.ts';
import { Manifest } from './manifests.ts';
import { differs } from './outcomes.ts';

interface Wrong {
  readonly offset: number;
  readonly what: string;
}

export function checkZoneChangelog(
  log: CommittedLog,
  fold: SaleFold,
  context: AuditContext,
): Promise<Manifest> {
  return checkChangelog(log, fold.zones, context, context.records.zone, differsZone);
}

export function checkPurchaseChangelog(
  log: CommittedLog,
  fold: SaleFold,
  context: AuditContext,
): Promise<Manifest> {
  return checkChangelog(log, fold.purchases, context, context.records.purchase, differs);
}

async function checkChangelog<
  State extends { isLogged: boolean },
  Found extends { readonly commandOffset: number },
>(
  log: CommittedLog,
  states: ReadonlyMap<string, State>,
  { findings }: AuditContext,
  reader: RecordReader<Found>,
  compare: (state: State, found: Found) => string | undefined,
): Promise<Manifest> {
  const manifest = new Manifest(log);
  const wrong = new Map<string, Wrong>();
  await log.read((record) => {
    const key = keyOf(record) ?? '';
    const state = states.get(key);
    const isTombstone = record.valueStart < 0;
    const found = reader.read(record);
    if (found !== undefined) manifest.effect(found.commandOffset);
    if (state !== undefined) state.isLogged = true;
    let what: string | undefined;
    if (state === undefined)
      what = isTombstone ? undefined : 'no such key follows from the commands';
    else if (found === undefined) what = isTombstone ? 'it was deleted' : 'its value is unreadable';
    else what = compare(state, found);
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

function differsZone(zone: ZoneState, found: ZoneRecord): string | undefined {
  const expected = { ...zone, held: 0, sale: zone.isOpen ? 'open' : 'closed' };
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
  'sale',
  'quantityMax',
  'updatedAtMs',
  'commandOffset',
  'eventId',
  'zoneId',
] as const;
