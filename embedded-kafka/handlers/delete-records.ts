/** DeleteRecords: moves the start of partitions; answered when that is durable. */
import { isMillraceError } from '../../base/errors.ts';
import { Errors } from '../../kafka/protocol/error-codes.ts';
import { deleteRecordsApi } from '../../kafka/protocol/messages/delete-records.ts';
import type { ErrorCodeNumber, Partition, TopicManager } from '../ports.ts';
import { type AnyHandler, defineHandler } from './define-handler.ts';

export function deleteRecordsHandler(topics: TopicManager): AnyHandler {
  return defineHandler(deleteRecordsApi, async (request) => {
    const answers = request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async ({ partitionIndex, offset }) => ({
          partitionIndex,
          ...(await deleteBefore(topics.partition(name, partitionIndex), offset)),
        })),
      ),
    }));
    return { topics: await Promise.all(answers) };
  });
}

async function deleteBefore(
  partition: Partition | undefined,
  offset: number,
): Promise<{ readonly errorCode: ErrorCodeNumber; readonly lowWatermark: number }> {
  const refused = (errorCode: ErrorCodeNumber) => ({ errorCode, lowWatermark: -1 });
  if (partition === undefined) return refused(Errors.UNKNOWN_TOPIC_OR_PARTITION);
  try {
    const errorCode = await partition.deleteRecordsBefore(offset);
    if (errorCode !== Errors.NONE) return refused(errorCode);
    return { errorCode, lowWatermark: partition.logStartOffset };
  } catch (error) {
    if (!isMillraceError(error, 'STORE_DISK_FULL', 'STORE_IO')) throw error;
    return refused(Errors.KAFKA_STORAGE_ERROR);
  }
}
