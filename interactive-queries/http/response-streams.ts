/**
 * Answers that go on: a stream is pulled, one chunk at a time, and the next chunk is asked for only when
 * the client has taken the last. So a slow client costs one chunk and a socket's buffer, and what it
 * missed meanwhile is for the stream to sum up. Bounded in number; a client that takes nothing for too
 * long is cut; all end when the server closes, and after some time in any case: whoever wants more asks
 * again, and shows again that he may.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Log } from '../../base/log.ts';

/**
 * Makes the chunks. The signal aborts when nobody wants more: the client left or was cut, the server
 * closes. A stream that is not wanted at all is opened with a signal that has aborted, and not read.
 */
export type ResponseStream = (signal: AbortSignal) => AsyncIterable<string | Uint8Array>;

export interface StreamLimits {
  readonly streamsMax: number;
  /** A client that takes nothing for so long is cut. */
  readonly slowClientMs: number;
  /** The longest life of a stream. */
  readonly streamAgeMs: number;
}

const LIMITS: StreamLimits = { streamsMax: 1_000, slowClientMs: 30_000, streamAgeMs: 15 * 60_000 };

/** Why a stream's signal aborts. */
const ENDED = new Error('the stream has ended');

export class ResponseStreams {
  readonly #limits: StreamLimits;
  readonly #log: Log;
  readonly #open = new Set<AbortController>();

  constructor(log: Log, limits: Partial<StreamLimits> = {}) {
    this.#log = log;
    this.#limits = { ...LIMITS, ...limits };
  }

  get count(): number {
    return this.#open.size;
  }

  get isFull(): boolean {
    return this.#open.size >= this.#limits.streamsMax;
  }

  /** Sends what the stream gives, and ends the response, whatever happens. The head has been sent. */
  async send(response: ServerResponse, stream: ResponseStream): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#open.add(controller);
    response.once('close', () => controller.abort(ENDED));
    const old = setTimeout(() => controller.abort(ENDED), this.#limits.streamAgeMs);
    try {
      for await (const chunk of stream(signal)) {
        if (signal.aborted) break;
        if (!response.write(chunk)) await this.#drained(response, signal);
      }
    } catch (error) {
      // Its client comes again, and is told then what is wrong.
      if (!signal.aborted) this.#log.debug({ err: error }, 'a stream ended');
    } finally {
      clearTimeout(old);
      this.#open.delete(controller);
      controller.abort(ENDED);
      response.end();
    }
  }

  close(): void {
    for (const controller of this.#open) controller.abort(ENDED);
  }

  async #drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
    const cut = setTimeout(() => response.destroy(), this.#limits.slowClientMs);
    // Rejects when the client leaves, or is cut.
    await once(response, 'drain', { signal }).catch(() => undefined);
    clearTimeout(cut);
  }
}

export function discard(stream: ResponseStream): void {
  stream(AbortSignal.abort(ENDED));
}
