/**
 * The sale without Kafka: one log, decided by the real decisions when the test says so, and any
 * number of instances with the real API over it. What they know of each other is what it says.
 */
import { inspect } from 'node:util';
import type { Log } from '../../../base/log.ts';
import { partitionForKey } from '../../../kafka/murmur2.ts';
import type { SentRecord } from '../../../kafka/ports.ts';
import { readConfig } from '../../../ticket-sales/app/config.ts';
import { CATALOG_STORES } from '../../../ticket-sales/catalog/catalog-tables.ts';
import type { CommandSender } from '../../../ticket-sales/command-sender.ts';
import type { PaymentUpdate, TicketCommand } from '../../../ticket-sales/domain/command.ts';
import { READ_MODEL_STORE, READ_MODEL_TOPIC } from '../../../ticket-sales/festival/read-model.ts';
import { createTicketApi, type TicketApi } from '../../../ticket-sales/http/ticket-api.ts';
import { ORDER_STORES } from '../../../ticket-sales/orders/order-processor.ts';
import { ORDER_TOPICS, orderSerdes } from '../../../ticket-sales/orders/order-records.ts';
import { type TicketSerdes, TOPICS, ticketSerdes } from '../../../ticket-sales/records.ts';
import { BUYER_STORE } from '../../../ticket-sales/reports/buyer-index.ts';
import { REPORT_STORES } from '../../../ticket-sales/reports/report-stores.ts';
import { STORES } from '../../../ticket-sales/sale/sale-stores.ts';
import { FakeStreams } from '../../interactive-queries/fake-streams.ts';
import { decideWith } from '../fake-processor.ts';
import { statusNotice } from './status-notice.ts';

export const PARTITIONS = 8;
const TOKEN = 'a-shared-secret-of-peers';

/** Topic -> the store of its latest values. */
const TABLES: ReadonlyMap<string, string> = new Map([
  [TOPICS.events, REPORT_STORES.events],
  [TOPICS.venues, CATALOG_STORES.venues],
  [TOPICS.customers, CATALOG_STORES.customers],
  [READ_MODEL_TOPIC, READ_MODEL_STORE],
]);

type Environment = Readonly<Record<string, string>>;

interface Entry {
  readonly topic: string;
  readonly key: string;
  readonly value: unknown;
  readonly partition: number;
  readonly offset: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export class FakeSale {
  readonly instances: FakeInstance[] = [];
  readonly sent: Entry[] = [];
  /** Everything that any instance said, as text. */
  readonly said: string[] = [];
  readonly log: Log = listeningLog((line) => this.said.push(line));
  readonly serdes: TicketSerdes = ticketSerdes({
    register: async () => 7,
    schemaById: async () => 'string',
  });
  /** Decide what is sent at once, as long as the test does not say otherwise. */
  isDeciding = true;
  /** Thrown by the next send, once. */
  nextSendError: Error | undefined;
  /** The broker acknowledges, but does not say where (a duplicate's acknowledgement). */
  isOffsetUnknown = false;
  readonly #ends = new Map<string, number>();
  #undecided: Entry[] = [];

  /** `env` is told to every instance. */
  static async start(instanceCount = 1, env: Environment = {}): Promise<FakeSale> {
    const sale = new FakeSale();
    await sale.serdes.purchase.prepare?.(TOPICS.purchaseStatus, 'value');
    await sale.serdes.outcome.prepare?.(TOPICS.purchaseStatus, 'value');
    for (let index = 0; index < instanceCount; index++) {
      const instance = new FakeInstance(sale, env);
      await instance.start();
      sale.instances.push(instance);
    }
    sale.assign((partition) => partition % instanceCount);
    return sale;
  }

  /** Tells all instances who owns what; undefined = nobody. */
  assign(ownerOf: (partition: number) => number | undefined): void {
    for (const [index, { streams }] of this.instances.entries()) {
      streams.elsewhere.clear();
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const owner = ownerOf(partition);
        if (owner === index) continue;
        const port = owner === undefined ? undefined : this.instances[owner]!.port;
        streams.elsewhere.set(
          partition,
          port === undefined ? undefined : { host: '127.0.0.1', port },
        );
      }
    }
  }

