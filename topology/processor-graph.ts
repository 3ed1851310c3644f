/**
 * One sub-topology, instantiated for one task: nodes that call each other directly.
 * Owns nothing outside: stores, sinks, time and schedules come from the host (the task, or the
 * TopologyTestDriver).
 *
 * G1. Nothing is allocated per record but what processors forward; a promise exists only when a
 *     processor returned one, and then everything after it waits for it.
 * G2. When a node throws or rejects, currentNodeName() is its name.
 */
import { MillraceError } from '../base/errors.ts';
import type { KeyValueStore } from '../stores/state-store.ts';
import { andThen } from './and-then.ts';
import type {
  Cancellable,
  Processor,
  ProcessorContext,
  PunctuationType,
  Punctuator,
  RecordMetadata,
  StreamRecord,
} from './processor.ts';
import type { ProcessorNode, SinkNode, SubTopology } from './sub-topology.ts';

export interface GraphHost {
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  store(name: string): KeyValueStore<unknown, unknown>;
  /** A record reached a sink. */
  collect(sink: SinkNode, record: StreamRecord<unknown, unknown>): void;
  schedule(
    nodeName: string,
    intervalMs: number,
    type: PunctuationType,
    punctuator: Punctuator,
  ): Cancellable;
  requestCommit(): void;
  recordMetadata(): RecordMetadata | undefined;
  streamTimeMs(): number;
  systemTimeMs(): number;
  monotonicMs(): number;
  /** A processor left a record out on purpose (no key to group by, say). For metrics. */
  recordDropped?(nodeName: string, reason: string): void;
}

export interface ProcessorGraph {
  /** init() of every processor, parents first. */
  init(): void;
  /**
   * Into the source node of that topic (as SubTopology.sourceTopics names it). A promise only if some
   * processor returned one.
   */
  process(topic: string, record: StreamRecord<unknown, unknown>): void | Promise<void>;
  /** Processor.flush(), parents first. */
  flush(): void | Promise<void>;
  close(): void;
  /** The node that ran last: names the culprit in an error. */
  currentNodeName(): string;
}

/** Instantiates every processor. Throws TOPOLOGY_INVALID when a supplier hands out one processor twice. */
export function buildProcessorGraph(subTopology: SubTopology, host: GraphHost): ProcessorGraph {
  return new RunningGraph(subTopology, host);
}

type UnknownRecord = StreamRecord<unknown, unknown>;

/** Where records can be sent: a processor or a sink. */
interface Downstream {
  readonly name: string;
  /** Returns undefined or a promise, nothing else. */
  accept(record: UnknownRecord): void | Promise<void>;
}

/** The name is shared by all nodes of a graph; a mutable field of an object, so that it costs a store. */
interface Current {
  nodeName: string;
}

class RunningGraph implements ProcessorGraph {
  readonly #current: Current = { nodeName: '' };
  readonly #processors: RunningProcessor[] = [];
  readonly #sources = new Map<string, { name: string; children: readonly Downstream[] }>();

