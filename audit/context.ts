/** What every part of one audit shares. */
import type { TransactionFates } from './checks/transactions.ts';
import type { FestivalAudit } from './festival/festival-audit.ts';
import type { Findings } from './findings.ts';
import type { Money } from './life/money.ts';
import type { RawBatches } from './log-source.ts';
import type { OrderAudit } from './orders/order-audit.ts';
import type { SaleRecords } from './sale-records.ts';

export interface AuditContext {
  readonly findings: Findings;
  readonly fates: TransactionFates;
  readonly records: SaleRecords;
  readonly money: Money;
  readonly festival: FestivalAudit;
  /** undefined = the sale takes none, or they have not been read yet. */
  readonly orders: OrderAudit | undefined;
  /** Raw batches of the partition, from its start to its end as it was sampled. */
  readonly open: (topic: string, partition: number) => AsyncIterator<RawBatches>;
  /** Where the partition begins: what is missing behind it has been compacted. */
  readonly startOf: (topic: string, partition: number) => number;
  /** So many offsets more have been read. */
  readonly progress: (offsets: number) => void;
}
