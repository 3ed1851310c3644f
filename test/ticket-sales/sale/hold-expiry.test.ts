/** How much of the end of holds is done at a time, with every clock in the test's hands. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { KeyValueStore } from '../../../stores/state-store.ts';
import { HOLDS_PER_COMMIT, HoldExpiry } from '../../../ticket-sales/sale/hold-expiry.ts';
import { holdKey } from '../../../ticket-sales/sale/sale-stores.ts';
import type { ProcessorContext, Punctuator } from '../../../topology/processor.ts';

/** When all holds of these tests end. */
const END_MS = 1_000_000;
const GRACE_MS = 1_000;

class Stage {
  readonly holds = new Set<string>();
  readonly ended: string[] = [];
  /** Whose purchases are held no more, though they were when the index was read. */
  readonly paid = new Set<string>();
  commitsWanted = 0;
  streamTimeMs = END_MS + GRACE_MS;
  monotonicMs = 0;
  /** What ending a hold takes. */
  workMs = 0;
  tickMs = 0;
  #punctuator: Punctuator | undefined;
  readonly expiry: HoldExpiry;

  constructor() {
    const context = {
      currentStreamTimeMs: () => this.streamTimeMs,
      currentMonotonicMs: () => this.monotonicMs,
      commit: () => {
        this.commitsWanted++;
      },
      schedule: (intervalMs: number, _type: string, punctuator: Punctuator) => {
        this.tickMs = intervalMs;
        this.#punctuator = punctuator;
        return {
          cancel: () => {
            if (this.#punctuator === punctuator) this.#punctuator = undefined;
          },
        };
      },
    };
    const holds = { range: (options: { from: string; limit: number }) => this.#range(options) };
    this.expiry = new HoldExpiry(
      context as unknown as ProcessorContext<never, never>,
      holds as unknown as KeyValueStore<string, string>,
      (purchaseId) => this.#end(purchaseId),
    );
  }

  add(count: number, endMs = END_MS, name = 'p'): void {
    for (let number = 0; number < count; number++) {
      const purchaseId = `${name}${String(number).padStart(5, '0')}`;
      this.holds.add(holdKey(endMs, purchaseId));
      this.expiry.added(endMs, purchaseId);
    }
  }

  async tick(): Promise<void> {
    await this.#punctuator?.(0);
  }

  /** With a commit after each: the next one may do as much again. */
  async ticks(count: number): Promise<void> {
    for (let done = 0; done < count; done++) {
      await this.tick();
      this.expiry.committing();
    }
  }

  /** What was ended since the last look. */
  endedNow(): number {
    return this.ended.splice(0).length;
  }

  async *#range({ from, limit }: { from: string; limit: number }) {
    const keys = [...this.holds].filter((key) => key >= from).sort();
    for (const key of keys.slice(0, limit)) yield [key, ''] as const;
  }

  #end(purchaseId: string): boolean {
    this.monotonicMs += this.workMs;
    for (const key of this.holds) if (key.endsWith(`/${purchaseId}`)) this.holds.delete(key);
    if (this.paid.has(purchaseId)) return false;
    this.ended.push(purchaseId);
    return true;
  }
}

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

describe('holds that end at the same time', () => {
  test('are ended until a tick has taken its time; the next one goes on', async () => {
    stage.add(100);
    stage.workMs = 0.2;
    const ended: number[] = [];
    while (stage.holds.size > 0) {
      await stage.ticks(1);
      ended.push(stage.endedNow());
    }
    // 4 ms are 20 of them, and the clock is looked at now and then only.
    expect(ended).toEqual([32, 32, 32, 4]);
  });

  test('take no more than some time of a transaction, though each tick takes a little', async () => {
    stage.add(200);
    stage.workMs = 0.2;
    const ended: number[] = [];
    for (let ticks = 0; ticks < 5; ticks++) {
      await stage.tick();
      ended.push(stage.endedNow());
    }
    expect([ended, stage.commitsWanted]).toEqual([[32, 32, 32, 32, 0], 1]);
    stage.expiry.committing();
    await stage.tick();
    expect(stage.endedNow()).toBe(32);
  });

  test('are ended by so many per transaction, where each tick would have time for more', async () => {
    stage.add(2 * HOLDS_PER_COMMIT + 1);
    await stage.tick();
    expect([stage.endedNow(), stage.commitsWanted]).toEqual([HOLDS_PER_COMMIT, 1]);
    await stage.tick();
    expect([stage.endedNow(), stage.commitsWanted]).toEqual([0, 1]);
    stage.expiry.committing();
    await stage.tick();
    expect([stage.endedNow(), stage.commitsWanted]).toEqual([HOLDS_PER_COMMIT, 2]);
    stage.expiry.committing();
    await stage.tick();
    expect([stage.endedNow(), stage.holds.size]).toEqual([1, 0]);
  });

  test('are looked after without a pause, and everybody else a few times a second', async () => {
    expect(stage.tickMs).toBe(250);
    stage.add(HOLDS_PER_COMMIT + 1);
    await stage.tick();
    expect(stage.tickMs).toBe(1);
    stage.expiry.committing();
    await stage.tick();
    await stage.tick();
    expect([stage.holds.size, stage.tickMs]).toEqual([0, 250]);
  });

  test('and were paid after they had been read ahead do not count, and hold up nobody', async () => {
    stage.add(HOLDS_PER_COMMIT);
    stage.workMs = 1;
    await stage.ticks(1);
    const before = stage.endedNow();
    stage.workMs = 0;
    for (const key of stage.holds) stage.paid.add(key.slice(key.indexOf('/') + 1));
    stage.add(5, END_MS + 1, 'q');
    stage.streamTimeMs += 1;
    await stage.ticks(3);
    expect([before < HOLDS_PER_COMMIT, stage.ended, stage.holds.size]).toEqual([
      true,
      ['q00000', 'q00001', 'q00002', 'q00003', 'q00004'],
      0,
    ]);
  });
});

describe('a hold', () => {
  test('that is added before those that were read ahead is found', async () => {
    stage.add(40);
    stage.workMs = 1;
    await stage.ticks(1);
    stage.add(1, END_MS - 500, 'early');
    stage.add(1, END_MS + 500, 'late');
    stage.streamTimeMs += 500;
    await stage.ticks(5);
    expect(stage.ended).toContain('early00000');
    expect(stage.ended).toContain('late00000');
    expect([stage.ended.length, stage.holds.size]).toEqual([42, 0]);
  });

  test('that was read ahead waits when partition time turns out to be less than was thought', async () => {
    stage.add(40);
    stage.workMs = 1;
    stage.streamTimeMs = END_MS - 10_000;
    await stage.tick();
    // No record came for a while; then one that had been on its way.
    stage.monotonicMs += 10_000 + GRACE_MS;
    await stage.ticks(1);
    const ended = stage.endedNow();
    expect([ended > 0, ended < 40]).toEqual([true, true]);
    stage.streamTimeMs = END_MS - 5_000;
    await stage.tick();
    expect(stage.endedNow()).toBe(0);
    stage.streamTimeMs = END_MS + GRACE_MS;
    await stage.ticks(3);
    expect([ended + stage.endedNow(), stage.holds.size]).toEqual([40, 0]);
  });

  test('is not ended before its grace is over', async () => {
    stage.add(1);
    stage.streamTimeMs = END_MS + GRACE_MS - 1;
    await stage.tick();
    expect(stage.endedNow()).toBe(0);
    stage.streamTimeMs += 1;
    await stage.tick();
    expect(stage.endedNow()).toBe(1);
  });
});
