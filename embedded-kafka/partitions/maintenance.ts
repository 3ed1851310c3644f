/** One round of housekeeping for one partition: producers that expired, retention, compaction. */
import { KEEP_ALL, removableSegments } from '../log/retention.ts';
import type { PartitionEnvironment, SegmentedPartition } from './partition.ts';

export interface MaintenanceEnvironment extends PartitionEnvironment {
  readonly producerIdExpirationMs: number;
}

export async function maintainPartition(
  partition: SegmentedPartition,
  environment: MaintenanceEnvironment,
): Promise<void> {
  if (partition.log.isClosed) return;
  partition.producerStates.expire(environment.producerIdExpirationMs);
  await removeExpired(partition, environment.clock.nowMs());
}

/** Moves the log start first, durably: no reader may find a hole. */
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
  const logStartOffset = log.segments[count]!.baseOffset;
  if (logStartOffset > log.logStartOffset) log.updateFacts({ logStartOffset });
  log.removeFirst(count);
}
