/** The house of the evening: opens its doors, receives the guests at their pace, closes the books. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate } from '../gate.ts';
import type { SaleClient } from '../sale-client.ts';
import { closeBooks, type EveningBooks, isSettled } from './books.ts';
import { type GuestSurroundings, patiently, type Visit, visit } from './guest.ts';
import { Ledger } from './ledger.ts';
import type { PaymentDesk } from './payment-desk.ts';
import type { Evening } from './programme.ts';

/** More than ever wait at once; a sale that is down makes them wait. */
const GUESTS_MAX = 4_000;

/** Defines events, zones and vouchers over HTTP. Rejects when one is refused. */
export async function openDoors(httpUrl: string, { events, zones }: Evening): Promise<void> {
  const put = async (path: string, body: object) => {
    const answer = await patiently(`${httpUrl}${path}`, 'PUT', body);
    if (answer.status >= 300) {
      throw new Error(`PUT ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  };
  for (const { eventId, name } of events) await put(`/v1/events/${eventId}`, { name });
  for (const { eventId, zoneId, body, voucher } of zones) {
    const path = `/v1/events/${eventId}/zones/${zoneId}`;
    await put(path, body);
    if (voucher === undefined) continue;
    await put(`${path}/vouchers/${voucher}`, { percentOff: 50, amountOffMinor: 0, usesMax: 100 });
  }
}

/** Lets the guests in, spread over `forMs`; resolves when each has done what it meant to do. */
export async function receive(
  { buyers }: Evening,
  around: GuestSurroundings,
  forMs: number,
  visits: Visit[],
): Promise<void> {
  const gate = new Gate(GUESTS_MAX);
  const beganMs = performance.now();
  for (const [index, buyer] of buyers.entries()) {
    const dueMs = beganMs + (index * forMs) / buyers.length;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    await gate.enter();
    gate.leaveAfter(visit(buyer, around).then((done) => visits.push(done)));
  }
  await gate.empty();
}

export interface SettlingEvening {
  readonly evening: Evening;
  readonly client: SaleClient;
  readonly desk: PaymentDesk;
  readonly around: Pick<GuestSurroundings, 'httpUrl'>;
}

/** The books once nothing is held any more and all money is back; with a problem when that takes longer. */
export async function settle(
  { evening, client, desk, around }: SettlingEvening,
  visits: readonly Visit[],
  withinMs: number,
): Promise<EveningBooks> {
  const deadlineMs = performance.now() + withinMs;
  const isTimeUp = () => performance.now() > deadlineMs;
  const ledger = await Ledger.open(client, evening);
  try {
    for (;;) {
      await ledger.readOn(isTimeUp);
      const { purchases } = ledger;
      const isOver = isSettled(purchases);
      if (isOver || isTimeUp()) {
        const books = await closeBooks(around.httpUrl, evening, purchases, visits, desk.books());
        const problems = isOver ? books.problems : ['not settled in time', ...books.problems];
        return { ...books, problems };
      }
    }
  } finally {
    await ledger.close();
  }
}
