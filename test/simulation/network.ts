/**
 * The network between clients and the broker. A connection is TCP: in order, each byte at most once,
 * and either side may learn of its end late or never. What goes wrong goes wrong in ways TCP allows:
 * delays, links that hold everything back (both ways or one), connections that break before the request
 * arrived, after it, or while it is still on its way and will arrive long after the client has asked
 * again on another connection. One way TCP does not: a request may be served twice, as proxies do it.
 */
import { MillraceError } from '../../base/errors.ts';
import type { FrameHandler } from '../../embedded-kafka/ports.ts';
import type { BrokerAddress, BrokerConnector } from '../../kafka/wire.ts';
import { ClientEnd } from './client-end.ts';
import { ServerEnd } from './server-end.ts';
import type { Process, World } from './world.ts';

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
  readonly lateMsMax: number;
}

export const CALM: NetworkTrouble = {
  delayMsMax: 0.5,
  loseRequest: 0,
  loseAnswer: 0,
  lateRequest: 0,
  duplicate: 0,
  stall: 0,
  halfOpen: 0,
  lateMsMax: 0,
};

const ANY_PURPOSE = /^/;

export type Direction = 'toBroker' | 'toClient';

interface Block {
  readonly directions: readonly Direction[];
  /** Of connections with such a purpose; default: of all. */
  readonly purposes: RegExp;
}

interface Server {
  readonly process: Process;
  readonly handler: FrameHandler;
}

export class Network {
  readonly world: World;
  trouble: NetworkTrouble = CALM;
  #server: Server | undefined;
  readonly #connections = new Set<Connection>();
  /** Links that hold back, by client. */
  readonly #blocked = new Map<string, Block>();
  #connectionIds = 0;

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

