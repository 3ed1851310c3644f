/** Payments that wait in one partition: how many, and what is left of them after a restart. */
import { expect, test } from 'vitest';
import { EarlyPayments } from '../../../ticket-sales/festival/early-payments.ts';
import type { FestivalPayment } from '../../../ticket-sales/festival/festival-records.ts';
import type { ProcessorContext, Punctuator } from '../../../topology/processor.ts';

const payment = (id: number): FestivalPayment => ({
  kind: 'festivalPayment',
  purchaseId: `7d8f3f0e-6a4e-4b6e-9b0a-${String(id).padStart(12, '0')}`,
  timestamp: 1,
  status: 'SUCCEEDED',
});

/** A life of the task over what is in `entries`. */
function openOver(entries: Map<string, unknown>, waitingMax: number) {
  let look: Punctuator = () => {};
  const rounds: FestivalPayment[] = [];
  const store = {
    put: (key: string, value: unknown) => entries.set(key, value),
    delete: (key: string) => entries.delete(key),
    range: async function* ({ from = '', limit = Infinity } = {}) {
      const keys = [...entries.keys()].sort().filter((key) => key >= from);
      for (const key of keys.slice(0, limit)) yield [key, entries.get(key)];
    },
  };
  const context = {
    getStateStore: () => store,
    schedule: (_: number, __: string, punctuator: Punctuator) => {
      look = punctuator;
    },
    currentSystemTimeMs: () => 1_000,
  } as unknown as ProcessorContext<never, never>;
  const early = new EarlyPayments(context, {
    waitMs: 60_000,
    waitingMax,
    anotherRound: ({ value }) => void rounds.push(value),
  });
  const keep = (id: number) => early.keep(payment(id), [], { timestampMs: 1_000, offset: id });
  return { keep, rounds, look: async (nowMs: number) => look(nowMs) };
}

test('payments beyond so many are refused, those of a former life counted', async () => {
  const entries = new Map<string, unknown>();
  const first = openOver(entries, 3);
  first.keep(1);
  first.keep(2);
  const second = openOver(entries, 3);
  await second.look(1_500);
  second.keep(3);
  expect(() => second.keep(4)).toThrow('too many payments wait');
  await second.look(2_000);
  expect(second.rounds).toEqual([payment(1), payment(2), payment(3)]);
  expect(entries.size).toBe(0);
  second.keep(4);
  expect(entries.size).toBe(1);
});

test('more than one look has time for go with the next ones, in the order of the log', async () => {
  const waiting = openOver(new Map(), 10_000);
  for (let id = 0; id < 1_200; id++) waiting.keep(id);
  await waiting.look(2_000);
  expect(waiting.rounds).toHaveLength(500);
  await waiting.look(2_500);
  await waiting.look(3_000);
  expect(waiting.rounds).toEqual(Array.from({ length: 1_200 }, (_, id) => payment(id)));
});
