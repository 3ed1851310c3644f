/**
 * What the audit found, rule by rule, and the verdict. A record is blamed once, for the most specific
 * rule that it breaks: checks ask in that order and stop at the first.
 */

export const RULES = {
  I0: 'the audit is valid: quiet, whole, and something was read',
  I1: 'capacity: 0 <= held + sold <= capacity, in every announced stock',
  I2: 'one live owner per seat',
  I3: 'conservation: available + held + sold = capacity, in every announced stock',
  I4: 'only legal changes of a purchase’s state',
  I5: 'at most one terminal outcome per purchase',
  I6: 'a repeated command gets the same answer and has no second effect',
  I7: 'each consumed command has exactly one outcome, each outcome its command',
  I8: 'order: outcomes in the order of commands, versions of a stock only grow',
  I9: 'announced outcomes and stock equal an independent fold over the commands',
  I10: 'the changelogs’ last values equal the fold at the committed offset',
  I11: 'each store is what its changelog says',
  I12: 'no torn transaction: committed in all its partitions or in none',
  I13: 'no aborted read: nothing comes of aborted records, and the broker hides exactly those',
  I14: 'fencing: nothing of an epoch is committed after a newer epoch',
  I15: 'payments: captured - refunded = price if confirmed, else 0; each asked for once',
  I16: 'expiry: no hold ends early or outlives its time, and what comes after it loses',
  I17: 'accepted = finished: each accepted request has its command and its outcome',
  I18: 'no ghosts: each command was asked for; what was refused is not in the log',
  I19: 'reads are monotone: no reader sees an older version after a newer one',
  I20: 'one idempotency key, one purchase, one body',
  I21: 'dead letters are whole: original bytes and unique coordinates',
  I22: 'nothing is both a dead letter and effective',
  I23: 'committed offsets never go back and never pass the end',
  I24: 'money: the price of an outcome is the zone’s when it was taken, to the minor unit',
  I25: 'liveness: no lag and no open transaction after the faults ended',
  I26: 'an unknown answer ends as done once or never',
  I27: 'orders: all lines or none; nothing is held or sold to an order that is over',
} as const;

export type Rule = keyof typeof RULES;

const JOURNAL_RULES: ReadonlySet<Rule> = new Set(['I17', 'I18', 'I19', 'I20', 'I26']);
/** Told in full; the others are counted. */
const TOLD_PER_RULE = 5;
/** A log this wrong proves nothing more by being read on. */
const VIOLATIONS_MAX = 10_000;

export interface Violation {
  readonly rule: Rule;
  /** `<topic>-<partition>@<offset>`, or the journal's line. */
  readonly place: string;
  readonly what: string;
}

export type RuleResult =
  | { readonly kind: 'held'; readonly checks: number }
  | { readonly kind: 'violated'; readonly count: number; readonly first: readonly Violation[] }
  /** Could have been checked, but this log had no case of it. */
  | { readonly kind: 'no-case' }
  /** It matters here, or might, and this audit cannot tell. */
  | { readonly kind: 'not-checked'; readonly why: string }
  /** It cannot be broken in this log: there are no records of that kind. */
  | { readonly kind: 'not-applicable'; readonly why: string };

export type Verdict = 'right' | 'violated' | 'not-valid';

export const EXIT_CODES: Readonly<Record<Verdict, number>> = {
  right: 0,
  violated: 1,
  'not-valid': 2,
};

export class Findings {
  readonly #checks = new Map<Rule, number>();
  readonly #violations = new Map<Rule, Violation[]>();
  readonly #counts = new Map<Rule, number>();
  readonly #unjudged = new Map<Rule, RuleResult>();
  readonly #invalid: string[] = [];
  #total = 0;

  /** Enough is enough: further reading would only count. */
  get isFull(): boolean {
    return this.#total >= VIOLATIONS_MAX;
  }

  /** Violations so far. */
  get total(): number {
    return this.#total;
  }

  get invalid(): readonly string[] {
    return this.#invalid;
  }

  checked(rule: Rule, count = 1): void {
    this.#checks.set(rule, (this.#checks.get(rule) ?? 0) + count);
  }

  /** Was there a case of it? */
  hasCase(rule: Rule): boolean {
    return this.#checks.has(rule) || this.#counts.has(rule);
  }

  violated(rule: Rule, place: string, what: string): void {
    this.#total++;
    this.#counts.set(rule, (this.#counts.get(rule) ?? 0) + 1);
    const told = this.#violations.get(rule) ?? [];
    if (told.length < TOLD_PER_RULE) this.#violations.set(rule, [...told, { rule, place, what }]);
  }

  /** The log was looked through: it has no records that the rule is about. */
  notApplicable(rule: Rule, why: string): void {
    this.#unjudged.set(rule, { kind: 'not-applicable', why });
  }

  notChecked(rule: Rule, why: string): void {
    this.#unjudged.set(rule, { kind: 'not-checked', why });
  }

  /** The audit proves nothing, because of this. */
  notValid(why: string): void {
    if (this.#invalid.length < VIOLATIONS_MAX) this.#invalid.push(why);
  }

  verdict(): Verdict {
    if (this.#invalid.length > 0) return 'not-valid';
    return this.#total > 0 ? 'violated' : 'right';
  }

  results(hasJournal: boolean): ReadonlyMap<Rule, RuleResult> {
    const rules = Object.keys(RULES) as Rule[];
    return new Map(rules.map((rule) => [rule, this.#result(rule, hasJournal)]));
  }

  #result(rule: Rule, hasJournal: boolean): RuleResult {
    const count = this.#counts.get(rule) ?? 0;
    if (count > 0) return { kind: 'violated', count, first: this.#violations.get(rule) ?? [] };
    const unjudged = this.#unjudged.get(rule);
    if (unjudged !== undefined) return unjudged;
    if (JOURNAL_RULES.has(rule) && !hasJournal) {
      return { kind: 'not-checked', why: 'no journal was given' };
    }
    if (rule === 'I0' && this.#invalid.length > 0) {
      return { kind: 'not-checked', why: 'the audit is not valid' };
    }
    const checks = this.#checks.get(rule) ?? 0;
    return checks === 0 ? { kind: 'no-case' } : { kind: 'held', checks };
  }
}