  connector(client: Process, link: string, clientId: string, isCalm = false): BrokerConnector {
    client.onDeath(() => this.#clientDied(client));
    return {
      connect: async (_address, purpose) => {
        await client.clock.sleep(this.world.between(0.05, 0.5));
        const server = this.#server;
        if (this.#blocked.get(link)?.purposes.test(purpose) === true) {
          await client.clock.sleep(1_000);
          throw unreachableBroker('no answer');
        }
        if (server === undefined || !server.process.isAlive) throw unreachableBroker('refused');
        const connection = new Connection(this, {
          client,
          link,
          purpose,
          clientId,
          server,
          isCalm,
        });
        this.#connections.add(connection);
        return connection.clientEnd;
      },
    };
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

  nextConnectionId(): number {
    return ++this.#connectionIds;
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

interface Ends {
  readonly client: Process;
  readonly link: string;
  readonly purpose: string;
  readonly clientId: string;
  readonly server: Server;
  /** Auditors see the broker as it is. */
  readonly isCalm: boolean;
}

type Held = () => void;

export class Connection {
  readonly client: Process;
  readonly link: string;
  readonly purpose: string;
  readonly server: Server;
  readonly clientEnd: ClientEnd;
  readonly #serverEnd: ServerEnd;
  readonly #network: Network;
  readonly #world: World;
  readonly #isCalm: boolean;
  readonly #arrivesAtMs = { toBroker: 0, toClient: 0 };
  readonly #held = { toBroker: [] as Held[], toClient: [] as Held[] };
  #isEnding = false;
  #isHalfOpen = false;

  constructor(network: Network, { client, link, purpose, clientId, server, isCalm }: Ends) {
    this.#network = network;
    this.#world = network.world;
    this.client = client;
    this.link = link;
    this.purpose = purpose;
    this.server = server;
    this.#isCalm = isCalm;
    this.clientEnd = new ClientEnd(this, client, clientId);
    this.#serverEnd = new ServerEnd(server.handler, network.nextConnectionId(), this);
  }

  /** From the client: one request frame. */
  sendRequest(frame: Buffer, api: string): void {
    const apiName = `${api} of ${this.client.name}`;
    if (!this.client.effect(api)) return;
    const trouble = this.#trouble();
    const fate = this.#world.random.next();
    const { loseRequest, loseAnswer, lateRequest, duplicate, halfOpen } = trouble;
    const arrive = () => this.#serverEnd.receive(frame);
    if (!this.#isHalfOpen && this.#world.chance(halfOpen)) {
      this.#world.count('half-open connection');
      this.#isHalfOpen = true;
      this.#serverEnd.mute();
    }
    if (this.#isHalfOpen) return;
    if (!this.server.process.isAlive) {
      this.breakForClient();
    } else if (fate < loseRequest) {
      this.#world.count('lost request');
      this.breakForClient();
    } else if (fate < loseRequest + loseAnswer) {
      this.#world.count('lost answer');
      this.#serverEnd.mute();
      this.#deliver('toBroker', arrive, apiName);
      this.breakForClient();
    } else if (fate < loseRequest + loseAnswer + lateRequest) {
      this.#world.count('late request');
      this.#serverEnd.mute();
      this.#arrivesAtMs.toBroker = this.#world.nowMs + this.#world.between(0, trouble.lateMsMax);
      this.#deliver('toBroker', arrive, `late ${apiName}`);
      this.breakForClient();
    } else if (fate < loseRequest + loseAnswer + lateRequest + duplicate) {
      this.#world.count('duplicated request');
      this.#deliver('toBroker', arrive, apiName);
      const ghost = new ServerEnd(this.server.handler, this.#network.nextConnectionId(), undefined);
      const afterMs = this.#world.between(0, trouble.lateMsMax);
      const again = () => ghost.receive(Buffer.from(frame));
      this.#world.schedule(this.server.process, afterMs, again, `duplicate ${apiName}`);
    } else {
      this.#deliver('toBroker', arrive, apiName);
    }
  }

  /** From the broker: one answer frame. */
  sendAnswer(frame: Buffer): void {
    if (!this.server.process.effect('answer')) return;
    this.#deliver('toClient', () => this.clientEnd.receive(frame), `answer ${frame.length}`);
  }

  /** The client learns that the connection is lost. */
  breakForClient(): void {
    this.#deliver('toClient', () => this.clientEnd.lose('the connection was reset'), 'reset');
    this.#end();
  }

  /** The broker learns that the client has closed. */
  closeForServer(): void {
    this.#deliver('toBroker', () => this.#serverEnd.close(), 'close');
    this.#end();
  }

  /** A link that held back lets go. */
  flush(): void {
    for (const direction of ['toBroker', 'toClient'] as const) {
      for (const send of this.#held[direction].splice(0)) send();
    }
    if (this.#isEnding) this.#network.forget(this);
  }

  /** One end has closed. What a link still holds back will arrive. */
  #end(): void {
    this.#isEnding = true;
    const isHeld = this.#held.toBroker.length + this.#held.toClient.length > 0;
    if (!isHeld) this.#network.forget(this);
  }

  #deliver(direction: Direction, arrive: () => void, label: string): void {
    const send = () => {
      const atMs = Math.max(
        this.#arrivesAtMs[direction],
        this.#world.nowMs + this.#delayMs(direction),
      );
      this.#arrivesAtMs[direction] = atMs;
      const receiver = direction === 'toBroker' ? this.server.process : this.client;
      this.#world.schedule(receiver, atMs - this.#world.nowMs, arrive, label);
    };
    if (this.#network.isBlocked(this, direction)) this.#held[direction].push(send);
    else send();
  }

  #delayMs(direction: Direction): number {
    const { delayMsMax, stall, lateMsMax } = this.#trouble();
    if (stall > 0 && this.#world.chance(stall)) {
      this.#world.count(`stalled ${direction}`);
      return this.#world.between(0, lateMsMax);
    }
    return this.#world.between(0.05, delayMsMax);
  }

  #trouble(): NetworkTrouble {
    return this.#isCalm ? CALM : this.#network.trouble;
  }
}

function unreachableBroker(why: string): MillraceError {
  return new MillraceError('KAFKA_UNAVAILABLE', `the simulated broker: ${why}`);
}
