/** A stream thread as the main thread holds it, in its own loop or in a worker. */
import type { ThreadMemory } from './thread-memory.ts';

export interface ThreadHandle {
  readonly name: string;
  readonly memory: ThreadMemory;
  /** Node's number of the worker; 0 in the caller's loop. */
  readonly threadId: number;
  /** Resolves when the thread has stopped in order; rejects with what killed it. */
  readonly done: Promise<void>;
  stop(): void;
  /** Ends it without waiting for Kafka: its transaction stays open until fenced or timed out. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Batches committed to these topics are told from now on. */
  listen(topics: readonly string[]): void;
}
