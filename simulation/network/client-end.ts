/** The client's end of a simulated connection: frames, correlation ids and timeouts, as over TCP. */
import { MillraceError } from '../../base/errors.ts';
import { decodeResponseHeader, encodeRequestHeader } from '../../kafka/protocol/codec.ts';
import type { BrokerConnection, RequestHeader } from '../../kafka/wire.ts';
import type { Process } from '../world/process.ts';
import type { Connection } from './connection.ts';

interface PendingRequest {
  readonly header: RequestHeader;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: unknown) => void;
  readonly cancelTimeout: () => void;
}

export class ClientEnd implements BrokerConnection {
  readonly #connection: Connection;
  readonly #process: Process;
  readonly #clientId: string;
  readonly #pending = new Map<number, PendingRequest>();
  #correlationId = 0;
  #isOpen = true;

  constructor(connection: Connection, process: Process, clientId: string) {
    this.#connection = connection;
    this.#process = process;
    this.#clientId = clientId;
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
      const correlationId = this.#correlationId++;
      const cancelTimeout = this.#process.clock.after(timeoutMs, () => {
        this.#end(`${header.apiName} was not answered within ${timeoutMs} ms`);
        this.#connection.closeForServer();
      });
      this.#pending.set(correlationId, { header, resolve, reject, cancelTimeout });
      const { apiKey, apiVersion, flexible } = header;
      const clientId = this.#clientId;
      const head = encodeRequestHeader({ apiKey, apiVersion, correlationId, clientId, flexible });
      const frame = Buffer.concat([head, body]);
      this.#connection.sendRequest(frame, header.apiName);
    });
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#end('the connection was closed');
    this.#connection.closeForServer();
  }

  receive(frame: Buffer): void {
    if (!this.#isOpen) return;
    const pending = this.#pending.get(frame.readInt32BE(0));
    if (pending === undefined || !this.#connection.answered(pending.header.apiName)) return;
    this.#pending.delete(frame.readInt32BE(0));
    pending.cancelTimeout();
    pending.resolve(frame.subarray(decodeResponseHeader(frame, pending.header).bodyAt));
  }

  /** The other side, or the way to it, has gone. */
  lose(reason: string): void {
    this.#end(reason);
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const { header, reject, cancelTimeout } of this.#pending.values()) {
      cancelTimeout();
      reject(lost(header, reason));
    }
    this.#pending.clear();
  }
}

function lost(header: RequestHeader, reason: string): MillraceError {
  return new MillraceError('KAFKA_RETRIABLE', `${header.apiName}: ${reason}`, {
    facts: { api: header.apiName },
  });
}
