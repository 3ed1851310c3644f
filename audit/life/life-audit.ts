/**
 * Zones whose purchases are held and paid, in one partition. Commands and payments lie in two logs, and
 * holds end in none: in which order they were decided only the announced outcomes say. So each outcome is
 * explained: by the next command, by the next payment, or by time, as it would have to look then.
 *
 * A1. What explains it exactly, has been its cause. Where nothing does, it is blamed on what comes next
 *     for its purchase, and the fold goes on with what should have been.
 * A2. Where a command and a payment explain it alike, both only have told again what was known. Which
 *     came first their times say; where these are the same, the other order is allowed, too (retold.ts).
 * A3. That a hold ended is the sale's to say; that it had to have come is checked (I16).
 */
import type { Findings } from '../findings.ts';
import type { PurchaseRecord } from '../records/sale-records.ts';
import { differsInLife } from './judging/differences.ts';
import { type Explanation, Explanations } from './judging/explain.ts';
import { type Announcement, Judge } from './judging/judge.ts';
import { Retold } from './judging/retold.ts';
import { keyOf, LifeState } from './life-state.ts';
import { type LifePurchase, LifeZone, type ZoneFacts } from './life-zone.ts';
import type { Money } from './money.ts';
import { CommandQueue, type LifeCommand } from './queues/command-queue.ts';
import { PaymentQueue, type QueuedPayment } from './queues/payment-queue.ts';

export interface LifeContext {
  readonly findings: Findings;
  readonly commandPlace: (offset: number) => string;
  readonly money: Money;
  /** Of this partition, in log order. */
  readonly payments: readonly QueuedPayment[];
}

const QUEUE_MAX = 4_096;
const WINDOW = 1_024;
/** So long after its end a hold may be found alive. */
const GRACE_MS = 5_000;

export class LifeAudit {
  readonly #context: LifeContext;
  readonly #state = new LifeState();
  readonly #keys = new Set<string>();
  readonly #commands: CommandQueue;
  readonly #payments: PaymentQueue;
  readonly #explanations: Explanations;
  readonly #judge: Judge;
  readonly #retold: Retold;

  constructor(context: LifeContext) {
    const { findings, money, payments } = context;
    const state = this.#state;
    this.#context = context;
    this.#commands = new CommandQueue(context, state);
    this.#payments = new PaymentQueue(payments, findings, money, state);
    this.#explanations = new Explanations(state, this.#commands, this.#payments);
    this.#judge = new Judge(findings, state);
    this.#retold = new Retold(state, this.#payments);
    // Whoever is paid is followed here from the first command on.
    for (const queued of payments) if (queued.kind === 'own') this.#keys.add(keyOf(queued.payment));
  }

  get zones(): ReadonlyMap<string, LifeZone> {
    return this.#state.zones;
  }

  get purchases(): ReadonlyMap<string, LifePurchase> {
    return this.#state.purchases;
  }

  /** All commands up to here have been followed; undefined = all that came. */
  get followedOffset(): number | undefined {
    const { first } = this.#commands;
    return first === undefined ? undefined : first.offset - 1;
  }

  /** True when outcomes should be read before more commands are. */
  get isFarAhead(): boolean {
    return this.#commands.length > QUEUE_MAX;
  }

  get isAhead(): boolean {
    return this.#commands.length > WINDOW;
  }

  /** No zone is followed here so far. */
  get isIdle(): boolean {
    return this.#keys.size === 0;
  }

  isOurs(key: string): boolean {
    return this.#keys.has(key);
  }

  /** A purchase that is known here, or will be when the commands that wait are followed. */
  knows(purchaseId: string): boolean {
    return this.#state.purchases.has(purchaseId) || this.#commands.wasAskedFor(purchaseId);
  }

  /** From now on this zone is followed here; `facts`: undefined = there is none yet. */
  own(key: string, facts: ZoneFacts | undefined, purchases: Iterable<PurchaseRecord>): void {
    this.#keys.add(key);
    if (facts !== undefined) this.#state.zones.set(key, new LifeZone(facts));
    for (const record of purchases) {
      this.#state.purchases.set(record.purchaseId, newPurchase(record, '', undefined, 0));
    }
  }

