/**
 * The broker without its sockets: one frame in, one frame out. Puts the rooms together (topics,
 * coordinators, handlers), dispatches requests by api key, and lets retention, compaction and
 * expiration run. Deterministic: time, randomness and the disk are given to it.
 */
import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import {
  decodeRequest,
  decodeRequestHeader,
  encodeResponseFrame,
  type ReceivedRequestHeader,
} from '../kafka/protocol/codec.ts';
import { apiVersionsApi } from '../kafka/protocol/messages/api-versions.ts';
import { BrokerConfig } from './broker-config.ts';
import { openClusterId } from './cluster-id.ts';
import { CoordinatorLog } from './coordinators/coordinator-log.ts';
import { GroupCoordinator } from './coordinators/group/group-coordinator.ts';
import {
  OFFSETS_TOPIC,
  openInternalTopic,
  TRANSACTIONS_TOPIC,
} from './coordinators/internal-topics.ts';
import { MarkerWriter } from './coordinators/transaction/marker-writer.ts';
import { ProducerIds } from './coordinators/transaction/producer-ids.ts';
import { TransactionCoordinator } from './coordinators/transaction/transaction-coordinator.ts';
import { unsupportedApiVersions } from './handlers/cluster/api-versions.ts';
import type { AnyHandler } from './handlers/define-handler.ts';
import { createHandlers } from './handlers/handlers.ts';
import { openTopicManager } from './partitions/topic-manager.ts';
import type { ConnectionContext, Disk, FrameHandler, TopicManager } from './ports.ts';

export interface BrokerOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Kafka's own names; see broker-config.ts. */
  readonly config: Readonly<Record<string, string>>;
  /** The disk has failed: nothing more will be acknowledged, and the process should end. */
  readonly onFatal: (error: MillraceError) => void;
  /** Simulation only: awaited before each transaction marker, whose way to the partition takes time in a real cluster. */
  readonly beforeMarker?: () => Promise<void>;
  /** Simulation only: sees every answer before it is encoded. */
  readonly onAnswer?: (apiName: string, answer: unknown) => void;
}

export interface Broker extends FrameHandler {
  readonly clusterId: string;
  readonly config: BrokerConfig;
  /** Waits for what has been begun, then closes the files. Requests after it are refused. */
  stop(): Promise<void>;
}

const PRODUCER_IDS_FILE = 'producer-ids';
/** encodeResponseFrame puts the size in front; a frame here goes without it. */
const FRAME_SIZE_BYTES = 4;

/** Recovers everything from the disk. Rejects with CONFIG_INVALID, STATE_DIR_UNUSABLE, STORE_IO or RECORD_CORRUPT. */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const { disk, clock, random, log } = options;
  const config = new BrokerConfig(options.config);
  const clusterId = openClusterId(disk, random);
  const topics = await openTopicManager({
    disk,
    clock,
    random,
    log,
    onFailure: options.onFatal,
    producerIdExpirationMs: config.number('producer.id.expiration.ms'),
  });
  const { groups, transactions } = createCoordinators(options, config, topics);
  groups.start();
  transactions.start();
  const parts = { topics, groups, transactions, config, clock, random, clusterId };
  const handlers = createHandlers(parts);
  return new RunningBroker({
    ...options,
    config,
    clusterId,
    topics,
    groups,
    transactions,
    handlers,
  });
}

function createCoordinators(
  { disk, clock, random, log, beforeMarker }: BrokerOptions,
  config: BrokerConfig,
  topics: TopicManager,
) {
  const records = new CoordinatorLog(clock);
  const offsetPartitions = config.number('offsets.topic.num.partitions');
  const groups = new GroupCoordinator({
    topic: openInternalTopic(topics, OFFSETS_TOPIC, offsetPartitions),
    records,
    clock,
    random,
    log: log.child({ coordinator: 'group' }),
    config: {
      minSessionTimeoutMs: config.number('group.min.session.timeout.ms'),
      maxSessionTimeoutMs: config.number('group.max.session.timeout.ms'),
      initialRebalanceDelayMs: config.number('group.initial.rebalance.delay.ms'),
      maxSize: config.number('group.max.size'),
      offsetsRetentionMs: config.number('offsets.retention.minutes') * 60_000,
      offsetMetadataBytesMax: config.number('offset.metadata.max.bytes'),
    },
  });
  const transactionPartitions = config.number('transaction.state.log.num.partitions');
  const transactions = new TransactionCoordinator({
    topics,
    topic: openInternalTopic(topics, TRANSACTIONS_TOPIC, transactionPartitions),
    records,
    producerIds: new ProducerIds(disk, PRODUCER_IDS_FILE),
    markers: new MarkerWriter(topics, groups, log, beforeMarker),
    clock,
    log: log.child({ coordinator: 'transaction' }),
    config: {
      maxTimeoutMs: config.number('transaction.max.timeout.ms'),
      abortTimedOutIntervalMs: config.number(
        'transaction.abort.timed.out.transaction.cleanup.interval.ms',
      ),
      transactionalIdExpirationMs: config.number('transactional.id.expiration.ms'),
      completionWaitMaxMs: config.number('transaction.completion.wait.ms'),
      transactionVersion: config.number('transaction.version'),
    },
  });
  return { groups, transactions };
}

