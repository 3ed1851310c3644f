/**
 * The notification service: every notification is one job per channel, told apart by its id, so that
 * the same notification asked for again is delivered once.
 */
import type { NotificationRequest } from '../domain/notification.ts';
import type { JobServiceOptions } from '../jobs/job-service.ts';
import type { JobSource } from '../jobs/job-topology.ts';
import { JobRefused } from '../jobs/job-worker.ts';
import { type TicketSerdes, TOPICS } from '../records.ts';
import type { Channel } from './channel.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** How long ids that were sent are remembered: far longer than anybody repeats a request. */
const REMEMBERED_MS = 30 * DAY_MS;

export function notificationService(
  serdes: TicketSerdes,
  channels: readonly Channel[],
): JobServiceOptions<NotificationRequest> {
  const source: JobSource<NotificationRequest> = {
    topic: TOPICS.notificationRequests,
    serde: serdes.notificationRequest,
    toJobs: (request) =>
      channels.map(({ name: way }) => ({
        jobId: `${request.notificationId}:${way}`,
        way,
        request,
      })),
  };
  const byName = new Map(channels.map((channel) => [channel.name, channel]));
  return {
    sources: [source],
    sourceOf: () => source,
    policies: new Map(channels.map(({ name, policy }) => [name, policy])),
    retentionMs: REMEMBERED_MS,
    perform: async ({ way, request }, signal) => {
      const channel = byName.get(way);
      if (channel === undefined) throw new JobRefused(`there is no channel ${way}`);
      await channel.deliver(request, signal);
    },
  };
}
