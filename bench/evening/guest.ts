/**
 * One buyer at the evening: asks over HTTP, patiently while the sale is down, and then does what it
 * means to do. Every request can be repeated: the same key is the same purchase.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { answerOfStatus, type JournalWriter } from '../kit/journal-writer.ts';
import type { Bill, PaymentDesk } from './payment-desk.ts';
import type { EveningBuyer } from './programme.ts';

export interface GuestSurroundings {
  readonly httpUrl: string;
  readonly desk: PaymentDesk;
  readonly journal: JournalWriter;
  /** Apart from other evenings on the same Kafka. */
  readonly name: string;
  readonly holdMs: number;
  /** The evening is given up: nobody asks on. */
  readonly signal?: AbortSignal;
}

/** How it ended at the till, before holds ran out and money came back. */
export interface Visit {
  readonly buyer: EveningBuyer;
  readonly purchaseId: string | undefined;
  /** As the first answer said; undefined: refused with a 4xx that is no decision. */
  readonly state: string | undefined;
  /** Of a decision, else what was wrong with the request. */
  readonly reason: string;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const WAIT_SECONDS = 20;
const ATTEMPT_MS = 40_000;
const AGAIN_MS = 250;
/** After the hold's end and the grace that expiry has. */
const LATE_MS = 4_000;

export async function visit(buyer: EveningBuyer, around: GuestSurroundings): Promise<Visit> {
  const answer = await buy(buyer, around);
  const { purchaseId, state, reason } = answer.body as Record<string, string | undefined>;
  if (answer.status === 201 && purchaseId !== undefined) {
    if (state === 'held') await afterHold(buyer, purchaseId, answer.body, around);
    else if (buyer.intention === 'cancels-afterwards') await giveBack(purchaseId, around);
  }
  const isDecided = answer.status === 201 || reason !== undefined;
  const why = reason ?? JSON.stringify(answer.body['errors'] ?? answer.body['title'] ?? '');
  return { buyer, purchaseId, state: isDecided ? (state ?? 'rejected') : undefined, reason: why };
}

async function buy(buyer: EveningBuyer, around: GuestSurroundings) {
  const { eventId, zoneId } = buyer.zone;
  const idempotencyKey = `${around.name}-${buyer.number}`;
  const body = { eventId, zoneId, buyerId: buyer.buyerId, ...buyer.wish };
  const answered = around.journal.sent(
    {
      kind: 'purchase',
      purchaseId: idempotencyKey,
      ...{ eventId, zoneId, buyerId: buyer.buyerId, quantity: quantityOf(buyer) },
      requestedAtMs: Date.now(),
      options: null,
    },
    idempotencyKey,
  );
  const answer = await patiently(
    `${around.httpUrl}/v1/purchases`,
    'POST',
    body,
    { 'idempotency-key': idempotencyKey },
    around.signal,
  );
  const { purchaseId, reason } = answer.body as { purchaseId?: string; reason?: string };
  // A reason is a decision, whatever its status; without one a 4xx came before any command.
  if (reason !== undefined) answered('accepted', purchaseId);
  else answered(answerOfStatus(answer.status), purchaseId);
  return answer;
}

function quantityOf({ wish }: EveningBuyer): number {
  const { quantity, seats, bestAdjacent } = wish as {
    quantity?: number;
    seats?: readonly string[];
    bestAdjacent?: { quantity: number };
  };
  return quantity ?? seats?.length ?? bestAdjacent?.quantity ?? 0;
}

async function afterHold(
  buyer: EveningBuyer,
  purchaseId: string,
  body: Record<string, unknown>,
  around: GuestSurroundings,
): Promise<void> {
  const { desk, holdMs } = around;
  const { amountMinor, currency } = body['price'] as { amountMinor: number; currency: string };
  const { eventId, zoneId } = buyer.zone;
  const bill: Bill = { purchaseId, eventId, zoneId, amountMinor, currency };
  const payment = (attempt: string) => `${purchaseId}-${attempt}`;
  switch (buyer.intention) {
    case 'pays':
      return desk.capture(bill, payment('a'));
    case 'pays-twice':
      await desk.capture(bill, payment('a'));
      return desk.capture(bill, payment('b'));
    case 'repeats-its-payment':
      return desk.capture(bill, payment('a'), 3);
    case 'pays-a-wrong-amount-first':
      await desk.capture({ ...bill, amountMinor: amountMinor - 1 }, payment('wrong'));
      return desk.capture(bill, payment('a'));
    case 'is-declined':
      return desk.decline(bill, payment('a'));
    case 'walks-away':
      return;
    case 'pays-late':
      await sleep(holdMs + LATE_MS);
      return desk.capture(bill, payment('a'));
    case 'releases':
      return giveBack(purchaseId, around);
    case 'extends-and-pays':
      await sleep(holdMs / 2);
      await extend(purchaseId, around);
      await sleep(holdMs * 0.6);
      return desk.capture(bill, payment('a'));
    case 'cancels-afterwards':
      await desk.capture(bill, payment('a'));
      await sleep(1_000);
      return giveBack(purchaseId, around);
  }
}

async function extend(purchaseId: string, { httpUrl, signal }: GuestSurroundings): Promise<void> {
  const url = `${httpUrl}/v1/purchases/${purchaseId}/extension`;
  await patiently(url, 'POST', undefined, {}, signal);
}

async function giveBack(purchaseId: string, { httpUrl, signal }: GuestSurroundings): Promise<void> {
  await patiently(`${httpUrl}/v1/purchases/${purchaseId}`, 'DELETE', undefined, {}, signal);
}

/** Until there is an answer that is one: not while the sale is down, starting or unsure. Rejects when given up. */
export async function patiently(
  url: string,
  method: string,
  body: object | undefined,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Answer> {
  for (;;) {
    signal?.throwIfAborted();
    const answer = await attempt(url, method, body, headers);
    if (answer !== undefined && isAnswer(answer.status)) return answer;
    await sleep(AGAIN_MS * (0.5 + Math.random()));
  }
}

/** Not: undecided, too slow or too many for now, down. The same request is asked again then. */
function isAnswer(status: number): boolean {
  return status < 500 && status !== 202 && status !== 408 && status !== 429;
}

async function attempt(
  url: string,
  method: string,
  body: object | undefined,
  headers: Readonly<Record<string, string>>,
): Promise<Answer | undefined> {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        prefer: `wait=${WAIT_SECONDS}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  } catch {
    return undefined;
  }
}
