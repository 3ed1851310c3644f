/**
 * Looks each record of a stream up in a table. The table's updates cause no output; the result has the
 * stream record's time.
 */
import type { Processor, ProcessorContext, StreamRecord } from '../../processor.ts';
import type { TableReader, TableView } from '../table-origin.ts';
import { withValue } from './change.ts';

export interface StreamTableJoinOptions<K, V, VT, VR> {
  readonly table: TableView<K, VT>;
  /** `right` is null in a left join where the table has nothing. */
  readonly joiner: (left: V, right: VT | null, key: K) => VR;
  /** Also what finds nothing in the table gets through. */
  readonly isLeft: boolean;
}

export class StreamTableJoinProcessor<K, V, VT, VR> implements Processor<K, V, K, VR> {
  readonly #options: StreamTableJoinOptions<K, V, VT, VR>;
  #context!: ProcessorContext<K, VR>;
  #table!: TableReader<K, VT>;

  constructor(options: StreamTableJoinOptions<K, V, VT, VR>) {
    this.#options = options;
  }

  init(context: ProcessorContext<K, VR>): void {
    this.#context = context;
    this.#table = this.#options.table.open(context);
  }

  process(record: StreamRecord<K, V>): void | Promise<void> {
    const { key, value } = record;
    const { isLeft, joiner } = this.#options;
    // A null value would look like "nothing found" to the joiner of whoever joins next.
    if (value === null) return this.#context.recordDropped?.('null value');
    if (key === null && !isLeft) return this.#context.recordDropped?.('null key');
    const found = key === null ? null : this.#table.get(key);
    if (found === null && !isLeft) return;
    return this.#context.forward(withValue(record, joiner(value, found, key)));
  }
}
