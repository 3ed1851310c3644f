/**
 * The wire port: the swap point between what decides correctness (all ours) and what moves bytes.
 * kafkajs-transport.ts fulfils BrokerConnector over TCP/TLS/SASL, the embedded broker over a
 * MessagePort, the simulation over a simulated network. cluster.ts builds Cluster on top of any.
 */
import type { Api } from './protocol/api.ts';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  /** Request header v2 and response header v1 (tagged fields) — except ApiVersions' answer, always v0. */
  readonly flexible: boolean;
}

/** One connection (one socket). The broker answers its requests in order, one at a time. */
export interface BrokerConnection {
  readonly isOpen: boolean;
  /**
   * Sends a request body (what follows the header) and resolves with the response body.
   * Rejects with KAFKA_RETRIABLE-coded MillraceError when the connection is lost or the time is up:
   * whether the broker acted is then unknown. After a timeout the connection is closed.
   */
  request(header: RequestHeader, body: Uint8Array, timeoutMs: number): Promise<Buffer>;
  close(): void;
}

export interface BrokerConnector {
  /** Connects and authenticates. Rejects with KAFKA_UNAVAILABLE or KAFKA_AUTHENTICATION. */
  connect(address: BrokerAddress, purpose: string): Promise<BrokerConnection>;
}

export interface ApiRange {
  readonly minVersion: number;
  readonly maxVersion: number;
}

export interface PartitionLeader {
  readonly nodeId: number;
  readonly leaderEpoch: number;
}

export interface TopicMetadata {
  readonly name: string;
  /** 32 hex digits; zero before Metadata v10. */
  readonly topicId: string;
  readonly partitions: ReadonlyMap<number, PartitionLeader>;
}

export type CoordinatorKind = 'group' | 'transaction';

/**
 * The cluster as one client sees it. A channel is a set of connections, one per broker, opened when
 * first used and shared with nobody: 'fetch', 'group', 'producer-a' … so that nothing waits behind a
 * long poll or a JoinGroup.
 */
export interface Cluster {
  /** Best version both sides speak, not above `atMost`; rejects with KAFKA_FATAL when there is none. */
  versionFor(nodeId: number, api: Api<unknown, unknown>, atMost?: number): Promise<number>;
  apiRanges(nodeId: number): Promise<ReadonlyMap<number, ApiRange>>;
  /** Finalized features, e.g. 'transaction.version' -> 2. From our own ApiVersions v3. */
  features(): Promise<ReadonlyMap<string, number>>;
  /** Sends one request. Error codes inside the response are the caller's business. */
  request<Request, Response>(
    target: RequestTarget,
    api: Api<Request, Response>,
    request: Request,
  ): Promise<Response>;
  /** Known node ids with their addresses, as of the last metadata. */
  brokers(): ReadonlyMap<number, BrokerAddress>;
  controllerId(): Promise<number>;
  anyBroker(): Promise<number>;
  /** Metadata from the cache or fetched; undefined when the topic does not exist. */
  topic(name: string): Promise<TopicMetadata | undefined>;
  /** The cached leader, without waiting; undefined when unknown (then call refreshMetadata). */
  leaderOf(topic: string, partition: number): PartitionLeader | undefined;
  coordinatorOf(kind: CoordinatorKind, key: string): Promise<number>;
  /** Drops the cached coordinator after NOT_COORDINATOR and the like. */
  forgetCoordinator(kind: CoordinatorKind, key: string): void;
  /** Fetches metadata of the named topics and of those known already; concurrent calls share one request. */
  refreshMetadata(topics?: readonly string[]): Promise<void>;
  /** Closes the channel's connections; whoever made up the name calls it when done. */
  closeChannel(channel: string): void;
  close(): void;
}

export interface RequestTarget {
  readonly nodeId: number;
  readonly channel: string;
  /** Default: the connection's request timeout (30 s). */
  readonly timeoutMs?: number;
  /** Use at most this version. */
  readonly versionAtMost?: number;
}
