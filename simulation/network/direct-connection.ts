/**
 * The auditor's way to the broker: no network, nothing goes wrong, no time passes but what the broker
 * itself takes. Requests are answered in the order in which they are asked.
 */
import { MillraceError } from '../../base/errors.ts';
import type { ConnectionContext } from '../../embedded-kafka/ports.ts';
import { decodeResponseHeader, encodeRequestHeader } from '../../kafka/protocol/codec.ts';
import type { BrokerConnection, BrokerConnector, RequestHeader } from '../../kafka/wire.ts';
import type { Network, Server } from './network.ts';

export function directConnector(network: Network, clientId: string): BrokerConnector {
  return {
    connect: async () => {
      const { server } = network;
      if (server?.process.isAlive !== true) {
        throw new MillraceError('KAFKA_UNAVAILABLE', 'the simulated broker does not run');
      }
      return new DirectConnection(server, network.connectionContext(), clientId);
    },
  };
}

class DirectConnection implements BrokerConnection {
  readonly #server: Server;
  readonly #context: ConnectionContext;
  readonly #clientId: string;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(server: Server, context: ConnectionContext, clientId: string) {
    this.#server = server;
    this.#context = context;
    this.#clientId = clientId;
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#server.process.isAlive;
  }

  request(header: RequestHeader, body: Uint8Array): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const lost = () => reject(new MillraceError('KAFKA_RETRIABLE', 'the broker has died'));
    this.#server.process.onDeath(lost);
    this.#last = this.#last.then(() => this.#exchange(header, body).then(resolve, lost));
    return promise;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#server.handler.connectionClosed(this.#context);
  }

  async #exchange(header: RequestHeader, body: Uint8Array): Promise<Buffer> {
    const { apiKey, apiVersion, flexible } = header;
    const correlationId = 0;
    const clientId = this.#clientId;
    const head = encodeRequestHeader({ apiKey, apiVersion, correlationId, clientId, flexible });
    const answer = await this.#server.handler.handle(Buffer.concat([head, body]), this.#context);
    if (answer === undefined) throw new MillraceError('KAFKA_PROTOCOL', 'nothing was answered');
    return answer.subarray(decodeResponseHeader(answer, header).bodyAt);
  }
}
