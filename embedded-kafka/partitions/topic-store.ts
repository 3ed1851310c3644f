/**
 * What the broker must remember of its topics, in one small file that is replaced atomically, and
 * where their partitions lie. Directories carry topic ids, not names: a topic that was deleted and
 * made again never meets its former files.
 */
import { readSealedJsonOrFail, writeSealedJson } from '../disk/sealed-file.ts';
import type { Disk } from '../ports.ts';

const TOPICS_FILE = 'topics.json';
const TOPICS_DIRECTORY = 'topics';

export interface SavedTopic {
  readonly name: string;
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: number;
  readonly configs: Readonly<Record<string, string>>;
}

export interface SavedTopics {
  readonly leaderEpoch: number;
  /** The last process closed every log; else the leader epoch grows. */
  readonly isCleanlyClosed: boolean;
  readonly topics: readonly SavedTopic[];
}

const NO_TOPICS: SavedTopics = { leaderEpoch: 0, isCleanlyClosed: true, topics: [] };

export class TopicStore {
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
    disk.makeDirectory(TOPICS_DIRECTORY);
  }

  /** Throws STORE_CORRUPT: without this file nobody knows which files are what. */
  load(): SavedTopics {
    return (readSealedJsonOrFail(this.#disk, TOPICS_FILE) as SavedTopics | undefined) ?? NO_TOPICS;
  }

  /** Durable when it returns. */
  save(saved: SavedTopics): void {
    writeSealedJson(this.#disk, TOPICS_FILE, saved);
  }

  partitionDirectory(topicId: string, partition: number): string {
    return `${TOPICS_DIRECTORY}/${topicId}/${partition}`;
  }

  removeTopic(topicId: string): void {
    this.#disk.remove(`${TOPICS_DIRECTORY}/${topicId}`);
  }

  removePartition(topicId: string, partition: number): void {
    this.#disk.remove(this.partitionDirectory(topicId, partition));
  }

  /** What a crash in the middle of creating or deleting has left. */
  removeUnknown(topics: readonly SavedTopic[]): void {
    const known = new Map(topics.map((topic) => [topic.topicId, topic]));
    for (const topicId of this.#disk.list(TOPICS_DIRECTORY)) {
      const topic = known.get(topicId);
      if (topic === undefined) {
        this.removeTopic(topicId);
        continue;
      }
      for (const partition of this.#disk.list(`${TOPICS_DIRECTORY}/${topicId}`).map(Number)) {
        if (!(partition < topic.partitions)) this.removePartition(topicId, partition);
      }
    }
  }
}
