import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../base/manual-clock.ts';
import type { RouteRequest } from '../../interactive-queries/http/route.ts';
import { avroSerde } from '../../schemas/avro-serde.ts';
import { DecisionWaiters } from '../../ticket-sales/decision-waiters.ts';
import type { Purchase } from '../../ticket-sales/domain/purchase.ts';
import { type Outcome, ticketSerdes } from '../../ticket-sales/records.ts';
import { settle } from '../kit/drive.ts';
import { purchaseWith } from './domain/samples.ts';
import { statusNotice } from './http/status-notice.ts';

const registry = { register: async () => 7, schemaById: async () => 'string' };
const { purchase: statusSerde, outcome: outcomeSerde } = ticketSerdes(registry);
for (const serde of [statusSerde, outcomeSerde]) {
  await serde.prepare?.('purchaseStatusUpdated', 'value');
}

let clock: ManualClock;
let outcomes: Outcome[];
let waiters: DecisionWaiters;

beforeEach(() => {
  clock = new ManualClock();
  outcomes = [];
  waiters = new DecisionWaiters({
    statusSerde,
    outcomeSerde,
    clock,
    onOutcome: (purchase) => outcomes.push(purchase),
    waitersMax: 3,
    pendingMax: 2,
  });
});

const never: Pick<RouteRequest, 'whenGone'> = { whenGone: () => () => {} };
const id = (number: number) => `${number}1111111-2222-8333-8444-555555555555`;

describe('waiting for a decision', () => {
  test('ends with the purchase as it was committed', async () => {
    const waiting = waiters.wait(id(1), 1_000, never);
    const decided = purchaseWith({ purchaseId: id(1), price: { amountMinor: 5, currency: 'EUR' } });
    waiters.onCommitted(statusNotice(statusSerde, [purchaseWith({ purchaseId: id(2) }), decided]));
    expect(JSON.parse(JSON.stringify(await waiting))).toEqual(decided);
    expect(waiters.waiterCount).toBe(0);
  });

  test('ends for everybody when it is given up', async () => {
    const waiting = [1, 2].map((number) => waiters.wait(id(number), 60_000, never));
    waiters.giveUp();
    expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
    expect(waiters.waiterCount).toBe(0);
  });

  test('wakes everybody who waits for the same purchase', async () => {
    const waiting = [waiters.wait(id(1), 1_000, never), waiters.wait(id(1), 1_000, never)];
    waiters.onCommitted(statusNotice(statusSerde, [purchaseWith({ purchaseId: id(1) })]));
    expect((await Promise.all(waiting)).map((purchase) => purchase?.state)).toEqual([
      'confirmed',
      'confirmed',
    ]);
  });

  test('takes every batch and every record of a commit', async () => {
    const waiting = [1, 2, 3].map((number) => waiters.wait(id(number), 1_000, never));
    waiters.onCommitted(
      statusNotice(
        statusSerde,
        [purchaseWith({ purchaseId: id(1) }), purchaseWith({ purchaseId: id(2) })],
        [purchaseWith({ purchaseId: id(3) })],
      ),
    );
    expect((await Promise.all(waiting)).map((purchase) => purchase?.purchaseId)).toEqual(
      [1, 2, 3].map(id),
    );
    expect(outcomes).toHaveLength(3);
  });

  test('ends with nothing after its time', async () => {
    const waiting = waiters.wait(id(1), 1_000, never);
    clock.advance(999);
    await settle();
    expect(waiters.waiterCount).toBe(1);
    clock.advance(1);
    expect(await waiting).toBeUndefined();
    expect(waiters.waiterCount).toBe(0);
  });

  test('ends with nothing when the client leaves, or has left', async () => {
    const listeners: (() => void)[] = [];
    const client = (whenGone: (listener: () => void) => void) => ({
      whenGone: (listener: () => void) => {
        whenGone(listener);
        return () => listeners.splice(0);
      },
    });
    const waiting = waiters.wait(
      id(1),
      1_000,
      client((listener) => listeners.push(listener)),
    );
    listeners[0]!();
    expect(await waiting).toBeUndefined();
    expect(listeners).toEqual([]);
    expect(await waiters.wait(id(1), 1_000, client(queueMicrotask))).toBeUndefined();
    expect([waiters.waiterCount, clock.nextTimerInMs()]).toEqual([0, undefined]);
  });

  test('is refused beyond the bound, also for one purchase', async () => {
    const waiting = [1, 1, 1].map((number) => waiters.wait(id(number), 1_000, never));
    expect(await waiters.wait(id(1), 1_000, never)).toBeUndefined();
    expect(waiters.waiterCount).toBe(3);
    clock.advance(1_000);
    await Promise.all(waiting);
    expect(waiters.waiterCount).toBe(0);
  });
});

describe('what was accepted', () => {
  test('is pending until it is decided', () => {
    const pending = purchaseWith({ purchaseId: id(1), state: 'requested' });
    waiters.expect(pending);
    expect(waiters.undecided(id(1))).toBe(pending);
    waiters.onCommitted(statusNotice(statusSerde, [purchaseWith({ purchaseId: id(1) })]));
    expect(waiters.undecided(id(1))).toBeUndefined();
    expect(waiters.pendingCount).toBe(0);
  });

  test('is forgotten when it was not accepted after all', () => {
    waiters.expect(purchaseWith({ purchaseId: id(1) }));
    waiters.forget(id(1));
    expect(waiters.undecided(id(1))).toBeUndefined();
  });

  test('is bounded: the oldest are forgotten first', () => {
    for (const number of [1, 2, 3]) waiters.expect(purchaseWith({ purchaseId: id(number) }));
    expect([1, 2, 3].map((number) => waiters.undecided(id(number)) !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
    expect(waiters.pendingCount).toBe(2);
  });
});

test.each([0, 1])('every outcome is told once, waited for or not, while %i wait', (count) => {
  for (let number = 0; number < count; number++) void waiters.wait(id(2), 1_000, never);
  waiters.onCommitted(
    statusNotice(statusSerde, [
      purchaseWith({ purchaseId: id(1) }),
      purchaseWith({ purchaseId: id(2), state: 'rejected', reason: 'sold_out' }),
    ]),
  );
  expect(outcomes.map(({ state, reason }) => [state, reason])).toEqual([
    ['confirmed', 'none'],
    ['rejected', 'sold_out'],
  ]);
});

test('a record that cannot be read keeps nobody else from waking', async () => {
  const stranger = avroSerde<Purchase>({
    schema: 'string' as never,
    registry: { ...registry, register: async () => 99 },
  });
  await stranger.prepare?.('x', 'value');
  const waiting = waiters.wait(id(1), 1_000, never);
  const odd = {
    ...stranger,
    encode: (_: Purchase, target: Buffer, at: number) => stranger.encode('x' as never, target, at),
  };
  waiters.onCommitted(statusNotice(odd, [purchaseWith({ purchaseId: id(2) })]));
  waiters.onCommitted(statusNotice(statusSerde, [purchaseWith({ purchaseId: id(1) })]));
  expect((await waiting)?.purchaseId).toBe(id(1));
});
