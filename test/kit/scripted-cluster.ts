/**
 * A Cluster whose brokers are functions of the test. Requests and answers go through the real codec at
 * the version that would be used, so a test sees what a broker would see and nothing else.
 */
import { setImmediate } from 'node:timers/promises';
import { MillraceError } from '../../base/errors.ts';
import type { Api } from '../../kafka/protocol/api.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../kafka/protocol/codec.ts';
import type {
  MessageApi,
  ReceivedRequestOf,
  WrittenResponseOf,
} from '../../kafka/protocol/define-api.ts';
import type { AnySchema } from '../../kafka/protocol/schema.ts';
import type {
  ApiRange,
  BrokerAddress,
  Cluster,
  CoordinatorKind,
  PartitionLeader,
  RequestTarget,
  TopicMetadata,
} from '../../kafka/wire.ts';

type AnyMessageApi = MessageApi<AnySchema, AnySchema>;

export interface Sent {
  readonly api: string;
  readonly version: number;
  readonly nodeId: number;
  readonly channel: string;
  readonly timeoutMs: number | undefined;
}

type Handler = (request: unknown, sent: Sent) => unknown;

/** The connection is lost, or the time was up: the broker may have acted. */
export function disconnected(): MillraceError {
  return new MillraceError('KAFKA_RETRIABLE', 'connection lost');
}

/** The connection could not be made: the broker has seen nothing. */
export function unreachableBroker(): MillraceError {
  return new MillraceError('KAFKA_UNAVAILABLE', 'connection refused');
}

export class ScriptedCluster implements Cluster {
  /** Every request in the order of sending. */
  readonly sent: Sent[] = [];
  readonly leaders = new Map<string, PartitionLeader>();
  readonly finalizedFeatures = new Map<string, number>();
  /** By API name; the definition's own maximum when absent. */
  readonly versionsAtMost = new Map<string, number>();
  readonly forgotten: string[] = [];
  readonly closedChannels: string[] = [];
  readonly refreshed: (readonly string[])[] = [];
  coordinatorNode: number | (() => Promise<number>) = 1;
  onRefresh: () => void | Promise<void> = () => {};
  readonly #handlers = new Map<string, Handler>();

  /** The brokers' answer to one API from now on. A thrown error rejects the request. */
  on<A extends AnyMessageApi>(
    api: A,
    handler: (
      request: ReceivedRequestOf<A>,
      sent: Sent,
    ) => WrittenResponseOf<A> | Promise<WrittenResponseOf<A>>,
  ): void {
    this.#handlers.set(api.name, handler as Handler);
  }

  sentApis(): string[] {
    return this.sent.map(({ api }) => api);
  }

  async request<Request, Response>(
    target: RequestTarget,
    api: Api<Request, Response>,
    request: Request,
  ): Promise<Response> {
    const version = await this.versionFor(target.nodeId, api, target.versionAtMost);
    const { nodeId, channel, timeoutMs } = target;
    const sent = { api: api.name, version, nodeId, channel, timeoutMs };
    const typed = api as unknown as AnyMessageApi;
    const received = decodeRequest(typed, version, encodeRequest(api, version, request));
    this.sent.push(sent);
    const handler = this.#handlers.get(api.name);
    if (handler === undefined) throw new Error(`the test has no answer to ${api.name}`);
    await setImmediate();
    const response = await handler(received, sent);
    await setImmediate();
    const bytes = encodeResponse(typed, version, response as never);
    return decodeResponse(api as Api<never, Response>, version, bytes);
  }

  async versionFor(
    _nodeId: number,
    api: Api<never, unknown>,
    atMost = Number.POSITIVE_INFINITY,
  ): Promise<number> {
    const offered = this.versionsAtMost.get(api.name) ?? api.maxVersion;
    return Math.min(offered, atMost, api.maxVersion);
  }

  async apiRanges(): Promise<ReadonlyMap<number, ApiRange>> {
    return new Map();
  }

  async features(): Promise<ReadonlyMap<string, number>> {
    return this.finalizedFeatures;
  }

  brokers(): ReadonlyMap<number, BrokerAddress> {
    return new Map();
  }

  async controllerId(): Promise<number> {
    return 1;
  }

  async anyBroker(): Promise<number> {
    return 1;
  }

  async topic(): Promise<TopicMetadata | undefined> {
    return undefined;
  }

  leaderOf(topic: string, partition: number): PartitionLeader | undefined {
    return this.leaders.get(`${topic}-${partition}`);
  }

  lead(topic: string, partition: number, nodeId: number, leaderEpoch = 0): void {
    this.leaders.set(`${topic}-${partition}`, { nodeId, leaderEpoch });
  }

  async coordinatorOf(): Promise<number> {
    const node = this.coordinatorNode;
    return typeof node === 'number' ? node : node();
  }

  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.forgotten.push(`${kind}:${key}`);
  }

  async refreshMetadata(topics: readonly string[] = []): Promise<void> {
    this.refreshed.push(topics);
    await this.onRefresh();
  }

  closeChannel(channel: string): void {
    this.closedChannels.push(channel);
  }

  close(): void {}
}