  async stop(): Promise<void> {
    for (const { api } of this.instances) await api.app.close(0);
  }

  get one(): FakeInstance {
    return this.instances[0]!;
  }

  /** The instance that owns a key's partition, or one that does not. */
  instanceOf(key: string, isOwner: boolean): FakeInstance {
    const partition = partitionOf(key);
    return this.instances.find(({ streams }) => streams.elsewhere.has(partition) !== isOwner)!;
  }

  readonly sender: CommandSender = {
    send: async ({ topic }, key, value): Promise<SentRecord> => {
      const error = this.nextSendError;
      this.nextSendError = undefined;
      if (error !== undefined) throw error;
      const partition = partitionOf(key);
      const offset = this.#ends.get(`${topic}-${partition}`) ?? 0;
      this.#ends.set(`${topic}-${partition}`, offset + 1);
      const entry = { topic, key, value, partition, offset };
      this.sent.push(entry);
      this.#undecided.push(entry);
      // As in life: later, and maybe before the acknowledgement has come.
      if (this.isDeciding) setImmediate(() => this.decide());
      return { partition, offset: this.isOffsetUnknown ? -1 : offset };
    },
  };

  /** Decides everything that was sent. */
  decide(): void {
    const entries = this.#undecided;
    this.#undecided = [];
    for (const entry of entries) this.#decide(entry);
  }

  #decide({ topic, key, value, partition, offset }: Entry): void {
    const owner = this.instances.find(({ streams }) => !streams.elsewhere.has(partition));
    const streams = (owner ?? this.one).streams;
    streams.position(partition, `${topic}-${partition}`, offset + 1);
    const table = TABLES.get(topic);
    if (table !== undefined) {
      streams.put(table, partition, key, value);
      return;
    }
    // Orders are decided in tests of their own.
    if (topic === ORDER_TOPICS.orders) return;
    const commands = value as TicketCommand | PaymentUpdate;
    const outcomes = decideWith(streams, { topic, partition, offset }, key, commands);
    if (outcomes.length > 0) streams.commit(statusNotice(this.serdes.purchase, outcomes));
  }
}

/** One process: its state, its API on a port of its own. */
export class FakeInstance {
  readonly streams = new FakeStreams();
  readonly api: TicketApi;
  port = 0;

  constructor(sale: FakeSale, env: Environment) {
    const partitionCount = PARTITIONS;
    for (const name of Object.values(STORES)) {
      this.streams.addStore(name, { partitionCount, topic: TOPICS.commands });
    }
    for (const [topic, name] of TABLES) this.streams.addStore(name, { partitionCount, topic });
    this.streams.addStore(CATALOG_STORES.unknownVenues, { partitionCount });
    this.streams.addStore(ORDER_STORES.orders, { partitionCount, topic: ORDER_TOPICS.orders });
    for (const name of [...Object.values(REPORT_STORES), BUYER_STORE]) {
      if (name !== REPORT_STORES.events) this.streams.addStore(name, { partitionCount });
    }
    const { config } = readConfig({ PEER_TOKEN: TOKEN, QUERY_TIMEOUT_MS: '1000', ...env });
    this.api = createTicketApi({
      config,
      orders: orderSerdes({ register: async () => 7, schemaById: async () => 'string' }),
      hasIntake: config.TICKETS_INTAKE === 'on',
      streams: this.streams,
      sender: sale.sender,
      serdes: sale.serdes,
      log: sale.log,
      self: { host: '127.0.0.1', port: 1 },
      version: '1.2.3',
    });
  }

  async start(): Promise<void> {
    this.port = await this.api.app.listen('127.0.0.1', 0, 'HTTP_PORT');
  }

  async ask(
    method: string,
    path: string,
    options: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { body, headers } = options;
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }
}

export function partitionOf(key: string): number {
  const bytes = Buffer.from(key);
  return partitionForKey(bytes, 0, bytes.length, PARTITIONS);
}

/** Hands every line over as text: an error with its message, cause and whatever it carries. */
function listeningLog(hear: (line: string) => void): Log {
  const say = (facts: object, message: string) =>
    hear(`${message} ${inspect(facts, { depth: 8 })}`);
  return { debug: say, info: say, warn: say, error: say, child: () => listeningLog(hear) };
}
