/**
 * Which leader epoch began at which offset. One broker leads for ever, but its epoch grows with every
 * unclean start, so that a client can tell when the log was cut behind its back (KIP-320).
 */
import { Errors } from '../../kafka/protocol/error-codes.ts';
import type { ErrorCodeNumber } from '../ports.ts';

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

export const UNDEFINED_EPOCH = -1;

/** 0, or what a client is told that believes in another leader epoch than ours; -1 is not checked. */
export function compareLeaderEpoch(clients: number, ours: number): ErrorCodeNumber {
  if (clients === UNDEFINED_EPOCH || clients === ours) return Errors.NONE;
  return clients < ours ? Errors.FENCED_LEADER_EPOCH : Errors.UNKNOWN_LEADER_EPOCH;
}

export class LeaderEpochs {
  #starts: EpochStart[] = [];

  get latest(): number {
    return this.#starts.at(-1)?.epoch ?? UNDEFINED_EPOCH;
  }

  /** `epoch` leads from `startOffset` on; no news when it is known already. */
  assign(epoch: number, startOffset: number): void {
    if (epoch <= this.latest) return;
    // An epoch that wrote nothing leaves no trace.
    while ((this.#starts.at(-1)?.startOffset ?? -1) >= startOffset) this.#starts.pop();
    this.#starts.push({ epoch, startOffset });
  }

  /** The largest epoch <= the given one and where it ends; -1 and -1 when that is not known. */
  endOffsetFor(
    epoch: number,
    logEndOffset: number,
  ): { readonly leaderEpoch: number; readonly endOffset: number } {
    if (epoch === UNDEFINED_EPOCH || epoch > this.latest) {
      return { leaderEpoch: UNDEFINED_EPOCH, endOffset: -1 };
    }
    if (epoch === this.latest) return { leaderEpoch: epoch, endOffset: logEndOffset };
    const above = this.#starts.findIndex((start) => start.epoch > epoch);
    const floor = this.#starts[above - 1]?.epoch ?? epoch;
    return { leaderEpoch: floor, endOffset: this.#starts[above]!.startOffset };
  }

  reset(): void {
    this.#starts = [];
  }

  save(): readonly EpochStart[] {
    return [...this.#starts];
  }

  restore(saved: readonly EpochStart[]): void {
    this.#starts = [...saved];
  }
}
