/**
 * The ways a notification goes out. A channel delivers one notification at a time and says how that
 * ended: resolved = delivered; JobRefused = it never will be; JobUncertain = perhaps it was;
 * anything else = not delivered, try again.
 */
import type { NotificationRequest } from '../domain/notification.ts';
import type { JobPolicy } from '../jobs/job.ts';

export interface Channel {
  /** Part of job ids: must stay the same over restarts, without a slash. */
  readonly name: string;
  readonly policy: JobPolicy;
  deliver(notification: NotificationRequest, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
