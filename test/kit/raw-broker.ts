/** One socket to a broker that speaks our protocol definitions and nothing else: for tests of the bytes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Api } from '../../kafka/protocol/api.ts';
import {
  decodeResponse,
  decodeResponseHeader,
  encodeRequestFrame,
} from '../../kafka/protocol/codec.ts';
import { FrameSplitter } from '../../kafka/protocol/frames.ts';

const FRAME_BYTES_MAX = 16 * 1024 * 1024;

export class RawBroker {
  readonly #socket: Socket;
  readonly #frames: AsyncIterator<Buffer>;
  #correlationId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#frames = framesOf(socket);
  }

  /** `address` is host:port. */
  static async connect(address: string): Promise<RawBroker> {
    const at = address.lastIndexOf(':');
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    await once(socket, 'connect');
    return new RawBroker(socket);
  }

  /** Sends one request and decodes its answer, strictly. One at a time. */
  async request<Request, Response>(
    api: Api<Request, Response>,
    version: number,
    request: Request,
  ): Promise<Response> {
    this.#correlationId += 1;
    const correlationId = this.#correlationId;
    this.#socket.write(
      encodeRequestFrame(api, version, { correlationId, clientId: 'raw' }, request),
    );
    const { value: frame, done } = await this.#frames.next();
    if (done) throw new Error(`The broker closed the connection on ${api.name} v${version}`);
    const flexible = version >= api.flexibleFrom;
    const header = decodeResponseHeader(frame, { apiKey: api.key, flexible });
    if (header.correlationId !== correlationId) throw new Error('An answer to something else');
    return decodeResponse(api, version, frame, header.bodyAt);
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function* framesOf(socket: Socket): AsyncGenerator<Buffer> {
  const splitter = new FrameSplitter(FRAME_BYTES_MAX);
  for await (const chunk of socket) yield* splitter.push(chunk as Buffer);
}
