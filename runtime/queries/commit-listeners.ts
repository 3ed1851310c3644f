/** Who waits for what this instance commits. */
import type { CommitNotice } from '../../interactive-queries/queryable-streams.ts';

interface CommitListener {
  readonly topics: readonly string[];
  readonly wanted: () => boolean;
  readonly listener: (notice: CommitNotice) => void;
}

export class CommitListeners {
  readonly #listeners = new Set<CommitListener>();
  readonly #onTopics: (topics: readonly string[]) => void;

  constructor(onTopics: (topics: readonly string[]) => void) {
    this.#onTopics = onTopics;
  }

  topics(): readonly string[] {
    return [...new Set([...this.#listeners].flatMap(({ topics }) => topics))];
  }

  add(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    this.#onTopics(this.topics());
    return () => {
      this.#listeners.delete(listener);
      this.#onTopics(this.topics());
    };
  }

  tell(notice: CommitNotice): void {
    for (const { topics, wanted, listener } of this.#listeners) {
      if (!wanted()) continue;
      const outputs = notice.outputs.filter(({ topic }) => topics.includes(topic));
      listener({ ...notice, outputs });
    }
  }
}
