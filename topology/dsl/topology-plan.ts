/**
 * What the DSL has been told so far: names given out and steps that will fill a Topology, in the order
 * of the calls. Steps run late because later calls decide earlier ones (a table gets a store only when
 * somebody needs it).
 */
import { MillraceError } from '../../base/errors.ts';
import type { Topology } from '../topology.ts';

export interface PlanOptions {
  /** See StreamsBuilderOptions. */
  readonly requireNames: boolean;
}

type Step = (topology: Topology) => void;

export class TopologyPlan {
  readonly #requireNames: boolean;
  readonly #steps: Step[] = [];
  readonly #nullKeySources = new Set<string>();
  #index = 0;

  constructor(options: PlanOptions) {
    this.#requireNames = options.requireNames;
  }

  /** `<prefix>0000000007`: one counter for all names of a builder, as in Kafka. */
  generateName(prefix: string): string {
    return `${prefix}${String(this.#index++).padStart(10, '0')}`;
  }

  /** A given name takes an index, too: naming one node leaves the generated names of others alone. */
  nameOf(given: string | undefined, prefix: string, suffix = ''): string {
    const generated = this.generateName(prefix);
    return given === undefined ? generated : given + suffix;
  }

  generateStoreName(prefix: string): string {
    return this.generateName(`${prefix}STATE-STORE-`);
  }

  /**
   * A name that Kafka topics carry must not change when somebody edits the code above it. Throws
   * TOPOLOGY_INVALID for a generated one, unless the builder allows them.
   */
  checkTopicName(what: 'store' | 'repartition topic', generated: string, option: string): void {
    if (!this.#requireNames) return;
    throw new MillraceError(
      'TOPOLOGY_INVALID',
      `a ${what} would get the generated name ${generated}, which changes with the code around it`,
      { hint: `Name it with { ${option}: '...' }, or build with { requireNames: false }.` },
    );
  }

  /** Something after these sources wants records without a key: a repartition must let them pass. */
  keepNullKeys(sources: readonly string[]): void {
    for (const source of sources) this.#nullKeySources.add(source);
  }

  /** Final when the topology is built. */
  keepsNullKeys(source: string): boolean {
    return this.#nullKeySources.has(source);
  }

  add(step: Step): void {
    this.#steps.push(step);
  }

  writeTo(topology: Topology): Topology {
    for (const step of this.#steps) step(topology);
    return topology;
  }
}
