/**
 * Counts the effects of the engine and of the broker's disk as they happen, and makes exactly one of
 * them fail: the n-th of one name, in one way. An effect has as many ways to fail as were offered when it
 * happened; so the list of all is made by a run in which nothing fails.
 */

/** What can go wrong with one effect, once. */
export interface Injection {
  /** What is done, by whom. */
  readonly effect: string;
  readonly fault: string;
  /** Which of those of that name: 1 = the first. */
  readonly nth: number;
}

export class Injector {
  /** By effect: how often it has happened. */
  readonly counts = new Map<string, number>();
  /** By effect: the ways in which it can fail. */
  readonly faults = new Map<string, ReadonlySet<string>>();
  readonly #injection: Injection | undefined;
  #isDone = false;

  constructor(injection?: Injection) {
    this.#injection = injection;
  }

  /** The effect that was asked for has come, and has failed. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** An effect is about to happen. Returns how it must fail; undefined: it must not. */
  meet(effect: string, faults: readonly string[]): string | undefined {
    const nth = (this.counts.get(effect) ?? 0) + 1;
    this.counts.set(effect, nth);
    const known = this.faults.get(effect);
    if (known === undefined || faults.some((fault) => !known.has(fault))) {
      this.faults.set(effect, new Set([...(known ?? []), ...faults]));
    }
    const wanted = this.#injection;
    if (wanted === undefined || wanted.effect !== effect || wanted.nth !== nth) return undefined;
    if (!faults.includes(wanted.fault)) return undefined;
    this.#isDone = true;
    return wanted.fault;
  }
}

/** The first and a later one of every effect, in every way in which it can fail. */
export function injectionsOf({ counts, faults }: Injector): Injection[] {
  return [...faults].sort(byName).flatMap(([effect, ways]) => {
    const count = counts.get(effect)!;
    const later = Math.ceil((count + 1) / 2);
    return [...ways].flatMap((fault) =>
      (later > 1 ? [1, later] : [1]).map((nth) => ({ effect, fault, nth })),
    );
  });
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
