/**
 * Which tasks have a store, and where these run: what every query asks first, worked out once and kept
 * until the group's leader tells otherwise.
 */
import type { PartitionLocation } from '../../interactive-queries/queryable-streams.ts';
import type { HostTasks } from '../assignment/assignment-codec.ts';
import { type TopicPlan, taskId } from '../assignment/topic-plan.ts';
import { locate } from './host-map.ts';

export interface StoreHome {
  readonly storeName: string;
  /** By partition. */
  readonly taskIds: readonly string[];
  /** Kept in memory by its task alone. */
  readonly isInMemory: boolean;
  location(partition: number): PartitionLocation;
}

export class StoreHomes {
  readonly #homes = new Map<string, KeptHome>();

  constructor({ subTopologies }: TopicPlan, processId: string) {
    for (const { subTopology, taskCount } of subTopologies) {
      const ids = Array.from({ length: taskCount }, (_, index) => taskId(subTopology.id, index));
      for (const { name, persistence } of subTopology.stores) {
        const about = { storeName: name, taskIds: ids, isInMemory: persistence === 'memory' };
        this.#homes.set(name, new KeptHome(about, subTopology.id, processId));
      }
    }
  }

  /** Undefined for a name that no store has. */
  of(storeName: string): StoreHome | undefined {
    return this.#homes.get(storeName);
  }

  hostsChanged(hosts: readonly HostTasks[]): void {
    for (const home of this.#homes.values()) home.hostsChanged(hosts);
  }
}

class KeptHome implements StoreHome {
  readonly storeName: string;
  readonly taskIds: readonly string[];
  readonly isInMemory: boolean;
  readonly #subTopologyId: number;
  readonly #processId: string;
  #hosts: readonly HostTasks[] = [];
  #locations: PartitionLocation[] = [];

  constructor(
    about: Pick<StoreHome, 'storeName' | 'taskIds' | 'isInMemory'>,
    subTopologyId: number,
    processId: string,
  ) {
    this.storeName = about.storeName;
    this.taskIds = about.taskIds;
    this.isInMemory = about.isInMemory;
    this.#subTopologyId = subTopologyId;
    this.#processId = processId;
  }

  hostsChanged(hosts: readonly HostTasks[]): void {
    this.#hosts = hosts;
    this.#locations = [];
  }

  location(partition: number): PartitionLocation {
    const known = this.#locations[partition];
    if (known !== undefined) return known;
    const task = { subTopologyId: this.#subTopologyId, partition };
    const location = locate(this.#hosts, this.#processId, task);
    // What is no partition of it is answered all the same, and not kept.
    if (partition < this.taskIds.length) this.#locations[partition] = location;
    return location;
  }
}
