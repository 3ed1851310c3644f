/**
 * I1, I3, I8, I9 and I12 for the announced stock of one partition's zones. An announcement may skip
 * versions (one per zone and commit); the one it names must be as the fold had it.
 */

import type { Findings } from '../findings.ts';
import type { LifeZone } from '../life/life-zone.ts';
import type { CommittedLog } from '../log/committed-log.ts';
import type { StockRecord } from '../records/sale-records.ts';
import type { SaleFold, ZoneState } from '../sale-fold.ts';
import { type DecidedRanges, Manifest } from './manifests.ts';

/** Numbers per unannounced version. */
const STRIDE = 6;
/** Of the command's offset among them. */
const OFFSET_AT = 4;

export class Stock {
  readonly #findings: Findings;
  readonly #fold: SaleFold;
  readonly #log: CommittedLog;
  readonly #announced = new Map<string, number>();
  #checks = 0;
  /** Versions that no record announces: offset of the first one's command, of the announced one's, and place. */
  readonly #skips: number[] = [];
  readonly manifest: Manifest;

  constructor(findings: Findings, fold: SaleFold, log: CommittedLog) {
    this.#findings = findings;
    this.#fold = fold;
    this.#log = log;
    this.manifest = new Manifest(log);
  }

  /** `life`: the zone, where its purchases are held and paid. */
  announced(stock: StockRecord, offset: number, life?: LifeZone): void {
    const key = `${stock.eventId}/${stock.zoneId}`;
    const place = this.#log.placeOf(offset);
    this.#checks++;
    const before = this.#announced.get(key) ?? 0;
    this.#announced.set(key, Math.max(before, stock.version));
    const zone = life === undefined ? this.#fold.zones.get(key) : undefined;
    const firstUnannounced = zone?.unannounced[OFFSET_AT] ?? stock.commandOffset;
    const passed = zone === undefined ? [] : passVersions(zone, stock.version);
    const taken = stock.held + stock.sold;
    const told = `${stock.available} available, ${stock.held} held, ${stock.sold} sold of ${stock.capacity}`;
    if (stock.available + taken !== stock.capacity) {
      this.#findings.violated('I3', place, `${key}: ${told}`);
    } else if (stock.held < 0 || stock.sold < 0 || taken > stock.capacity) {
      this.#findings.violated('I1', place, `${key}: ${told}`);
    } else if (stock.version <= before) {
      const what = `${key}: version ${stock.version} after ${before}`;
      this.#findings.violated('I8', place, what);
    } else if (life !== undefined) {
      const flaw = life.trail.announced(stock);
      if (flaw === undefined) this.manifest.effect(stockEffectOf(stock));
      else this.#findings.violated('I9', place, `${key}: ${flaw}`);
    } else if (!isAsFolded(stock, passed)) {
      const what = `${key}: version ${stock.version} is announced with ${told}, and should be ${inWords(passed)}`;
      this.#findings.violated('I9', place, what);
    } else {
      this.manifest.effect(stockEffectOf(stock));
      if (firstUnannounced === stock.commandOffset) return;
      this.#skips.push(firstUnannounced, stock.commandOffset, offset);
    }
  }

  /** Only what one transaction has changed again may stay unannounced (I12). */
  checkSkips(ranges: DecidedRanges): void {
    if (!this.manifest.isWhole) return;
    for (let at = 0; at < this.#skips.length; at += 3) {
      const [first, announced, offset] = this.#skips.slice(at, at + 3) as [number, number, number];
      if (!ranges.areApart(first, announced)) continue;
      const what = `the stock that the command at ${first} left was never announced, though an earlier transaction than that of ${announced} decided it`;
      this.#findings.violated('I12', this.#log.placeOf(offset), what);
    }
  }

  /** Every zone's last version must have been announced. */
  end(): void {
    for (const rule of ['I1', 'I3', 'I8', 'I9'] as const) {
      this.#findings.checked(rule, this.#checks);
    }
    for (const [key, zone] of this.#fold.zones) {
      if (zone.unannounced.length === 0 || this.#announced.get(key) === zone.version) continue;
      const what = `${key}: the stock of version ${zone.version} was never announced`;
      this.#findings.violated('I9', this.#log.placeOf(this.#log.lastOffset), what);
    }
  }
}

/** Forgets all versions up to this one, and returns it. */
function passVersions(zone: ZoneState, version: number): readonly number[] {
  const { unannounced } = zone;
  let at = 0;
  while (at < unannounced.length && unannounced[at]! < version) at += STRIDE;
  const isThere = unannounced[at] === version;
  const passed = unannounced.splice(0, isThere ? at + STRIDE : 0);
  if (!isThere) return [];
  zone.announced = passed.slice(at);
  return zone.announced;
}

/** Names a change of a zone's stock, the same in its announcement and in its changelog, also before the zone needed a life. */
export function stockEffectOf({
  version,
  commandOffset,
}: Pick<StockRecord, 'version' | 'commandOffset'>): number {
  return commandOffset + (version % VERSIONS) * 2 ** 32;
}

const VERSIONS = 2 ** 20;

function isAsFolded(stock: StockRecord, passed: readonly number[]): boolean {
  const [version, capacity, sold, timeMs, offset, revenueMinor] = passed;
  return (
    version === stock.version &&
    capacity === stock.capacity &&
    sold === stock.sold &&
    stock.held === 0 &&
    timeMs === stock.updatedAtMs &&
    offset === stock.commandOffset &&
    revenueMinor === stock.revenueMinor
  );
}

function inWords([version, capacity, sold, , offset]: readonly number[]): string {
  if (version === undefined) return 'no version at all';
  return `${sold} sold of ${capacity} by the command at ${offset}`;
}
