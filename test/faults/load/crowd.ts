/** Those who buy in a scenario, and how they are judged at its end. */

import type { Sale, SaleClient } from '../../../bench/sale-client.ts';
import { isProven, proveSale } from '../../../bench/sale-proof.ts';
import { type Evidence, expect } from '../scenario.ts';
import type { Load } from './load.ts';

export interface Judgement {
  readonly asked: number;
  /** Tickets. */
  readonly sold: number;
  readonly evidence: Evidence;
}

export interface Crowd {
  /** Waits until all of them are through; rejects with what is wrong then. */
  judge(): Promise<Judgement>;
  /** After a failure: nothing of it goes on. */
  abandon(): void;
}

/** A rush: one kind of purchase, proven from the topics alone. */
export function rushCrowd(load: Load, client: SaleClient, sale: Sale): Crowd {
  return {
    judge: async () => {
      await load.drained();
      const proof = await proveSale(client, sale);
      if (!isProven(proof)) throw new Error(`the sale is not proven: ${JSON.stringify(proof)}`);
      expect(proof.asked === load.asked, `${load.asked} asked, not ${proof.asked}`);
      return { asked: proof.asked, sold: proof.sold, evidence: { repeated: load.repeated } };
    },
    abandon: () => load.abandon(),
  };
}

/** Until it holds. Rejects when nothing counted by `progress` has moved for `stuckAfterMs`. */
export async function untilStuck(
  what: string,
  holds: () => boolean,
  progress: () => number,
  stuckAfterMs: number,
): Promise<void> {
  let before = progress();
  let sinceMs = performance.now();
  while (!holds()) {
    if (progress() !== before) [before, sinceMs] = [progress(), performance.now()];
    if (performance.now() - sinceMs > stuckAfterMs) throw new Error(`stuck waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
