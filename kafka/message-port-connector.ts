/**
 * BrokerConnector to the embedded broker in another thread of this process. connect() posts
 * `{ kind: 'connect', port }` on the base port; after that every message on the connection's own port is
 * one whole frame without its size, as a Uint8Array whose memory is transferred. A closed port is a lost
 * connection.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import { decodeResponseHeader, encodeRequestHeader } from './protocol/codec.ts';
import type { BrokerConnection, BrokerConnector, RequestHeader } from './wire.ts';

const CORRELATION_ID_MAX = 0x7fffffff;

/** What is posted on the base port, with `port` transferred. */
export interface ConnectMessage {
  readonly kind: 'connect';
  readonly port: MessagePort;
}

export function createMessagePortConnector(
  basePort: MessagePort,
  clientId: string,
  deps: { readonly clock: Clock },
): BrokerConnector {
  let isBaseClosed = false;
  basePort.once('close', () => {
    isBaseClosed = true;
  });
  return {
    async connect() {
      if (isBaseClosed) {
        throw new MillraceError('KAFKA_UNAVAILABLE', 'the embedded broker has stopped');
      }
      const { port1, port2 } = new MessageChannel();
      const message: ConnectMessage = { kind: 'connect', port: port2 };
      basePort.postMessage(message, [port2]);
      return new PortConnection(port1, clientId, deps.clock);
    },
  };
}

interface PendingRequest {
  readonly header: RequestHeader;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: unknown) => void;
  readonly cancelTimeout: () => void;
}

class PortConnection implements BrokerConnection {
  readonly #port: MessagePort;
  readonly #clientId: string;
  readonly #clock: Clock;
  /** By correlation id; bounded by its callers, who wait for their answers. */
  readonly #pending = new Map<number, PendingRequest>();
  #correlationId = 0;
  #isOpen = true;

  constructor(port: MessagePort, clientId: string, clock: Clock) {
    this.#port = port;
    this.#clientId = clientId;
    this.#clock = clock;
    port.on('message', (frame: Uint8Array) => this.#receive(frame));
    port.on('messageerror', (error) => this.#fail(`an unreadable message: ${error.message}`));
    port.on('close', () => this.#fail('the connection was lost'));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  request(header: RequestHeader, body: Uint8Array, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) {
        reject(lost(header, 'the connection is closed'));
        return;
      }
      const correlationId = this.#correlationId;
      this.#correlationId = correlationId === CORRELATION_ID_MAX ? 0 : correlationId + 1;
      const cancelTimeout = this.#clock.after(timeoutMs, () =>
        this.#fail(`${header.apiName} was not answered within ${timeoutMs} ms`),
      );
      this.#pending.set(correlationId, { header, resolve, reject, cancelTimeout });
      const frame = encodeFrame(header, correlationId, this.#clientId, body);
      this.#port.postMessage(frame, [frame.buffer]);
    });
  }

  close(): void {
    this.#fail('the connection was closed');
  }

  #receive(message: Uint8Array): void {
    const frame = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const correlationId = frame.length < 4 ? -1 : frame.readInt32BE(0);
    const pending = this.#pending.get(correlationId);
    if (pending === undefined) {
      this.#fail('an answer that nobody asked for');
      return;
    }
    this.#pending.delete(correlationId);
    pending.cancelTimeout();
    try {
      pending.resolve(frame.subarray(decodeResponseHeader(frame, pending.header).bodyAt));
    } catch (error) {
      pending.reject(error);
      this.#fail('an unreadable answer');
    }
  }

  #fail(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#port.close();
    for (const { header, reject, cancelTimeout } of this.#pending.values()) {
      cancelTimeout();
      reject(lost(header, reason));
    }
    this.#pending.clear();
  }
}

/** The frame in memory of its own: it is given away, so nothing else may live in it. */
function encodeFrame(
  { apiKey, apiVersion, flexible }: RequestHeader,
  correlationId: number,
  clientId: string,
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const head = encodeRequestHeader({ apiKey, apiVersion, correlationId, clientId, flexible });
  const frame = new Uint8Array(head.length + body.length);
  frame.set(head);
  frame.set(body, head.length);
  return frame;
}

function lost(header: RequestHeader, reason: string): MillraceError {
  return new MillraceError('KAFKA_RETRIABLE', `${header.apiName}: embedded broker: ${reason}`, {
    facts: { api: header.apiName },
  });
}
