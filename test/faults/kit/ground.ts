/**
 * The Kafkas that scenarios run on, each started once when first needed. Our own have, besides the
 * listener for the harness, one listener per instance of the app whose advertised address is a proxy
 * of ours: whatever an instance does goes through links that a scenario holds in its hands.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { claimTopics } from '../../../bench/kit/claim-topics.ts';
import {
  freePort,
  type KafkaCluster,
  type KafkaNode,
  type ProxiedListener,
  startKafkaCluster,
  whyNoKafka,
} from '../../kit/apache-kafka.ts';
import { LinkProxy } from '../../kit/link-proxy.ts';
import { type GroundName, Skipped } from '../scenario.ts';

export const INSTANCE_NAMES = ['one', 'two', 'three'] as const;
export type InstanceName = (typeof INSTANCE_NAMES)[number];

export interface Ground {
  readonly name: GroundName;
  /** As the harness reaches it; undefined: the broker lives in the app. */
  readonly brokers: string | undefined;
  /** As an instance reaches it. */
  brokersOf(instance: InstanceName): string | undefined;
  /** By node: the links of an instance. Throws Skipped where there are none. */
  linksOf(instance: InstanceName): readonly LinkProxy[];
  readonly nodes: readonly KafkaNode[];
}

export interface GroundOptions {
  readonly directory: string;
  /** Somebody else's Kafka, for scenarios that need nothing but a Kafka. */
  readonly outsideBrokers: string | undefined;
  /** May delete the sale's topics there. */
  readonly mayDeleteTopics: boolean;
}

export class Grounds {
  readonly #options: GroundOptions;
  readonly #started = new Map<GroundName, Promise<OwnGround>>();

  constructor(options: GroundOptions) {
    this.#options = options;
  }

  /** Without topics of an earlier sale, all nodes up, all links open. Rejects with Skipped. */
  async take(name: GroundName): Promise<Ground> {
    if (name === 'embedded') return embeddedGround();
    const { outsideBrokers, mayDeleteTopics } = this.#options;
    if (outsideBrokers !== undefined && name === 'kafka') {
      await claimTopics(outsideBrokers, mayDeleteTopics).catch((error: Error) => {
        throw new Skipped(error.message);
      });
      return outsideGround(outsideBrokers);
    }
    // One at a time: three nodes and their neighbours do not fit a small machine.
    for (const other of this.#started.keys()) if (other !== name) await this.#stop(other);
    let started = this.#started.get(name);
    if (started === undefined) {
      started = startGround(name, join(this.#options.directory, name));
      this.#started.set(name, started);
    }
    const ground = await started.catch((error: unknown) => {
      this.#started.delete(name);
      throw error;
    });
    for (const node of ground.nodes) if (node.process() === undefined) await node.start();
    for (const links of ground.links.values()) {
      for (const link of links) {
        link.gate = undefined;
        link.become({ kind: 'open' });
      }
    }
    await claimTopics(ground.brokers, true);
    return ground;
  }

  /** What a scenario leaves on somebody else's Kafka is cleared away. */
  async giveBack(ground: Ground): Promise<void> {
    if (ground.name !== 'kafka' || this.#options.outsideBrokers === undefined) return;
    await claimTopics(this.#options.outsideBrokers, true);
  }

  async stop(): Promise<void> {
    for (const name of [...this.#started.keys()]) await this.#stop(name);
  }

  async #stop(name: GroundName): Promise<void> {
    const started = this.#started.get(name);
    this.#started.delete(name);
    const ground = await started?.catch(() => undefined);
    await ground?.stop();
  }
}

interface OwnGround extends Ground {
  readonly brokers: string;
  readonly links: ReadonlyMap<InstanceName, readonly LinkProxy[]>;
  stop(): Promise<void>;
}

function embeddedGround(): Ground {
  return {
    name: 'embedded',
    brokers: undefined,
    brokersOf: () => undefined,
    linksOf: noLinks,
    nodes: [],
  };
}

function outsideGround(brokers: string): Ground {
  return { name: 'kafka', brokers, brokersOf: () => brokers, linksOf: noLinks, nodes: [] };
}

function noLinks(): never {
  throw new Skipped('needs a Kafka that is started here, behind proxies');
}

async function startGround(name: GroundName, directory: string): Promise<OwnGround> {
  const missing = whyNoKafka();
  if (missing !== undefined) throw new Skipped(`no Apache Kafka here (${missing})`);
  mkdirSync(directory, { recursive: true });
  const nodeCount = name === 'kafka-3' ? 3 : 1;
  const links = new Map<InstanceName, LinkProxy[]>();
  const proxiedListeners: Record<string, readonly ProxiedListener[]> = {};
  for (const instance of INSTANCE_NAMES) {
    const proxies: LinkProxy[] = [];
    const addresses: ProxiedListener[] = [];
    for (let node = 0; node < nodeCount; node++) {
      const proxy = await LinkProxy.listen();
      const port = await freePort();
      proxy.forwardTo(port);
      proxies.push(proxy);
      addresses.push({ port, advertisedPort: proxy.port });
    }
    links.set(instance, proxies);
    proxiedListeners[instance.toUpperCase()] = addresses;
  }
  const cluster: KafkaCluster = await startKafkaCluster({
    directory,
    nodeCount,
    heapMb: nodeCount === 3 ? 320 : 512,
    proxiedListeners,
    ...(name === 'kafka-v1' ? { features: { 'transaction.version': 0 } } : {}),
  });
  const linksOf = (instance: InstanceName) => links.get(instance)!;
  return {
    name,
    brokers: cluster.brokers,
    brokersOf: (instance) =>
      linksOf(instance)
        .map(({ port }) => `127.0.0.1:${port}`)
        .join(','),
    linksOf,
    nodes: cluster.nodes,
    links,
    stop: async () => {
      for (const link of [...links.values()].flat()) link.close();
      await cluster.stop();
    },
  };
}
