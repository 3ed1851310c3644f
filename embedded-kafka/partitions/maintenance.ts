/** One round of housekeeping for one partition: producers that expired, retention, compaction. */
import { isMillraceError } from '../../base/errors.ts';
import { isControl, lastOffset } from '../../kafka/records/record-batch.ts';
import type { BatchHeader } from '../../kafka/records/types.ts';
import { cleanableRange } from '../log/compaction/cleanable.ts';
import { compact } from '../log/compaction/compactor.ts';
import { KEEP_ALL, removableSegments } from '../log/retention.ts';
import type { PartitionEnvironment, SegmentedPartition } from './partition.ts';
import type { ProducerStates } from './producer-states.ts';

export interface MaintenanceEnvironment extends PartitionEnvironment {
  readonly producerIdExpirationMs: number;
  readonly isClosing: () => boolean;
}

/** What fails here is logged and tried again in the next round: nothing is lost by waiting. */
export async function maintainPartition(
  partition: SegmentedPartition,
  environment: MaintenanceEnvironment,
): Promise<void> {
  if (partition.log.isClosed) return;
  partition.producerStates.expire(environment.producerIdExpirationMs);
  try {
    await removeExpired(partition, environment.clock.nowMs());
    if (partition.config().isCompacted) await compactPartition(partition, environment);
  } catch (error) {
    if (!isMillraceError(error, 'STORE_DISK_FULL', 'STORE_IO', 'RECORD_CORRUPT')) throw error;
    const { topic, partition: index } = partition;
    environment.log.error({ topic, partition: index, error }, 'maintenance failed');
  }
}

async function removeExpired(partition: SegmentedPartition, nowMs: number): Promise<void> {
  const { log } = partition;
  const config = partition.config();
  const count = removableSegments(log.segments, {
    ...(config.isDeleted ? config : KEEP_ALL),
    nowMs,
    logStartOffset: log.logStartOffset,
    highWatermark: partition.highWatermark,
  });
  if (count === 0) return;
  if (count === log.segments.length) log.roll();
  await log.checkpoint();
  if (log.isClosed) return;
  log.removeFirst(count);
}

async function compactPartition(
  partition: SegmentedPartition,
  environment: MaintenanceEnvironment,
): Promise<void> {
  const { log, producerStates, lastStableOffset } = partition;
  const { cleanedToOffset, logStartOffset } = log;
  const { clock, syncer, isClosing } = environment;
  const config = partition.config();
  const position = { cleanedToOffset, logStartOffset, lastStableOffset };
  const range = cleanableRange(log.segments, config, position, clock.nowMs());
  if (range === undefined) return;
  if (!log.isSettledTo(range.endOffset)) await log.checkpoint();
  if (log.isClosed || !log.isSettledTo(range.endOffset)) return;
  await compact({
    log,
    range,
    clock,
    segmentBytes: config.segmentBytes,
    deleteRetentionMs: config.deleteRetentionMs,
    isLastOfProducer: (header) => isLastOfProducer(producerStates, header),
    shouldStop: () => log.isClosed || syncer.failure !== undefined || isClosing(),
  });
}

/** The last data batch of a live producer, or, when there is none, the marker with its epoch. */
function isLastOfProducer(producerStates: ProducerStates, header: BatchHeader): boolean {
  const last = producerStates.lastBatchOf(header.producerId);
  if (last === undefined) return false;
  if (last.lastOffset !== undefined) return lastOffset(header) === last.lastOffset;
  return isControl(header) && header.producerEpoch === last.producerEpoch;
}
