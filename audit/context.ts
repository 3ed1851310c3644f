/** What every part of one audit shares. */
import type { FestivalAudit } from './festival/festival-audit.ts';
import type { Money } from './life/money.ts';
import type { ReadingContext } from './log/reading-context.ts';
import type { OrderAudit } from './orders/order-audit.ts';

export interface AuditContext extends ReadingContext {
  readonly money: Money;
  readonly festival: FestivalAudit;
  /** undefined = the sale takes none, or they have not been read yet. */
  readonly orders: OrderAudit | undefined;
}
