/**
 * I12 by contents: which commands' effects one transaction wrote, topic by topic of one task. A command
 * changes at most one purchase and one zone, so an offset of the input names an effect; a changelog
 * holds the last effect per key and transaction. Whatever the markers can tell (see transactions.ts),
 * this holds under transactions V1 too, where an epoch does not name one transaction.
 *
 * Memory: four numbers per transaction.
 */

import type { Findings } from '../findings.ts';
import type { CommittedLog, LogTransaction } from '../log/committed-log.ts';

interface Sealed {
  /** Of the transaction's first record in this topic. */
  readonly firstOffset: number;
  readonly count: number;
  readonly digest: number;
}

/** What the transactions of one topic's partition wrote, in their order. */
export class Manifest {
  readonly log: CommittedLog;
  readonly #sealed: Sealed[] = [];
  #transaction: LogTransaction | undefined;
  #count = 0;
  #digest = 0;
  #isWhole = true;

  constructor(log: CommittedLog) {
    this.log = log;
  }

  /** False when records are gone by compaction, or were written outside of transactions. */
  get isWhole(): boolean {
    return this.#isWhole && this.log.holes === 0;
  }

  /** The current record of the log shows the effect of the command at `inputOffset`. */
  effect(inputOffset: number): void {
    this.#enter();
    this.#count++;
    this.#digest += scatter(inputOffset);
  }

  /** An effect of the same transaction is replaced by a later one. */
  replaced(inputOffset: number): void {
    this.#count--;
    this.#digest -= scatter(inputOffset);
  }

  sealed(): readonly Sealed[] {
    this.#seal();
    return this.#sealed;
  }

  #enter(): void {
    const { transaction } = this.log;
    if (transaction === undefined) this.#isWhole = false;
    if (transaction === this.#transaction) return;
    this.#seal();
    this.#transaction = transaction;
  }

  #seal(): void {
    if (this.#count !== 0 && this.#transaction !== undefined) {
      const { firstOffset } = this.#transaction;
      this.#sealed.push({ firstOffset, count: this.#count, digest: this.#digest });
    }
    this.#count = 0;
    this.#digest = 0;
  }
}

/** Which of the outcomes' transactions decided a command: ranges of input offsets, ascending. */
export class DecidedRanges {
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];
  #transaction: LogTransaction | undefined;

  decided(inputOffset: number, transaction: LogTransaction | undefined): void {
    if (this.#firsts.length === 0 || transaction !== this.#transaction) {
      this.#transaction = transaction;
      this.#firsts.push(inputOffset);
      this.#lasts.push(inputOffset);
    } else this.#lasts[this.#lasts.length - 1] = inputOffset;
  }

  isInCurrent(inputOffset: number, transaction: LogTransaction | undefined): boolean {
    return transaction === this.#transaction && inputOffset >= (this.#firsts.at(-1) ?? Infinity);
  }

  /** True when it is certain that the earlier command was committed before the later one. */
  areApart(earlier: number, later: number): boolean {
    const index = this.#indexOf(earlier);
    if (index < 0 || earlier > this.#lasts[index]!) return false;
    return index < this.#indexOf(later);
  }

  /** The last range that begins at or before the offset; -1 = none. */
  #indexOf(inputOffset: number): number {
    let [low, high] = [0, this.#firsts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firsts[middle]! <= inputOffset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Both topics show the same effects: transaction by transaction, they must be the same ones. */
export function compareManifests(left: Manifest, right: Manifest, findings: Findings): void {
  if (!left.isWhole || !right.isWhole) return;
  const [lefts, rights] = [left.sealed(), right.sealed()];
  findings.checked('I12', Math.max(lefts.length, rights.length));
  for (let index = 0; index < Math.max(lefts.length, rights.length); index++) {
    const [ours, theirs] = [lefts[index], rights[index]];
    const isSame = ours?.count === theirs?.count && ours?.digest === theirs?.digest;
    if (isSame) continue;
    const place = theirs === undefined ? left.log : right.log;
    const offset = (theirs ?? ours)!.firstOffset;
    const told = `${ours?.count ?? 0} effects in ${left.log.topic} and ${theirs?.count ?? 0} in ${right.log.topic}`;
    const what = `the transaction number ${index} of this partition has ${told}, not the same ones`;
    findings.violated('I12', place.placeOf(offset), what);
    return;
  }
}

/** Sums of it tell sets of offsets apart. Exact: 32 bits times the effects of one transaction. */
function scatter(offset: number): number {
  const low = offset % 0x1_0000_0000;
  const mixed = Math.imul(low ^ (low >>> 15), 0x2c1b3c6d) ^ Math.floor(offset / 0x1_0000_0000);
  return (Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) >>> 0) + 1;
}
