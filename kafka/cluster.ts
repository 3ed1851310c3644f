/**
 * The cluster as one client sees it: links to brokers by channel, metadata, coordinators. Retries are
 * the callers' business, with two exceptions: a lost link is opened again, and a question that any
 * broker can answer is put to one after the other.
 */
import { isMillraceError, MillraceError } from '../base/errors.ts';
import type { ClientDeps } from './client-deps.ts';
import { BrokerLink } from './cluster/broker-link.ts';
import {
  askFeatures,
  type BrokerSession,
  bestVersion,
  exchange,
} from './cluster/broker-session.ts';
import {
  CoordinatorCache,
  coordinatorIn,
  findCoordinatorRequest,
} from './cluster/coordinator-cache.ts';
import { MetadataCache } from './cluster/metadata-cache.ts';
import type { Api } from './protocol/api.ts';
import { Errors } from './protocol/error-codes.ts';
import { findCoordinatorApi } from './protocol/messages/find-coordinator.ts';
import { metadataApi } from './protocol/messages/metadata.ts';
import type {
  ApiRange,
  BrokerAddress,
  BrokerConnector,
  Cluster,
  CoordinatorKind,
  PartitionLeader,
  RequestTarget,
  TopicMetadata,
} from './wire.ts';

export interface ClusterOptions extends ClientDeps {
  readonly connector: BrokerConnector;
  /** Asked while no broker is known, and when none of the known ones answers. */
  readonly bootstrap: readonly BrokerAddress[];
  readonly clientId: string;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** As Java's metadata.max.age.ms: partitions that were added are seen after this time. */
const METADATA_MAX_AGE_MS = 300_000;
/** The cluster's own channel: metadata, coordinators, versions. */
const CONTROL_CHANNEL = 'control';

export function createCluster(options: ClusterOptions): Cluster {
  return new KafkaCluster(options);
}

interface Refresh {
  readonly topics: ReadonlySet<string>;
  readonly done: Promise<void>;
}

class KafkaCluster implements Cluster {
  readonly #options: ClusterOptions;
  readonly #metadata = new MetadataCache();
  readonly #coordinators = new CoordinatorCache((kind, key) => this.#findCoordinator(kind, key));
  /** By channel, then node id. */
  readonly #links = new Map<string, Map<number, BrokerLink>>();
  readonly #bootstrapLinks = new Map<number, BrokerLink>();
  #refreshing: Refresh | undefined;
  #refreshNext: Refresh | undefined;
  #isClosed = false;

  constructor(options: ClusterOptions) {
    this.#options = { ...options, log: options.log.child({ clientId: options.clientId }) };
  }

  async request<Request, Response>(
    target: RequestTarget,
    api: Api<Request, Response>,
    request: Request,
  ): Promise<Response> {
    const link = this.#link(target.channel, target.nodeId);
    const session = link.session ?? (await link.open());
    const version = bestVersion(api, session.apiRanges, target.versionAtMost);
    return exchange(session, api, version, request, target.timeoutMs ?? REQUEST_TIMEOUT_MS);
  }

  async versionFor(nodeId: number, api: Api<unknown, unknown>, atMost?: number): Promise<number> {
    return bestVersion(api, await this.apiRanges(nodeId), atMost);
  }

