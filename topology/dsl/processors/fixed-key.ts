/** processValues: a user's processor that may do everything but change the key. */
import { MillraceError } from '../../../base/errors.ts';
import { andThen } from '../../and-then.ts';
import type {
  Processor,
  ProcessorContext,
  ProcessorSupplier,
  StreamRecord,
} from '../../processor.ts';

/**
 * While a record is processed, forwarding another key throws PROCESSING_FAILED. What was held back for
 * flush() or a punctuator is taken to keep its key.
 */
export function fixedKeyProcessor<K, V, VR>(
  supplier: ProcessorSupplier<K, V, K, VR>,
): ProcessorSupplier<K, V, K, VR> {
  return () => new FixedKeyProcessor(supplier());
}

class FixedKeyProcessor<K, V, VR> implements Processor<K, V, K, VR> {
  readonly #inner: Processor<K, V, K, VR>;
  #processing: StreamRecord<K, V> | undefined;
  readonly #done = () => {
    this.#processing = undefined;
  };

  constructor(inner: Processor<K, V, K, VR>) {
    this.#inner = inner;
  }

  init(context: ProcessorContext<K, VR>): void {
    this.#inner.init?.({
      applicationId: context.applicationId,
      taskId: context.taskId,
      partition: context.partition,
      forward: (record, child) => {
        this.#check(record.key);
        return context.forward(record, child);
      },
      getStateStore: (name) => context.getStateStore(name),
      schedule: (intervalMs, type, punctuator) => context.schedule(intervalMs, type, punctuator),
      commit: () => context.commit(),
      recordDropped: (reason) => context.recordDropped?.(reason),
      recordMetadata: () => context.recordMetadata(),
      currentStreamTimeMs: () => context.currentStreamTimeMs(),
      currentSystemTimeMs: () => context.currentSystemTimeMs(),
      currentMonotonicMs: () => context.currentMonotonicMs(),
    });
  }

  process(record: StreamRecord<K, V>): void | Promise<void> {
    this.#processing = record;
    return andThen(this.#inner.process(record), this.#done);
  }

  flush(): void | Promise<void> {
    return this.#inner.flush?.();
  }

  close(): void {
    this.#inner.close?.();
  }

  #check(key: K): void {
    if (this.#processing === undefined || key === this.#processing.key) return;
    throw new MillraceError(
      'PROCESSING_FAILED',
      'processValues forwarded a record of another key',
      {
        hint: 'Use process(), which repartitions where the new key matters.',
      },
    );
  }
}
