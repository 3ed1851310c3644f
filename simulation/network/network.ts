/**
 * The network between clients and the broker. A connection is TCP: in order, each byte at most once,
 * and either side may learn of its end late or never. What goes wrong goes wrong in ways TCP allows:
 * delays, links that hold everything back (both ways or one), connections that break before the request
 * arrived, after it, or while it is still on its way and will arrive long after the client has asked
 * again on another connection. One way TCP does not: a request may be served twice, as proxies do it.
 */
import { MillraceError } from '../../base/errors.ts';
import type { ConnectionContext, FrameHandler } from '../../embedded-kafka/ports.ts';
import type { BrokerAddress, BrokerConnector } from '../../kafka/wire.ts';
import type { Process } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { Connection } from './connection.ts';
import { Coordinators } from './coordinators.ts';

export const BROKER_ADDRESS: BrokerAddress = { host: 'broker', port: 9092 };

/** Probabilities per message, times in milliseconds. */
export interface NetworkTrouble {
  readonly delayMsMax: number;
  /** The request never arrives, the connection breaks. */
  readonly loseRequest: number;
  /** The request is served, its answer never arrives, the connection breaks. */
  readonly loseAnswer: number;
  /** The connection breaks at once; the request arrives later all the same. */
  readonly lateRequest: number;
  /** The request is served twice: now and later. */
  readonly duplicate: number;
  /** This message, and all behind it, take long. */
  readonly stall: number;
  /** From now on nothing passes on this connection, and nobody is told. */
  readonly halfOpen: number;
  /** A transaction's marker reaches its partition late: the outcome is decided, and not seen yet. */
  readonly lateMarker: number;
  readonly markerMsMax: number;
  /** The broker answers as a cluster would whose leaders and coordinators move. */
  readonly refuse: number;
  readonly lateMsMax: number;
  /** APIs whose requests never arrive twice: the protocol has no defence. */
  readonly neverTwice: ReadonlySet<string>;
}

export const CALM: NetworkTrouble = {
  delayMsMax: 0.5,
  loseRequest: 0,
  loseAnswer: 0,
  lateRequest: 0,
  duplicate: 0,
  stall: 0,
  halfOpen: 0,
  lateMarker: 0,
  markerMsMax: 0,
  refuse: 0,
  lateMsMax: 0,
  neverTwice: new Set(),
};

const ANY_PURPOSE = /^/;

export type Direction = 'toBroker' | 'toClient';

interface Block {
  readonly directions: readonly Direction[];
  /** Of connections with such a purpose; default: of all. */
  readonly purposes: RegExp;
}

/** What listens at the address. */
export interface Server {
  readonly process: Process;
  readonly handler: FrameHandler;
  /** The same, as everybody but the auditor sees it. */
  readonly facing: FrameHandler;
}

export class Network {
  readonly world: World;
  trouble: NetworkTrouble = CALM;
  readonly coordinators = new Coordinators();
  #server: Server | undefined;
  readonly #connections = new Set<Connection>();
  /** Links that hold back, by client. */
  readonly #blocked = new Map<string, Block>();
  #connectionIds = 0;
  /** Who has ended a transaction and does not know how: by Kafka client, of which a process may have several. */
  readonly #awaitingOutcome = new Map<BrokerConnector, Process>();

  constructor(world: World) {
    this.world = world;
  }

  get server(): Server | undefined {
    return this.#server;
  }

  listen(server: Server): void {
    this.#server = server;
    server.process.onDeath(() => this.#serverDied(server));
  }

  connector(client: Process, link: string, clientId: string): BrokerConnector {
    client.onDeath(() => this.#clientDied(client));
    const origin: BrokerConnector = {
      connect: async (_address, purpose) => {
        await client.clock.sleep(this.world.between(0.05, 0.5));
        const server = this.#server;
        if (this.#blocked.get(link)?.purposes.test(purpose) === true) {
          await client.clock.sleep(1_000);
          throw unreachableBroker('no answer');
        }
        if (server === undefined || !server.process.isAlive) throw unreachableBroker('refused');
        const connection = new Connection(this, {
          origin,
          client,
          link,
          purpose,
          clientId,
          server,
        });
        this.#connections.add(connection);
        return connection.clientEnd;
      },
    };
    return origin;
  }

  /** A commit that is unknown is known when it is answered, or when its producer has begun anew. */
  requestSent({ origin, client }: Connection, api: string): void {
    if (api === 'EndTxn') this.#awaitingOutcome.set(origin, client);
  }

  requestAnswered({ origin }: Connection, api: string): void {
    if (api === 'EndTxn' || api === 'InitProducerId') this.#awaitingOutcome.delete(origin);
  }

  awaitsOutcome(client: Process): boolean {
    return [...this.#awaitingOutcome.values()].includes(client);
  }

  block(link: string, directions: readonly Direction[], purposes = ANY_PURPOSE): void {
    this.#blocked.set(link, { directions, purposes });
  }

  /** What was held back goes on its way. */
  unblock(link: string): void {
    this.#blocked.delete(link);
    for (const connection of [...this.#connections]) {
      if (connection.link === link) connection.flush();
    }
  }

  unblockAll(): void {
    for (const link of [...this.#blocked.keys()]) this.unblock(link);
  }

  isBlocked({ link, purpose }: Connection, direction: Direction): boolean {
    const block = this.#blocked.get(link);
    return block?.directions.includes(direction) === true && block.purposes.test(purpose);
  }

  /** Of a new connection, as the broker sees it. */
  connectionContext(): ConnectionContext {
    return {
      connectionId: ++this.#connectionIds,
      clientSoftwareName: 'unknown',
      clientHost: '10.0.0.7',
      localHost: BROKER_ADDRESS.host,
      localPort: BROKER_ADDRESS.port,
    };
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  #serverDied(server: Server): void {
    if (this.#server === server) this.#server = undefined;
    for (const connection of [...this.#connections]) {
      if (connection.server === server) connection.breakForClient();
    }
  }

  #clientDied(client: Process): void {
    for (const connection of [...this.#connections]) {
      if (connection.client === client) connection.closeForServer();
    }
  }
}

function unreachableBroker(why: string): MillraceError {
  return new MillraceError('KAFKA_UNAVAILABLE', `the simulated broker: ${why}`);
}
