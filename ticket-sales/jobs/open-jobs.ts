/** Looks into a service's stores for what is open: a few entries of each partition that is here. */
import { isMillraceError } from '../../base/errors.ts';
import type { QueryableStreams } from '../../interactive-queries/queryable-streams.ts';
import type { ReadOnlyKeyValueStore } from '../../stores/state-store.ts';
import type { Job } from './job.ts';
import { JOB_STORES, QUEUE_OF_LEASES, queueOfWay } from './job-processor.ts';

/** Leases of several ways lie together: so many are looked at to find one of each. */
const LEASES_LOOKED_AT = 20;

/** By way: when the oldest of those was asked for that are next in line, or longest under way. */
export async function oldestJobs(
  streams: QueryableStreams,
  ways: Iterable<string>,
): Promise<ReadonlyMap<string, number>> {
  const oldest = new Map<string, number>();
  const { partitionCount = 0 } =
    streams.stores().find(({ spec }) => spec.name === JOB_STORES.due) ?? {};
  for (let partition = 0; partition < partitionCount; partition++) {
    for (const { way, requestedAtMs } of await firstJobs(streams, ways, partition)) {
      oldest.set(way, Math.min(oldest.get(way) ?? Number.POSITIVE_INFINITY, requestedAtMs));
    }
  }
  return oldest;
}

/** None where the partition is not here, or leaves meanwhile: its next owner tells of it. */
async function firstJobs(
  streams: QueryableStreams,
  ways: Iterable<string>,
  partition: number,
): Promise<readonly Job[]> {
  try {
    const due = await localStore<string>(streams, JOB_STORES.due, partition);
    const jobs = await localStore<Job>(streams, JOB_STORES.jobs, partition);
    if (due === undefined || jobs === undefined) return [];
    const ids = await firstOf(due, QUEUE_OF_LEASES, LEASES_LOOKED_AT);
    for (const way of ways) ids.push(...(await firstOf(due, queueOfWay(way), 1)));
    return jobs.getMany(ids).filter((job) => job !== undefined);
  } catch (error) {
    if (isMillraceError(error, 'STORE_CLOSED', 'QUERY_UNAVAILABLE')) return [];
    throw error;
  }
}

async function firstOf(
  due: ReadOnlyKeyValueStore<string, string>,
  queue: string,
  limit: number,
): Promise<string[]> {
  const ids: string[] = [];
  for await (const [, id] of due.range({ prefix: Buffer.from(`${queue}/`), limit })) ids.push(id);
  return ids;
}

/** undefined: it is not here, or cannot be read now. */
async function localStore<V>(
  streams: QueryableStreams,
  name: string,
  partition: number,
): Promise<ReadOnlyKeyValueStore<string, V> | undefined> {
  if (!streams.locatePartition(name, partition).isLocal) return undefined;
  const local = await streams.openLocal(name, partition);
  if (local.kind !== 'available') return undefined;
  return local.store as ReadOnlyKeyValueStore<string, V>;
}