interface Parts extends Omit<BrokerOptions, 'config'> {
  readonly config: BrokerConfig;
  readonly clusterId: string;
  readonly topics: TopicManager;
  readonly groups: GroupCoordinator;
  readonly transactions: TransactionCoordinator;
  readonly handlers: ReadonlyMap<number, AnyHandler>;
}

class RunningBroker implements Broker {
  readonly #parts: Parts;
  readonly #closing = new Map<number, AbortController>();
  #cancelMaintenance: () => void = () => {};
  #maintenance: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#scheduleMaintenance();
  }

  get clusterId(): string {
    return this.#parts.clusterId;
  }

  get config(): BrokerConfig {
    return this.#parts.config;
  }

  async handle(frame: Buffer, connection: ConnectionContext): Promise<Buffer | undefined> {
    if (this.#isStopped) throw new MillraceError('KAFKA_UNAVAILABLE', 'the broker has stopped');
    const header = decodeRequestHeader(frame);
    const handler = this.#parts.handlers.get(header.apiKey);
    const isSpoken =
      handler !== undefined &&
      header.apiVersion >= handler.minVersion &&
      header.apiVersion <= handler.maxVersion;
    if (!isSpoken) return this.#refuse(header);
    const request = decodeRequest(handler.api, header.apiVersion, frame, header.bodyAt);
    const closedSignal = () => this.#closedSignal(connection);
    const response = await handler.handle(request, {
      version: header.apiVersion,
      connection,
      clientId: header.clientId,
      // Few ask for it, and most connections are short.
      get closed() {
        return closedSignal();
      },
    });
    if (response === undefined) return undefined;
    this.#parts.onAnswer?.(handler.api.name, response);
    // The handler gave what its api writes: defineHandler has checked it.
    const answer = response as never;
    return withoutSize(
      encodeResponseFrame(handler.api, header.apiVersion, header.correlationId, answer),
    );
  }

  connectionClosed({ connectionId }: ConnectionContext): void {
    this.#closing.get(connectionId)?.abort();
    this.#closing.delete(connectionId);
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelMaintenance();
    for (const controller of this.#closing.values()) controller.abort();
    this.#closing.clear();
    const { groups, transactions, topics } = this.#parts;
    groups.stop();
    await transactions.stop();
    await this.#maintenance;
    await topics.close();
  }

  /**
   * As Kafka: only ApiVersions is answered in a version we do not speak, so that the client can choose
   * another one. Anything else unknown closes the connection: its answer could not be read.
   */
  #refuse({ api, apiKey, apiVersion, correlationId }: ReceivedRequestHeader): Buffer {
    if (apiKey === apiVersionsApi.key) {
      const answer = unsupportedApiVersions(this.#parts.handlers.values());
      return withoutSize(encodeResponseFrame(apiVersionsApi, 0, correlationId, answer));
    }
    const name = api?.name ?? 'no API that is known here';
    throw new MillraceError('KAFKA_PROTOCOL', `version ${apiVersion} of ${name} is not spoken`, {
      facts: { apiKey, apiVersion },
    });
  }

  #closedSignal({ connectionId }: ConnectionContext): AbortSignal {
    let controller = this.#closing.get(connectionId);
    if (controller === undefined) {
      controller = new AbortController();
      this.#closing.set(connectionId, controller);
    }
    return controller.signal;
  }

  #scheduleMaintenance(): void {
    const { clock, config } = this.#parts;
    const intervalMs = config.number('log.retention.check.interval.ms');
    this.#cancelMaintenance = clock.after(intervalMs, () => {
      this.#maintenance = this.#maintain().finally(() => {
        if (!this.#isStopped) this.#scheduleMaintenance();
      });
    });
  }

  async #maintain(): Promise<void> {
    const { topics, groups, transactions, log } = this.#parts;
    try {
      await topics.maintain();
      await groups.expire();
      await transactions.expire();
    } catch (error) {
      // A disk that fails has its own way to stop the broker; anything else may pass.
      log.error({ error }, 'maintenance failed and will be tried again');
    }
  }
}

function withoutSize(framed: Buffer): Buffer {
  return framed.subarray(FRAME_SIZE_BYTES);
}
