/**
 * BrokerConnector over TCP: kafkajs 2.2.4 (pinned, frozen) gives connecting, TLS, SASL and the framing of
 * answers; the requests' bytes, their versions and timeouts are ours. Only file that names kafkajs.
 *
 * Of kafkajs's Connection we go in below send(): its encoder would copy every body three times.
 * Two of its habits are switched off: request timeouts by a 100 ms interval per socket (ours are per
 * request and close the connection), and a check for throttled requests that, once started, re-arms
 * itself every millisecond for ever. A throttled broker delays its answers anyway (KIP-219).
 */
import { createRequire } from 'node:module';
import net from 'node:net';
import tls from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SaslOptions, TlsOptions } from './connection.ts';
import { encodeRequestHeader } from './protocol/codec.ts';
import { Reader } from './protocol/reader.ts';
import type { BrokerAddress, BrokerConnection, BrokerConnector, RequestHeader } from './wire.ts';

/** What we use of kafkajs/src/network/connection.js, which has no types of its own. */
interface KafkajsConnection {
  connect(): Promise<true>;
  authenticate(): Promise<void>;
  isAuthenticated(): boolean;
  isConnected(): boolean;
  setVersions(versions: Record<number, { minVersion: number; maxVersion: number }>): void;
  setSupportAuthenticationProtocol(isSupported: boolean): void;
  nextCorrelationId(): number;
  rejectRequests(error: Error): void;
  readonly requestQueue: KafkajsRequestQueue;
}

interface KafkajsRequestQueue {
  push(request: {
    readonly entry: KafkajsEntry;
    readonly expectResponse: boolean;
    readonly requestTimeout: number | null;
    readonly sendRequest: () => void;
  }): void;
  destroy(): void;
  scheduleCheckPendingRequests: () => void;
}

interface KafkajsEntry {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly resolve: (answer: { readonly payload: Buffer }) => void;
  readonly reject: (error: Error) => void;
}

interface KafkajsLogger {
  namespace(): KafkajsLogger;
  debug(message: string, extra?: object): void;
  info(message: string, extra?: object): void;
  warn(message: string, extra?: object): void;
  error(message: string, extra?: object): void;
}

type KafkajsConnectionClass = new (options: {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: KafkajsLogger;
  readonly socketFactory: (target: { readonly onConnect: () => void }) => net.Socket;
  readonly ssl: object | null;
  readonly sasl: object | null;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
}) => KafkajsConnection;

const Connection = createRequire(import.meta.url)(
  'kafkajs/src/network/connection',
) as KafkajsConnectionClass;

const API_VERSIONS_KEY = 18;
const KEEP_ALIVE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** SaslHandshake (17) and SaslAuthenticate (36), as every broker since 2.0 has them. */
const SASL_VERSIONS = {
  17: { minVersion: 0, maxVersion: 1 },
  36: { minVersion: 0, maxVersion: 1 },
};
/** Errors of the TLS handshake that trying again does not heal. */
const TLS_REFUSAL = /^(ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_)/;

export interface TcpConnectorOptions {
  readonly clientId: string;
  readonly tls?: TlsOptions;
  readonly sasl?: SaslOptions;
}

export interface TcpConnectorDeps {
  readonly clock: Clock;
  readonly log: Log;
}

export function createTcpConnector(
  options: TcpConnectorOptions,
  deps: TcpConnectorDeps,
): BrokerConnector {
  return {
    connect: (address, purpose) => TcpConnection.open(address, purpose, options, deps),
  };
}

class TcpConnection implements BrokerConnection {
  readonly #address: BrokerAddress;
  readonly #clientId: string;
  readonly #needsAuthentication: boolean;
  readonly #clock: Clock;
  readonly #kafkajs: KafkajsConnection;
  /** One: kafkajs opens it in connect(). */
  readonly #sockets: net.Socket[] = [];
  /** Rejects when the connection is gone, because kafkajs's connect() does not notice every way of it. */
  readonly #lost = Promise.withResolvers<never>();
  #inFlight = 0;
  #isClosed = false;

