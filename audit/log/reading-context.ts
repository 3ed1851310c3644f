/** What reading partitions and their records asks for. */
import type { TransactionFates } from '../checks/transactions.ts';
import type { Findings } from '../findings.ts';
import type { SaleRecords } from '../records/record-reader.ts';
import type { RawBatches } from './log-source.ts';

export interface ReadingContext {
  readonly findings: Findings;
  readonly fates: TransactionFates;
  readonly records: SaleRecords;
  /** Raw batches of the partition, from its start to its end as it was sampled. */
  readonly open: (topic: string, partition: number) => AsyncIterator<RawBatches>;
  /** Where the partition begins: what is missing behind it has been compacted. */
  readonly startOf: (topic: string, partition: number) => number;
  /** So many offsets more have been read. */
  readonly progress: (offsets: number) => void;
}
