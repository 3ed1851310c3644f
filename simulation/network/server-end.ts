/** The broker's end of a simulated connection: one request at a time, in order, as over TCP. */
import type { ConnectionContext, FrameHandler } from '../../embedded-kafka/ports.ts';
import type { Connection } from './connection.ts';

export class ServerEnd {
  readonly #handler: FrameHandler;
  readonly #connection: Connection | undefined;
  readonly #context: ConnectionContext;
  readonly #frames: Buffer[] = [];
  #isServing = false;
  #isMute: boolean;
  #isClosed = false;

  /** Without a connection nobody hears its answers. */
  constructor(
    handler: FrameHandler,
    context: ConnectionContext,
    connection: Connection | undefined,
  ) {
    this.#handler = handler;
    this.#connection = connection;
    this.#isMute = connection === undefined;
    this.#context = context;
  }

  /** From now on answers are lost. */
  mute(): void {
    this.#isMute = true;
  }

  receive(frame: Buffer): void {
    if (this.#isClosed) return;
    this.#frames.push(frame);
    if (!this.#isServing) void this.#serve();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handler.connectionClosed(this.#context);
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    try {
      for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
        const answer = await this.#handler.handle(frame, this.#context);
        if (answer !== undefined && !this.#isMute) this.#connection?.sendAnswer(answer);
        if (this.#isMute && this.#frames.length === 0) this.close();
      }
    } catch {
      this.close();
      this.#connection?.breakForClient();
    } finally {
      this.#isServing = false;
    }
  }
}
