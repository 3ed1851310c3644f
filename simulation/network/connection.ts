/** One simulated TCP connection: what becomes of each frame on its way. */
import type { BrokerConnector } from '../../kafka/wire.ts';
import type { Process } from '../world/process.ts';
import type { World } from '../world/world.ts';
import { ClientEnd } from './client-end.ts';
import type { Direction, Network, NetworkTrouble, Server } from './network.ts';
import { ServerEnd } from './server-end.ts';

interface Ends {
  /** Of all connections of one Kafka client. */
  readonly origin: BrokerConnector;
  readonly client: Process;
  readonly link: string;
  readonly purpose: string;
  readonly clientId: string;
  readonly server: Server;
}

type Held = () => void;

const RESTORING = /-restore$/;

export class Connection {
  readonly origin: BrokerConnector;
  readonly client: Process;
  readonly link: string;
  readonly purpose: string;
  readonly server: Server;
  readonly clientEnd: ClientEnd;
  readonly #serverEnd: ServerEnd;
  readonly #network: Network;
  readonly #world: World;
  readonly #arrivesAtMs = { toBroker: 0, toClient: 0 };
  readonly #held = { toBroker: [] as Held[], toClient: [] as Held[] };
  #isEnding = false;
  #isHalfOpen = false;

  constructor(network: Network, { origin, client, link, purpose, clientId, server }: Ends) {
    this.#network = network;
    this.#world = network.world;
    this.origin = origin;
    this.client = client;
    this.link = link;
    this.purpose = purpose;
    this.server = server;
    this.clientEnd = new ClientEnd(this, client, clientId);
    this.#serverEnd = new ServerEnd(server.facing, network.connectionContext(), this);
  }

  /** From the client: one request frame. */
  sendRequest(frame: Buffer, api: string): void {
    if (!this.client.effect(this.#effectOf(api))) return;
    this.#network.requestSent(this, api);
    this.#send(frame, api);
    this.client.effect(`sent ${api}`);
  }

  /** The client is about to hear an answer. False: it has died of it. */
  answered(api: string): boolean {
    this.#network.requestAnswered(this, api);
    return this.client.effect(`answered ${this.#effectOf(api)}`);
  }

  #effectOf(api: string): string {
    return RESTORING.test(this.purpose) ? `${api} to restore` : api;
  }

  #send(frame: Buffer, api: string): void {
    const apiName = `${api} of ${this.client.name}`;
    const trouble = this.#trouble();
    const fate = this.#world.random.next();
    const { loseRequest, loseAnswer, lateRequest, duplicate, halfOpen } = trouble;
    const repeat = trouble.neverTwice.has(api) ? 0 : duplicate;
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
    } else if (fate < loseRequest + loseAnswer + lateRequest + repeat) {
      this.#world.count('duplicated request');
      this.#deliver('toBroker', arrive, apiName);
      const ghost = new ServerEnd(this.server.facing, this.#network.connectionContext(), undefined);
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
    return this.#network.trouble;
  }
}