  static async open(
    address: BrokerAddress,
    purpose: string,
    options: TcpConnectorOptions,
    deps: TcpConnectorDeps,
  ): Promise<TcpConnection> {
    const connection = new TcpConnection(address, purpose, options, deps);
    const cancelTimeout = deps.clock.after(CONNECT_TIMEOUT_MS, () => {
      connection.#fail(connectionLost(address, undefined, 'no answer in time'));
    });
    try {
      await Promise.race([connection.#establish(), connection.#lost.promise]);
      return connection;
    } catch (error) {
      connection.close();
      throw connectFailure(address, error);
    } finally {
      cancelTimeout();
    }
  }

  private constructor(
    address: BrokerAddress,
    purpose: string,
    options: TcpConnectorOptions,
    deps: TcpConnectorDeps,
  ) {
    this.#address = address;
    this.#clientId = options.clientId;
    this.#needsAuthentication = options.sasl !== undefined;
    this.#clock = deps.clock;
    this.#kafkajs = new Connection({
      host: address.host,
      port: address.port,
      clientId: options.clientId,
      logger: quietLogger(deps.log.child({ broker: nameOf(address), purpose })),
      socketFactory: ({ onConnect }) => this.#openSocket(options.tls, onConnect),
      ssl: options.tls ?? null,
      sasl: options.sasl === undefined ? null : { ...options.sasl },
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: CONNECT_TIMEOUT_MS,
      enforceRequestTimeout: false,
    });
    this.#kafkajs.setVersions(SASL_VERSIONS);
    this.#kafkajs.setSupportAuthenticationProtocol(true);
    this.#kafkajs.requestQueue.scheduleCheckPendingRequests = () => {};
    this.#lost.promise.catch(() => {});
  }

  async #establish(): Promise<void> {
    await this.#kafkajs.connect();
    if (this.#needsAuthentication) await this.#kafkajs.authenticate();
  }

  /**
   * A session that is about to run out (KIP-368) counts as closed once nothing is out on it: the next
   * connection authenticates anew.
   */
  get isOpen(): boolean {
    if (!this.#isConnected) return false;
    return !this.#needsAuthentication || this.#inFlight > 0 || this.#kafkajs.isAuthenticated();
  }

  get #isConnected(): boolean {
    return !this.#isClosed && this.#kafkajs.isConnected();
  }

  request(header: RequestHeader, body: Uint8Array, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = this.#sockets[0];
      if (socket === undefined || !this.#isConnected) {
        reject(connectionLost(this.#address, header, 'the connection is closed'));
        return;
      }
      const cancelTimeout = this.#clock.after(timeoutMs, () => {
        this.#fail(connectionLost(this.#address, header, `no answer within ${timeoutMs} ms`));
      });
      this.#inFlight++;
      const finish = () => {
        this.#inFlight--;
        cancelTimeout();
      };
      const correlationId = this.#kafkajs.nextCorrelationId();
      const { apiKey, apiName, apiVersion, flexible } = header;
      const clientId = this.#clientId;
      this.#kafkajs.requestQueue.push({
        entry: {
          apiKey,
          apiName,
          apiVersion,
          correlationId,
          resolve: ({ payload }) => {
            finish();
            this.#settle(payload, header, resolve, reject);
          },
          reject: (error) => {
            finish();
            reject(connectionLost(this.#address, header, error.message, error));
          },
        },
        expectResponse: true,
        requestTimeout: null,
        sendRequest: () => {
          const head = encodeRequestHeader({
            apiKey,
            apiVersion,
            correlationId,
            clientId,
            flexible,
          });
          writeFrame(socket, head, body);
        },
      });
    });
  }

  close(): void {
    this.#fail(connectionLost(this.#address, undefined, 'the connection was closed'));
  }

  #settle(
    payload: Buffer,
    header: RequestHeader,
    resolve: (body: Buffer) => void,
    reject: (error: unknown) => void,
  ): void {
    try {
      resolve(withoutHeaderTags(payload, header));
    } catch (error) {
      reject(error);
      this.close();
    }
  }

  #fail(error: MillraceError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#lost.reject(error);
    this.#kafkajs.rejectRequests(error);
    this.#kafkajs.requestQueue.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #openSocket(tlsOptions: TlsOptions | undefined, onConnect: () => void): net.Socket {
    const { host, port } = this.#address;
    const socket =
      tlsOptions === undefined
        ? net.connect({ host, port, noDelay: true }, onConnect)
        : tls.connect({ host, port, ...secureContext(tlsOptions, host) }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // kafkajs listens to 'end' and 'error'; a socket can also just close.
    socket.once('close', () => {
      this.#fail(connectionLost(this.#address, undefined, 'the connection was lost'));
    });
    this.#sockets.push(socket);
    return socket;
  }
}