  async apiRanges(nodeId: number): Promise<ReadonlyMap<number, ApiRange>> {
    for (const links of this.#links.values()) {
      const session = links.get(nodeId)?.session;
      if (session !== undefined) return session.apiRanges;
    }
    return (await this.#link(CONTROL_CHANNEL, nodeId).open()).apiRanges;
  }

  async features(): Promise<ReadonlyMap<string, number>> {
    await this.#knowBrokers();
    return this.#askAny(askFeatures);
  }

  brokers(): ReadonlyMap<number, BrokerAddress> {
    return this.#metadata.brokers;
  }

  async controllerId(): Promise<number> {
    if (this.#metadata.controllerId === undefined) await this.refreshMetadata();
    const nodeId = this.#metadata.controllerId;
    if (nodeId !== undefined) return nodeId;
    throw new MillraceError('KAFKA_RETRIABLE', 'the cluster has no controller at the moment');
  }

  async anyBroker(): Promise<number> {
    await this.#knowBrokers();
    const [nodeId] = this.#nodesByPreference();
    if (nodeId !== undefined) return nodeId;
    throw new MillraceError('KAFKA_UNAVAILABLE', 'the cluster names no brokers');
  }

  async topic(name: string): Promise<TopicMetadata | undefined> {
    const ageMs = this.#options.clock.monotonicMs() - this.#metadata.updatedAtMs;
    const known = this.#metadata.topic(name);
    if (known !== undefined && ageMs < METADATA_MAX_AGE_MS) return known;
    await this.refreshMetadata([name]);
    const refusal = this.#metadata.refusal(name);
    if (refusal !== undefined) throw refusal;
    return this.#metadata.topic(name);
  }

  leaderOf(topic: string, partition: number): PartitionLeader | undefined {
    return this.#metadata.leaderOf(topic, partition);
  }

  coordinatorOf(kind: CoordinatorKind, key: string): Promise<number> {
    return this.#coordinators.get(kind, key);
  }

  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.#coordinators.forget(kind, key);
  }

  refreshMetadata(topics: readonly string[] = []): Promise<void> {
    const running = this.#refreshing;
    if (running === undefined) {
      this.#refreshing = this.#startRefresh(new Set(topics));
      return this.#refreshing.done;
    }
    if (topics.every((topic) => running.topics.has(topic))) return running.done;
    const wanted = new Set([...(this.#refreshNext?.topics ?? []), ...topics]);
    const done =
      this.#refreshNext?.done ?? running.done.catch(() => {}).then(() => this.#refreshQueued());
    this.#refreshNext = { topics: wanted, done };
    return done;
  }

  closeChannel(channel: string): void {
    for (const link of this.#links.get(channel)?.values() ?? []) link.close();
    this.#links.delete(channel);
  }

  close(): void {
    this.#isClosed = true;
    for (const channel of [...this.#links.keys()]) this.closeChannel(channel);
    this.#closeBootstrapLinks();
  }

  /** Only metadata is asked of bootstrap addresses while no broker is known: their links are short-lived. */
  async #knowBrokers(): Promise<void> {
    if (this.#metadata.brokers.size === 0) await this.refreshMetadata();
  }

  // ── Metadata ─────────────────────────────────────────────────────────────────────────────────

  #refreshQueued(): Promise<void> {
    const topics = this.#refreshNext?.topics ?? new Set<string>();
    this.#refreshNext = undefined;
    this.#refreshing = this.#startRefresh(topics);
    return this.#refreshing.done;
  }

  #startRefresh(extraTopics: ReadonlySet<string>): Refresh {
    const topics = new Set([...this.#metadata.topicNames, ...extraTopics]);
    const done = this.#askMetadata([...topics]).finally(() => {
      if (this.#refreshing?.done === done) this.#refreshing = undefined;
    });
    return { topics, done };
  }

  async #askMetadata(topics: readonly string[]): Promise<void> {
    const request = { topics: topics.map((name) => ({ name })), allowAutoTopicCreation: false };
    const answer = await this.#askAny((session) => {
      const version = bestVersion(metadataApi, session.apiRanges);
      return exchange(session, metadataApi, version, request, REQUEST_TIMEOUT_MS);
    });
    if (answer.errorCode === Errors.REBOOTSTRAP_REQUIRED || answer.brokers.length === 0) {
      this.#metadata.forgetBrokers();
      throw new MillraceError('KAFKA_RETRIABLE', 'the cluster must be asked for from the start');
    }
    this.#metadata.update(answer, this.#options.clock.monotonicMs());
    this.#closeBootstrapLinks();
    this.#dropLinksToFormerAddresses();
  }

  async #findCoordinator(kind: CoordinatorKind, key: string): Promise<number> {
    await this.#knowBrokers();
    const request = findCoordinatorRequest(kind, key);
    const answer = await this.#askAny((session) => {
      const version = bestVersion(findCoordinatorApi, session.apiRanges);
      return exchange(session, findCoordinatorApi, version, request, REQUEST_TIMEOUT_MS);
    });
    const { nodeId, host, port } = coordinatorIn(answer, kind, key);
    this.#metadata.addBroker(nodeId, { host, port });
    return nodeId;
  }

