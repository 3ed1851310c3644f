/** Notifications by mail, whatever carries it. */
import type { JobPolicy } from '../jobs/job.ts';
import type { Channel } from './channel.ts';
import { type AddressOf, type Mail, mailOf } from './mail.ts';

/** Ends as a channel's delivery does. */
export interface MailTransport {
  send(mail: Mail): Promise<void>;
  close(): Promise<void>;
}

export interface MailChannelOptions {
  readonly transport: MailTransport;
  readonly from: string;
  readonly addressOf: AddressOf;
  readonly attemptsMax: number;
  /** Longest silence of the mail server: an attempt of a process that is gone is given up after several. */
  readonly timeoutMs: number;
  /** What an attempt in doubt becomes: a dead letter, or a second mail with the same Message-ID. */
  readonly whenInDoubt: 'dead-letter' | 'resend';
}

export function mailChannel(options: MailChannelOptions): Channel {
  const { transport, attemptsMax, timeoutMs, whenInDoubt } = options;
  const policy: JobPolicy = {
    attemptsMax,
    backoff: { initialMs: 1_000, maxMs: 10 * 60_000 },
    isRepeatable: whenInDoubt === 'resend',
    parallelMax: 32,
    // Few: each of them is in doubt after a crash.
    underwayMax: 4,
    leaseMs: 6 * timeoutMs,
  };
  return {
    name: 'mail',
    policy,
    // Not cut off at a stop: an SMTP session that is cut leaves a mail in doubt.
    deliver: async (notification) => transport.send(await mailOf(notification, options)),
    close: () => transport.close(),
  };
}