function secureContext(options: TlsOptions, host: string): tls.ConnectionOptions {
  const { serverName, ...context } = options;
  if (serverName !== undefined) return { ...context, servername: serverName };
  return net.isIP(host) === 0 ? { ...context, servername: host } : context;
}

function writeFrame(socket: net.Socket, head: Buffer, body: Uint8Array): void {
  const size = Buffer.allocUnsafe(4);
  size.writeInt32BE(head.length + body.length);
  socket.cork();
  socket.write(size);
  socket.write(head);
  socket.write(body);
  socket.uncork();
}

/** Response header v1 has tagged fields behind the correlation id; ApiVersions' answer never has them. */
function withoutHeaderTags(payload: Buffer, header: RequestHeader): Buffer {
  if (!header.flexible || header.apiKey === API_VERSIONS_KEY) return payload;
  const reader = new Reader(payload);
  for (let count = reader.uvarint(); count > 0; count--) {
    reader.uvarint();
    reader.skip(reader.uvarint());
  }
  return payload.subarray(reader.position);
}

function connectionLost(
  address: BrokerAddress,
  header: RequestHeader | undefined,
  reason: string,
  cause?: unknown,
): MillraceError {
  const what = header === undefined ? '' : `${header.apiName}: `;
  return new MillraceError('KAFKA_RETRIABLE', `${what}broker ${nameOf(address)}: ${reason}`, {
    cause,
    facts: { broker: nameOf(address), api: header?.apiName },
  });
}

function connectFailure(address: BrokerAddress, error: unknown): MillraceError {
  const { name, message, code } = error as Error & { readonly code?: string };
  if (name === 'KafkaJSSASLAuthenticationError') {
    return new MillraceError('KAFKA_AUTHENTICATION', `broker ${nameOf(address)}: ${message}`, {
      cause: error,
      hint: 'Check the SASL mechanism, the user name and the password.',
    });
  }
  if (code !== undefined && TLS_REFUSAL.test(code)) {
    return new MillraceError('KAFKA_AUTHENTICATION', `broker ${nameOf(address)}: ${message}`, {
      cause: error,
      hint: 'Check that the port speaks TLS, the CA, the client certificate and the server name.',
      facts: { code },
    });
  }
  return new MillraceError(
    'KAFKA_UNAVAILABLE',
    `cannot connect to ${nameOf(address)}: ${message}`,
    {
      cause: error,
      hint: 'Check the address, and that the broker runs and speaks this security protocol on it.',
      ...(code === undefined ? {} : { facts: { code } }),
    },
  );
}

function nameOf({ host, port }: BrokerAddress): string {
  return `${host}:${port}`;
}

/** What kafkajs calls an error is often a retry for us: it all becomes debug. */
function quietLogger(log: Log): KafkajsLogger {
  const debug = (message: string, extra: object = {}) => log.debug({ ...extra }, message);
  const logger: KafkajsLogger = {
    namespace: () => logger,
    debug,
    info: debug,
    warn: debug,
    error: debug,
  };
  return logger;
}
