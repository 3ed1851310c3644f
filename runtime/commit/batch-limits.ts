/**
 * What each topic takes, asked for only when a broker has refused a batch: most topics take what every
 * topic takes by default, and asking at each start would need a right that nothing else needs.
 */
import { isMillraceError } from '../../base/errors.ts';
import type { Admin } from '../../kafka/ports.ts';
import { CommitFailed } from './committer.ts';
import type { RecordCollector } from './record-collector.ts';

/** True when the transaction failed for a batch above its topic's max.message.bytes. */
export function isTooLarge(failure: unknown): boolean {
  return (
    failure instanceof CommitFailed &&
    isMillraceError(failure.cause, 'KAFKA_FATAL') &&
    failure.cause.facts['isTooLarge'] === true
  );
}

/**
 * Tells the collector the max.message.bytes of every topic it writes. False when it knew them all: then
 * smaller batches do not help. Rejects what Admin.topicConfigs rejects.
 */
export async function learnBatchLimits(admin: Admin, collector: RecordCollector): Promise<boolean> {
  let isNews = false;
  for (const topic of collector.writtenTopics()) {
    const bytesMax = Number((await admin.topicConfigs(topic)).get('max.message.bytes'));
    if (bytesMax > 0 && collector.limitBatches(topic, bytesMax)) isNews = true;
  }
  return isNews;
}
