/** Who waits for what this instance commits. A listener that throws harms neither the others nor the process. */
import type { Log } from '../../base/log.ts';
import type { CommitNotice } from '../../interactive-queries/queryable-streams.ts';

interface CommitListener {
  readonly topics: readonly string[];
  readonly wanted: () => boolean;
  readonly listener: (notice: CommitNotice) => void;
}

interface Registered extends CommitListener {
  /** It has thrown before: said once, not at every commit. */
  hasFailed: boolean;
}

export class CommitListeners {
  readonly #listeners = new Set<Registered>();
  readonly #onTopics: (topics: readonly string[]) => void;
  readonly #log: Log;

  constructor(onTopics: (topics: readonly string[]) => void, log: Log) {
    this.#onTopics = onTopics;
    this.#log = log;
  }

  topics(): readonly string[] {
    return [...new Set([...this.#listeners].flatMap(({ topics }) => topics))];
  }

  add(listener: CommitListener): () => void {
    const registered = { ...listener, hasFailed: false };
    this.#listeners.add(registered);
    this.#onTopics(this.topics());
    return () => {
      this.#listeners.delete(registered);
      this.#onTopics(this.topics());
    };
  }

  tell(notice: CommitNotice): void {
    for (const registered of this.#listeners) {
      try {
        tellOne(registered, notice);
      } catch (error) {
        if (registered.hasFailed) continue;
        registered.hasFailed = true;
        const { topics } = registered;
        this.#log.error({ topics, err: error }, 'a listener of commits failed; it is kept');
      }
    }
  }
}

function tellOne({ topics, wanted, listener }: CommitListener, notice: CommitNotice): void {
  if (!wanted()) return;
  const outputs = notice.outputs.filter(({ topic }) => topics.includes(topic));
  listener({ ...notice, outputs });
}