  // ── Links ────────────────────────────────────────────────────────────────────────────────────

  #link(channel: string, nodeId: number): BrokerLink {
    const address = this.#metadata.brokers.get(nodeId);
    if (address === undefined) {
      throw new MillraceError('KAFKA_UNAVAILABLE', `broker ${nodeId} is not known (any more)`);
    }
    const links = this.#links.get(channel) ?? new Map<number, BrokerLink>();
    this.#links.set(channel, links);
    return this.#linkIn(links, nodeId, address, channel);
  }

  #linkIn(
    links: Map<number, BrokerLink>,
    id: number,
    address: BrokerAddress,
    purpose: string,
  ): BrokerLink {
    if (this.#isClosed) throw new MillraceError('KAFKA_UNAVAILABLE', 'the client is closed');
    const known = links.get(id);
    if (known !== undefined && isSameAddress(known.address, address)) return known;
    known?.close();
    const link = new BrokerLink(address, purpose, this.#options.connector, this.#options);
    links.set(id, link);
    return link;
  }

  /** Asks brokers one after the other, bootstrap addresses last, until one answers. */
  async #askAny<Answer>(ask: (session: BrokerSession) => Promise<Answer>): Promise<Answer> {
    let lastError: unknown = new MillraceError('KAFKA_UNAVAILABLE', 'no broker address is given');
    for (const link of this.#candidates()) {
      try {
        return await ask(await link.open());
      } catch (error) {
        if (isMillraceError(error, 'KAFKA_AUTHENTICATION', 'KAFKA_FATAL')) throw error;
        lastError = error;
        this.#options.log.debug({ error, broker: link.address }, 'a broker does not answer');
      }
    }
    throw lastError;
  }

  *#candidates(): Generator<BrokerLink> {
    for (const nodeId of this.#nodesByPreference()) {
      if (this.#metadata.brokers.has(nodeId)) yield this.#link(CONTROL_CHANNEL, nodeId);
    }
    const { bootstrap, random } = this.#options;
    const first = Math.floor(random.next() * bootstrap.length);
    for (let count = 0; count < bootstrap.length; count++) {
      const index = (first + count) % bootstrap.length;
      yield this.#linkIn(this.#bootstrapLinks, index, bootstrap[index]!, CONTROL_CHANNEL);
    }
  }

  /** Known brokers: the one that we talk to already first, then the others from a random one on. */
  #nodesByPreference(): number[] {
    const nodes = [...this.#metadata.brokers.keys()];
    const first = Math.floor(this.#options.random.next() * nodes.length);
    const rotated = [...nodes.slice(first), ...nodes.slice(0, first)];
    const control = this.#links.get(CONTROL_CHANNEL);
    const isOpen = (nodeId: number) => (control?.get(nodeId)?.session === undefined ? 1 : 0);
    return rotated.sort((a, b) => isOpen(a) - isOpen(b));
  }

  #closeBootstrapLinks(): void {
    for (const link of this.#bootstrapLinks.values()) link.close();
    this.#bootstrapLinks.clear();
  }

  #dropLinksToFormerAddresses(): void {
    for (const links of this.#links.values()) {
      for (const [nodeId, link] of links) {
        const address = this.#metadata.brokers.get(nodeId);
        if (address !== undefined && isSameAddress(address, link.address)) continue;
        link.close();
        links.delete(nodeId);
      }
    }
  }
}

function isSameAddress(a: BrokerAddress, b: BrokerAddress): boolean {
  return a.host === b.host && a.port === b.port;
}