  command(command: LifeCommand): void {
    this.#commands.push(command);
  }

  announced(found: PurchaseRecord, at: Announcement): { readonly isRepeat: boolean } | undefined {
    this.settle();
    let explanations = this.#explanations.of(found);
    let exact = this.#exactOf(explanations, found, at);
    if (exact === undefined && this.#retold.correct(() => this.settle())) {
      explanations = this.#explanations.of(found);
      exact = this.#exactOf(explanations, found, at);
    }
    if (exact === undefined && this.#retold.takesOwed(found)) return REPEATED;
    const explanation = exact ?? explanations[0] ?? this.#later(found);
    if (explanation === undefined) {
      this.#judge.surplus(found, at.place);
      return undefined;
    }
    explanation.take();
    const isRight = this.#judge.compare(explanation, found, at);
    this.#carryOver(explanation, at);
    return isRight ? explanation.prediction : undefined;
  }

  /** Whatever comes before the next outcome and has none: operators' commands, dead letters, nobody's money. */
  settle(): void {
    this.#commands.settle();
    this.#payments.settle();
  }

  end(isSettled: boolean): void {
    this.settle();
    this.#retold.correct(() => this.settle());
    this.#commands.end();
    this.#payments.end();
    for (const { record, place } of this.#state.purchases.values()) {
      const { state, checkout, price } = record;
      if (checkout === null) continue;
      const untilMs = isSettled ? checkout.heldUntilMs + GRACE_MS : Infinity;
      if (state === 'held') this.#judge.stillHeld(record, place, untilMs);
      const owedMinor = state === 'confirmed' ? (price?.amountMinor ?? 0) : 0;
      this.#context.money.left(record, owedMinor, place);
    }
    this.#judge.end();
  }

  #exactOf(
    explanations: readonly Explanation[],
    found: PurchaseRecord,
    { timeMs }: Announcement,
  ): Explanation | undefined {
    const exact = explanations.filter(
      ({ prediction }) => differsInLife(prediction.purchase, found) === undefined,
    );
    const best = exact.find((each) => each.timeMs === timeMs) ?? exact[0];
    if (exact.length > 1 && best?.commandOffset !== undefined) {
      this.#retold.tookCommand(found.purchaseId);
    }
    return best;
  }

  /** A command further on: what lies before it has no outcome, or had it too late. */
  #later(found: PurchaseRecord): Explanation | undefined {
    return this.#commands.passUntil(found.purchaseId)
      ? this.#explanations.byCommand(found)
      : undefined;
  }

  #carryOver({ prediction, commandOffset }: Explanation, at: Announcement): void {
    const { purchase, isRepeat, refund } = prediction;
    const { zones, purchases, paymentCount } = this.#state;
    const { money } = this.#context;
    const before = purchases.get(purchase.purchaseId);
    if (refund !== undefined) money.owes(purchase, refund);
    if (isRepeat && before !== undefined) return;
    const zone = zones.get(keyOf(purchase));
    zone?.moved(before?.record, purchase, commandOffset, at.place);
    if (purchase.state === 'held' && before === undefined) money.held(purchase, at.place);
    const next = newPurchase(purchase, at.place, at.transaction, paymentCount);
    const isSelf = purchase.state === 'expired' && commandOffset === undefined;
    purchases.set(purchase.purchaseId, {
      ...next,
      paymentsBefore: before?.paymentsBefore ?? next.paymentsBefore,
      hasEndedByItself: isSelf || (before?.hasEndedByItself ?? false),
    });
  }
}

const REPEATED = { isRepeat: true } as const;

function newPurchase(
  record: PurchaseRecord,
  place: string,
  transaction: object | undefined,
  paymentsBefore: number,
): LifePurchase {
  return { record, place, transaction, paymentsBefore, hasEndedByItself: false, isLogged: false };
}
