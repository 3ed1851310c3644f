/** A processor that is one function, for the operations that keep nothing between records. */
import type {
  Processor,
  ProcessorContext,
  ProcessorSupplier,
  StreamRecord,
} from '../../processor.ts';

export type ProcessFunction<KIn, VIn, KOut, VOut> = (
  record: StreamRecord<KIn, VIn>,
  context: ProcessorContext<KOut, VOut>,
) => void | Promise<void>;

export function functionProcessor<KIn, VIn, KOut, VOut>(
  process: ProcessFunction<KIn, VIn, KOut, VOut>,
): ProcessorSupplier<KIn, VIn, KOut, VOut> {
  return () => new FunctionProcessor(process);
}

class FunctionProcessor<KIn, VIn, KOut, VOut> implements Processor<KIn, VIn, KOut, VOut> {
  readonly #process: ProcessFunction<KIn, VIn, KOut, VOut>;
  #context!: ProcessorContext<KOut, VOut>;

  constructor(process: ProcessFunction<KIn, VIn, KOut, VOut>) {
    this.#process = process;
  }

  init(context: ProcessorContext<KOut, VOut>): void {
    this.#context = context;
  }

  process(record: StreamRecord<KIn, VIn>): void | Promise<void> {
    return this.#process(record, this.#context);
  }
}
