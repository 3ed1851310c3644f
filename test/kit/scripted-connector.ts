/**
 * A BrokerConnector to brokers that are functions of the test: connections can be refused, lost and left
 * without an answer. Requests and answers go through the real codec.
 */
import { MillraceError } from '../../base/errors.ts';
import { apisByKey } from '../../kafka/protocol/apis.ts';
import { decodeRequest, encodeResponse } from '../../kafka/protocol/codec.ts';
import type {
  MessageApi,
  ReceivedRequestOf,
  WrittenResponseOf,
} from '../../kafka/protocol/define-api.ts';
import { apiVersionsApi } from '../../kafka/protocol/messages/api-versions.ts';
import type { AnySchema } from '../../kafka/protocol/schema.ts';
import type {
  ApiRange,
  BrokerAddress,
  BrokerConnection,
  BrokerConnector,
  RequestHeader,
} from '../../kafka/wire.ts';

type AnyMessageApi = MessageApi<AnySchema, AnySchema>;
type Handler = (request: unknown, apiVersion: number) => unknown;

/** What a handler may do instead of answering. */
export type Failure = 'lose-connection';

export interface Received {
  readonly apiName: string;
  readonly apiVersion: number;
  /** Counts the broker's connections from 1. */
  readonly connection: number;
  readonly purpose: string;
}

export class ScriptedBroker {
  /** Every request but ApiVersions, in order. */
  readonly received: Received[] = [];
  readonly connections: ScriptedConnection[] = [];
  /** Set: connect() rejects with it. */
  refusal: MillraceError | undefined;
  /** By api key; what ApiVersions tells. Default: all that we define. */
  readonly ranges = new Map<number, ApiRange>();
  readonly features = new Map<string, number>();
  /** ApiVersions above it is answered with UNSUPPORTED_VERSION in v0. */
  apiVersionsAtMost = 4;
  readonly #handlers = new Map<number, Handler>();

  constructor() {
    for (const [key, { minVersion, maxVersion }] of apisByKey) {
      this.ranges.set(key, { minVersion, maxVersion });
    }
  }

  on<A extends AnyMessageApi>(
    api: A,
    handler: (
      request: ReceivedRequestOf<A>,
      apiVersion: number,
    ) => WrittenResponseOf<A> | Failure | Promise<WrittenResponseOf<A> | Failure>,
  ): void {
    this.#handlers.set(api.key, handler as Handler);
  }

  /** Requests of one API, without those of others. */
  countOf(apiName: string): number {
    return this.received.filter((one) => one.apiName === apiName).length;
  }

  async answer(header: RequestHeader, body: Uint8Array): Promise<Buffer | Failure> {
    if (header.apiKey === apiVersionsApi.key) return this.#answerApiVersions(header.apiVersion);
    const api = apisByKey.get(header.apiKey) as AnyMessageApi;
    const handler = this.#handlers.get(header.apiKey);
    if (handler === undefined) throw new Error(`the test has no answer to ${header.apiName}`);
    const request = decodeRequest(api, header.apiVersion, Buffer.from(body));
    const response = await handler(request, header.apiVersion);
    if (response === 'lose-connection') return response;
    return encodeResponse(api, header.apiVersion, response as never);
  }

  #answerApiVersions(version: number): Buffer {
    const isUnsupported = version > this.apiVersionsAtMost;
    const apiKeys = [...this.ranges].map(([apiKey, range]) => ({ apiKey, ...range }));
    const finalizedFeatures = [...this.features].map(([name, level]) => ({
      name,
      maxVersionLevel: level,
      minVersionLevel: level,
    }));
    return encodeResponse(apiVersionsApi, isUnsupported ? 0 : version, {
      errorCode: isUnsupported ? 35 : 0,
      apiKeys,
      finalizedFeatures,
    });
  }
}

export class ScriptedConnection implements BrokerConnection {
  isOpen = true;
  readonly #broker: ScriptedBroker;
  readonly #number: number;
  readonly #purpose: string;
  readonly #lost = Promise.withResolvers<never>();

  constructor(broker: ScriptedBroker, purpose: string) {
    this.#broker = broker;
    this.#number = broker.connections.push(this);
    this.#purpose = purpose;
    this.#lost.promise.catch(() => {});
  }

  async request(header: RequestHeader, body: Uint8Array): Promise<Buffer> {
    if (!this.isOpen) throw lost();
    const { apiName, apiVersion } = header;
    if (apiName !== 'ApiVersions') {
      const connection = this.#number;
      this.#broker.received.push({ apiName, apiVersion, connection, purpose: this.#purpose });
    }
    const answer = await Promise.race([this.#broker.answer(header, body), this.#lost.promise]);
    if (answer !== 'lose-connection') return answer;
    this.close();
    throw lost();
  }

  close(): void {
    this.isOpen = false;
    this.#lost.reject(lost());
  }
}

/** Brokers by address; an address without one refuses. */
export class ScriptedNetwork implements BrokerConnector {
  readonly #brokers = new Map<string, ScriptedBroker>();
  /** Every attempt to connect, as host:port. */
  readonly attempts: string[] = [];

  broker(host: string, port = 9092): ScriptedBroker {
    const broker = new ScriptedBroker();
    this.#brokers.set(`${host}:${port}`, broker);
    return broker;
  }

  remove(host: string, port = 9092): void {
    this.#brokers.delete(`${host}:${port}`);
  }

  async connect({ host, port }: BrokerAddress, purpose: string): Promise<BrokerConnection> {
    this.attempts.push(`${host}:${port}`);
    const broker = this.#brokers.get(`${host}:${port}`);
    if (broker === undefined) {
      throw new MillraceError('KAFKA_UNAVAILABLE', `nobody listens on ${host}:${port}`);
    }
    if (broker.refusal !== undefined) throw broker.refusal;
    return new ScriptedConnection(broker, purpose);
  }
}

function lost(): MillraceError {
  return new MillraceError('KAFKA_RETRIABLE', 'connection lost');
}
