/** What the payment side said, partition by partition: read before anything else, with its dead letters. */
import type { RecordCursor } from '../../../kafka/records/types.ts';
import { DeadLetters } from '../../checks/dead-letters.ts';
import type { AuditContext } from '../../context.ts';
import { CommittedLog } from '../../log/committed-log.ts';
import type { EarlyPaymentRecord } from '../../records/festival-records.ts';
import { keyOf } from '../../records/record-reader.ts';
import { earlyPaymentsOf, MONEY_TOPICS } from '../../topics.ts';
import type { QueuedPayment } from './payment-queue.ts';

export interface PartitionPayments {
  /** Consumed by the application. */
  readonly log: CommittedLog;
  readonly recordCount: number;
  /** Of purchases, in log order. */
  readonly queued: readonly QueuedPayment[];
}

export async function readPayments(
  applicationId: string,
  partitionCount: number,
  context: AuditContext,
): Promise<readonly PartitionPayments[]> {
  const all: PartitionPayments[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    all.push(await readPartition(applicationId, partition, context));
  }
  context.festival.payments.link();
  return all;
}

async function readPartition(
  applicationId: string,
  partition: number,
  context: AuditContext,
): Promise<PartitionPayments> {
  const { findings } = context;
  const log = new CommittedLog(MONEY_TOPICS.payments, partition, context);
  const deadLog = new CommittedLog(MONEY_TOPICS.deadPayments, partition, context);
  const letters = new DeadLetters(findings, deadLog, MONEY_TOPICS.payments);
  await letters.readAll();
  const offsets = new Set<number>();
  const queued: QueuedPayment[] = [];
  await log.read((record) => {
    offsets.add(record.offset);
    const payment = readPayment(record, log.placeOf(record.offset), letters, context);
    if (payment !== undefined) queued.push(payment);
    return 'next';
  });
  letters.end((offset) => offsets.has(offset));
  const waiting = new CommittedLog(earlyPaymentsOf(applicationId), partition, context);
  await readWaiting(waiting, context);
  const logs = [log, deadLog, waiting];
  return { log, recordCount: logs.reduce((sum, each) => sum + each.recordCount, 0), queued };
}

/** The festival's payments that still wait for their purchases. */
async function readWaiting(log: CommittedLog, { festival }: AuditContext): Promise<void> {
  const waiting = new Map<string, EarlyPaymentRecord>();
  await log.read((record) => {
    const { buffer, valueStart, valueEnd } = record;
    const key = keyOf(record) ?? '';
    if (valueStart < 0) waiting.delete(key);
    else {
      const text = buffer.toString('utf8', valueStart, valueEnd);
      waiting.set(key, JSON.parse(text) as EarlyPaymentRecord);
    }
    return 'next';
  });
  for (const early of waiting.values()) festival.payments.waits(early);
}

/** undefined = none of a purchase: an order's, or a dead letter. */
function readPayment(
  record: RecordCursor,
  place: string,
  letters: DeadLetters,
  { records, orders, festival }: AuditContext,
): QueuedPayment | undefined {
  const { offset, timestampMs: timeMs } = record;
  const payment = records.payment.read(record);
  const theirs = payment === undefined ? records.festivalPayment.read(record) : undefined;
  if (theirs !== undefined) {
    const at = { offset, timeMs, letter: letters.look(record), place };
    const { payment: known, flaw } = festival.payments.said(theirs, record.headers(), at);
    if (flaw !== undefined) letters.expect(record, flaw, place);
    return known;
  }
  const isOurs = payment !== undefined && keyOf(record) === `${payment.eventId}/${payment.zoneId}`;
  if (!isOurs) {
    letters.expect(record, 'it is no payment', place);
    return undefined;
  }
  const letter = letters.look(record);
  const { purchaseId } = payment;
  if (letter === 'none' && orders?.payment(payment, place) === true) return undefined;
  return { kind: 'own', payment, purchaseId, offset, timeMs, letter, place };
}
