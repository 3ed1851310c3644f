/** A client of server-sent events that is told one event at a time, and may come again where it left off. */

export interface SentEvent {
  readonly event: string;
  readonly id: string;
  readonly data: Record<string, unknown>;
}

export class EventSourceClient {
  readonly response: Response;
  /** Comments that have been read so far. */
  heartbeats = 0;
  readonly #leave: AbortController;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = '';

  private constructor(response: Response, leave: AbortController) {
    this.response = response;
    this.#leave = leave;
    this.#reader = response.body!.getReader();
  }

  /** Resolves when the head has come, whatever its status. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<EventSourceClient> {
    const leave = new AbortController();
    return new EventSourceClient(await fetch(url, { headers, signal: leave.signal }), leave);
  }

  /** The next event; undefined when the stream has ended, orderly or not. */
  async next(): Promise<SentEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const event = this.#parse(block);
        if (event !== undefined) return event;
        continue;
      }
      const { done, value } = await this.#reader
        .read()
        .catch(() => ({ done: true, value: undefined }));
      if (done) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  leave(): void {
    this.#leave.abort();
  }

  #parse(block: string): SentEvent | undefined {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const cut = line.indexOf(':');
      if (cut === 0) this.heartbeats++;
      else fields.set(line.slice(0, cut), line.slice(cut + 1).replace(/^ /, ''));
    }
    const data = fields.get('data');
    if (data === undefined) return undefined;
    return { event: fields.get('event')!, id: fields.get('id')!, data: JSON.parse(data) };
  }
}
