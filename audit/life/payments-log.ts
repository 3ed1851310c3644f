/** What the payment side said, in one partition: read before anything else, with its dead letters. */
import { DeadLetters } from '../checks/dead-letters.ts';
import type { CommittedLog } from '../committed-log.ts';
import type { AuditContext } from '../context.ts';
import { keyOf } from '../sale-records.ts';
import { MONEY_TOPICS } from '../topics.ts';
import type { LifeAudit } from './life-audit.ts';
import { isOfOrder } from './money.ts';

export async function readPayments(
  log: CommittedLog,
  deadLog: CommittedLog,
  { findings, records }: AuditContext,
  life: LifeAudit,
): Promise<void> {
  const letters = new DeadLetters(findings, deadLog, MONEY_TOPICS.payments);
  await letters.readAll();
  const offsets = new Set<number>();
  await log.read((record) => {
    const { offset, timestampMs: timeMs } = record;
    offsets.add(offset);
    const place = log.placeOf(offset);
    const payment = records.payment.read(record);
    const isOurs =
      payment !== undefined && keyOf(record) === `${payment.eventId}/${payment.zoneId}`;
    if (!isOurs) letters.expect(record, 'it is no payment', place);
    else if (!isOfOrder(payment.purchaseId)) {
      life.payment({ payment, offset, timeMs, letter: letters.look(record), place });
    }
    return 'next';
  });
  letters.end((offset) => offsets.has(offset));
}
