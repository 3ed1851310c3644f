/**
 * One partition as the fetcher sees it: where it reads next, what it holds, what keeps it from being
 * fetched. A seek replaces the whole object; so an answer whose object is no longer the current one
 * is an answer to an older position and is thrown away. No I/O.
 */
import type { FetchedPartition } from '../ports.ts';

export type FetchStage =
  | 'ready'
  /** Metadata must be fetched before anybody is asked again. */
  | 'leader-unknown'
  /** A timer will make it ready. */
  | 'backing-off'
  /** An error has been reported: only a seek helps. */
  | 'stopped';

export class FetchPartition {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  stage: FetchStage = 'ready';
  isPaused: boolean;
  isInFlight = false;
  /** Failures since the last good answer. */
  failures = 0;
  bufferedBytes = 0;
  #nextOffset: number;
  #lastEpoch: number;
  #buffered: FetchedPartition[] = [];
  #lastAnswer: FetchedPartition | undefined;

  constructor(
    at: { readonly topic: string; readonly partition: number; readonly key: string },
    position: { readonly offset: number; readonly leaderEpoch: number },
    isPaused: boolean,
  ) {
    this.topic = at.topic;
    this.partition = at.partition;
    this.key = at.key;
    this.#nextOffset = position.offset;
    this.#lastEpoch = position.leaderEpoch;
    this.isPaused = isPaused;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Leader epoch of the record before `nextOffset`, -1 when unknown. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  get wantsFetch(): boolean {
    const isStill = this.isPaused || this.isInFlight;
    return !isStill && (this.stage === 'ready' || this.stage === 'leader-unknown');
  }

  get hasBuffered(): boolean {
    return this.#buffered.length > 0;
  }

  /** Keeps an answer that brings news: data, progress, or moved bounds of the log. */
  accept(answer: FetchedPartition, sizeBytes: number): void {
    const isNews = !sameBounds(this.#lastAnswer, answer);
    this.#nextOffset = answer.nextOffset;
    this.#lastEpoch = answer.lastLeaderEpoch;
    this.#lastAnswer = answer;
    this.failures = 0;
    this.stage = 'ready';
    if (!isNews) return;
    // Answers without batches are folded into the one before: an idle partition buffers one at most.
    const previous = this.#buffered.at(-1);
    if (previous !== undefined && answer.batches.length === 0) {
      this.#buffered[this.#buffered.length - 1] = { ...answer, batches: previous.batches };
    } else {
      this.#buffered.push(answer);
    }
    this.bufferedBytes += sizeBytes;
  }

  /** Reports an error to the caller, behind what is buffered; nothing is fetched until a seek. */
  stop(answer: FetchedPartition): void {
    this.#buffered.push(answer);
    this.stage = 'stopped';
  }

  /** Hands out everything that is buffered, in order. */
  take(): readonly FetchedPartition[] {
    const taken = this.#buffered;
    this.#buffered = [];
    this.bufferedBytes = 0;
    return taken;
  }
}

function sameBounds(before: FetchedPartition | undefined, now: FetchedPartition): boolean {
  return (
    before !== undefined &&
    before.nextOffset === now.nextOffset &&
    before.highWatermark === now.highWatermark &&
    before.lastStableOffset === now.lastStableOffset &&
    before.logStartOffset === now.logStartOffset
  );
}
