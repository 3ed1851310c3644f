/**
 * One sub-topology, instantiated for one task: nodes that call each other directly.
 * Owns nothing outside: stores, sinks, time and schedules come from the host (the task, or the
 * TopologyTestDriver).
 */
import type { KeyValueStore } from '../stores/state-store.ts';
import type { Cancellable, Punctuator, PunctuationType, RecordMetadata, StreamRecord } from './processor.ts';
import type { SinkNode } from './sub-topology.ts';

export interface GraphHost {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  store(name: string): KeyValueStore<unknown, unknown>;
  /** A record reached a sink. */
  collect(sink: SinkNode, record: StreamRecord<unknown, unknown>): void;
  schedule(nodeName: string, intervalMs: number, type: PunctuationType, punctuator: Punctuator): Cancellable;
  requestCommit(): void;
  recordMetadata(): RecordMetadata | undefined;
  streamTimeMs(): number;
  systemTimeMs(): number;
}

export interface ProcessorGraph {
  /** init() of every processor, parents first. */
  init(): void;
  /** Into the source node of that topic. A promise only if some processor returned one. */
  process(topic: string, record: StreamRecord<unknown, unknown>): void | Promise<void>;
  /** Processor.flush(), parents first. */
  flush(): void | Promise<void>;
  close(): void;
  /** The node that ran last: names the culprit in an error. */
  currentNodeName(): string;
}
