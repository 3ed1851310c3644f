/**
 * How to reach Kafka, as data that can be posted to a worker, and the one place that turns it into
 * a BrokerConnector.
 */
import type { MessagePort } from 'node:worker_threads';
import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { createTcpConnector } from './kafkajs-transport.ts';
import { createMessagePortConnector } from './message-port-connector.ts';
import type { BrokerAddress, BrokerConnector } from './wire.ts';

export type KafkaConnection =
  | {
      readonly kind: 'tcp';
      readonly brokers: readonly BrokerAddress[];
      readonly clientId: string;
      readonly tls?: TlsOptions;
      readonly sasl?: SaslOptions;
    }
  /** The embedded broker in another thread of this process. The port is transferred to whoever uses it. */
  | { readonly kind: 'message-port'; readonly port: MessagePort; readonly clientId: string };

export interface TlsOptions {
  /** PEM texts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly serverName?: string;
}

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

export interface ConnectorDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** A connector for the connection, and the addresses to ask first. */
export function connectorFor(
  connection: KafkaConnection,
  deps: ConnectorDeps,
): { readonly connector: BrokerConnector; readonly bootstrap: readonly BrokerAddress[] } {
  switch (connection.kind) {
    case 'tcp':
      return { connector: createTcpConnector(connection, deps), bootstrap: connection.brokers };
    case 'message-port':
      return {
        connector: createMessagePortConnector(connection.port, connection.clientId, deps),
        bootstrap: [EMBEDDED_ADDRESS],
      };
    default:
      return unreachable(connection);
  }
}

/** The connector does not look at it: there is only one broker behind the port. */
const EMBEDDED_ADDRESS: BrokerAddress = { host: 'embedded', port: 0 };
