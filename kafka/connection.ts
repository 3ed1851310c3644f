/**
 * How to reach Kafka, as data that can be posted to a worker, and the one place that turns it into
 * a BrokerConnector.
 */
import type { MessagePort } from 'node:worker_threads';
import type { BrokerAddress } from './wire.ts';

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
