/**
 * I2, I11, I15, I16: named seats, payments and holds. This auditor has no fold for them; whether that
 * matters is read from the log: either it has no such records, or what is there is told as not checked.
 */
import type { Findings, Rule } from '../findings.ts';
import type { SaleRecords } from '../sale-records.ts';

const JUDGED_STATES: ReadonlySet<string> = new Set(['confirmed', 'rejected', 'cancelled']);

export class Unjudged {
  readonly #states = new Map<string, number>();
  #outcomes = 0;
  #stocks = 0;
  #heldStocks = 0;
  #payments = 0;

  outcome(state: string): void {
    this.#outcomes++;
    if (JUDGED_STATES.has(state)) return;
    this.#states.set(state, (this.#states.get(state) ?? 0) + 1);
  }

  stock(held: number): void {
    this.#stocks++;
    if (held !== 0) this.#heldStocks++;
  }

  /** Records of the topics of payments and refunds. */
  payments(count: number): void {
    this.#payments += count;
  }

  end(findings: Findings, records: SaleRecords): void {
    const looked = `looked at ${this.#outcomes} outcomes and ${this.#stocks} stocks`;
    const seats = [...records.unread].filter((part) => /seat/i.test(part));
    const states = (...names: string[]) =>
      names.reduce((sum, name) => sum + (this.#states.get(name) ?? 0), 0);
    const tell = (rule: Rule, count: number, of: string, how = '') => {
      if (count === 0) findings.notApplicable(rule, `no such records: ${of} in none (${looked})`);
      else findings.notChecked(rule, `${count}${how} with ${of}, which this auditor cannot judge`);
    };
    tell('I2', seats.length, 'named seats', ` parts of schemas (${seats.join(', ')})`);
    const paid = this.#payments + states('payment_failed', 'refunded');
    tell('I15', paid, 'a payment or refund', ' records');
    const held = this.#heldStocks + states('held', 'expired', 'released');
    tell('I16', held, 'a hold or its end', ' records');
    findings.notChecked(
      'I11',
      'topics do not show the stores; I10 holds their changelogs to the fold',
    );
  }
}
