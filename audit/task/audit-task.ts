/** One partition of the sale: its commands beside what they led to, then its changelogs, then transactions. */
import { checkPurchaseChangelog, checkZoneChangelog } from '../checks/changelogs.ts';
import type { AuditContext } from '../context.ts';
import { CommittedLog } from '../log/committed-log.ts';
import { SaleFold } from '../sale-fold.ts';
import { changelogsOf, TASK_TOPICS } from '../topics.ts';
import { TaskPass, type TaskToAudit } from './task-pass.ts';

export interface AuditedTask {
  readonly commandCount: number;
  readonly outcomeCount: number;
  readonly stockCount: number;
  readonly purchaseCount: number;
  readonly recordCount: number;
  /** Consumed by the application. */
  readonly inputs: readonly CommittedLog[];
}

export async function auditTask(task: TaskToAudit, context: AuditContext): Promise<AuditedTask> {
  const { applicationId, partition, partitionCount, payments } = task;
  const log = (topic: string) => new CommittedLog(topic, partition, context);
  const logs = {
    status: log(TASK_TOPICS.status),
    stock: log(TASK_TOPICS.stock),
    letters: log(TASK_TOPICS.deadLetters),
  };
  const fold = new SaleFold(partition, partitionCount);
  const { findings } = context;
  const violationsBefore = findings.total;
  const pass = new TaskPass(task, context, fold, logs);
  await pass.run();
  const { zones, purchases } = changelogsOf(applicationId);
  const changelogs = [log(zones), log(purchases)] as const;
  const zonesWritten = await checkZoneChangelog(changelogs[0], fold, pass.life, context);
  const purchasesWritten = await checkPurchaseChangelog(changelogs[1], fold, pass.life, context);
  // What is wrong by itself has been told: it need not be told as a torn transaction again.
  if (findings.total === violationsBefore) pass.checkTransactions(zonesWritten, purchasesWritten);
  else if (!pass.life.isIdle && logs.status.holes > 0) {
    const what = 'outcomes were compacted away, without which held purchases cannot be followed';
    findings.notValid(`${TASK_TOPICS.status}-${partition}: ${what}`);
  }
  const all = [pass.commands, ...Object.values(logs), ...changelogs];
  const recordCount = all.reduce((sum, each) => sum + each.recordCount, payments.recordCount);
  return {
    commandCount: pass.commands.recordCount,
    outcomeCount: logs.status.recordCount + logs.letters.recordCount,
    stockCount: logs.stock.recordCount,
    purchaseCount: fold.purchases.size + pass.life.purchases.size,
    recordCount,
    inputs: [pass.commands, payments.log],
  };
}