  constructor(subTopology: SubTopology, host: GraphHost) {
    const downstreams = new Map<string, Downstream>();
    const childrenOf = (names: readonly string[]) => names.map((name) => downstreams.get(name)!);
    // Children first, so that every node finds its own.
    for (const node of [...subTopology.nodes].reverse()) {
      if (node.kind === 'sink') {
        downstreams.set(node.name, new RunningSink(node, host, this.#current));
      } else if (node.kind === 'processor') {
        const children = childrenOf(node.children);
        const processor = new RunningProcessor(node, children, host, this.#current);
        downstreams.set(node.name, processor);
        this.#processors.unshift(processor);
      } else {
        const source = { name: node.name, children: childrenOf(node.children) };
        for (const topic of node.topics) this.#sources.set(topic, source);
      }
    }
  }

  init(): void {
    for (const processor of this.#processors) processor.init();
  }

  process(topic: string, record: UnknownRecord): void | Promise<void> {
    const source = this.#sources.get(topic);
    if (source === undefined) {
      throw new MillraceError('INTERNAL', `no source of this sub-topology reads ${topic}`);
    }
    this.#current.nodeName = source.name;
    return acceptAll(source.children, record, 0);
  }

  flush(): void | Promise<void> {
    return this.#flushFrom(0);
  }

  close(): void {
    for (const processor of this.#processors) processor.close();
  }

  currentNodeName(): string {
    return this.#current.nodeName;
  }

  #flushFrom(start: number): void | Promise<void> {
    for (let i = start; i < this.#processors.length; i++) {
      const flushed = this.#processors[i]!.flush();
      if (flushed !== undefined) return flushed.then(() => this.#flushFrom(i + 1));
    }
  }
}

class RunningProcessor implements Downstream, ProcessorContext {
  readonly name: string;
  readonly applicationId: string;
  readonly taskId: string;
  readonly partition: number;
  readonly #processor: Processor;
  readonly #stores: ReadonlySet<string>;
  readonly #children: readonly Downstream[];
  readonly #host: GraphHost;
  readonly #current: Current;

  constructor(
    node: ProcessorNode,
    children: readonly Downstream[],
    host: GraphHost,
    current: Current,
  ) {
    this.name = node.name;
    this.applicationId = host.applicationId;
    this.taskId = host.taskId;
    this.partition = host.partition;
    this.#processor = newProcessor(node);
    this.#stores = new Set(node.stores);
    this.#children = children;
    this.#host = host;
    this.#current = current;
  }

  init(): void {
    this.#current.nodeName = this.name;
    this.#processor.init?.(this);
  }

  accept(record: UnknownRecord): void | Promise<void> {
    const caller = this.#current.nodeName;
    this.#current.nodeName = this.name;
    return this.#leave(this.#processor.process(record), caller);
  }

  flush(): void | Promise<void> {
    this.#current.nodeName = this.name;
    return andThen(this.#processor.flush?.());
  }

  close(): void {
    this.#current.nodeName = this.name;
    this.#processor.close?.();
  }

  forward(record: UnknownRecord, child?: string): void | Promise<void> {
    if (child !== undefined) return this.#childNamed(child).accept(record);
    return acceptAll(this.#children, record, 0);
  }

  getStateStore<K, V>(name: string): KeyValueStore<K, V> {
    if (!this.#stores.has(name)) {
      throw new MillraceError('STORE_UNKNOWN', `processor ${this.name} has no store ${name}`, {
        hint: `Connect it: connectProcessorAndStateStores('${this.name}', '${name}').`,
      });
    }
    return this.#host.store(name) as KeyValueStore<K, V>;
  }

  schedule(intervalMs: number, type: PunctuationType, punctuator: Punctuator): Cancellable {
    return this.#host.schedule(this.name, intervalMs, type, (timestampMs) => {
      this.#current.nodeName = this.name;
      return punctuator(timestampMs);
    });
  }

  commit(): void {
    this.#host.requestCommit();
  }

  recordMetadata(): RecordMetadata | undefined {
    return this.#host.recordMetadata();
  }

  recordDropped(reason: string): void {
    this.#host.recordDropped?.(this.name, reason);
  }

  currentStreamTimeMs(): number {
    return this.#host.streamTimeMs();
  }

  currentSystemTimeMs(): number {
    return this.#host.systemTimeMs();
  }

  currentMonotonicMs(): number {
    return this.#host.monotonicMs();
  }

  /** The caller runs again; after a throw or a rejection it does not, and the name stays (G2). */
  #leave(result: void | Promise<void>, caller: string): void | Promise<void> {
    if (result === undefined) {
      this.#current.nodeName = caller;
      return;
    }
    return andThen(result, () => {
      this.#current.nodeName = caller;
    });
  }

  #childNamed(name: string): Downstream {
    for (const child of this.#children) if (child.name === name) return child;
    throw new MillraceError('TOPOLOGY_INVALID', `${this.name} has no child ${name} to forward to`, {
      hint: `Its children: ${this.#children.map((child) => child.name).join(', ') || 'none'}.`,
    });
  }
}

class RunningSink implements Downstream {
  readonly name: string;
  readonly #node: SinkNode;
  readonly #host: GraphHost;
  readonly #current: Current;

  constructor(node: SinkNode, host: GraphHost, current: Current) {
    this.name = node.name;
    this.#node = node;
    this.#host = host;
    this.#current = current;
  }

  accept(record: UnknownRecord): void {
    const caller = this.#current.nodeName;
    this.#current.nodeName = this.name;
    this.#host.collect(this.#node, record);
    this.#current.nodeName = caller;
  }
}

function acceptAll(
  children: readonly Downstream[],
  record: UnknownRecord,
  start: number,
): void | Promise<void> {
  for (let i = start; i < children.length; i++) {
    const accepted = children[i]!.accept(record);
    if (accepted !== undefined) return accepted.then(() => acceptAll(children, record, i + 1));
  }
}

/** Every processor that any graph runs: one that is found here belongs to another task. */
const taken = new WeakSet<Processor>();

function newProcessor(node: ProcessorNode): Processor {
  const processor = node.supplier();
  if (taken.has(processor)) {
    throw new MillraceError('TOPOLOGY_INVALID', `${node.name} shares one processor between tasks`, {
      hint: 'The supplier must return a new processor each time it is called.',
    });
  }
  taken.add(processor);
  return processor;
}
