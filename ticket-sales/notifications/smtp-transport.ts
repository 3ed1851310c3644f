/**
 * Mails by SMTP. The only file that names nodemailer.
 *
 * A mail can have arrived only once its text has been asked for (the server has answered DATA): what
 * fails before is tried again, what fails later without the server's word is in doubt.
 */
import { Readable } from 'node:stream';
import { createTransport } from 'nodemailer';
import { JobRefused, JobUncertain } from '../jobs/job-worker.ts';
import type { MailTransport } from './mail-channel.ts';

export interface SmtpOptions {
  /** smtp:// or smtps://, with user and password where the server wants them. */
  readonly url: string;
  readonly timeoutMs: number;
}

const CONNECTIONS_MAX = 8;

export function smtpTransport({ url, timeoutMs }: SmtpOptions): MailTransport {
  const transporter = createTransport({
    url,
    pool: true,
    maxConnections: CONNECTIONS_MAX,
    // It would send a mail again whose connection broke after the text: that is ours to decide.
    maxRequeues: 0,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    send: async ({ messageId, from, to, subject, text }) => {
      let isTextAsked = false;
      const body = new Readable({
        read() {
          isTextAsked = true;
          this.push(text, 'utf8');
          this.push(null);
        },
      });
      try {
        await transporter.sendMail({ messageId, from, to, subject, text: body });
      } catch (error) {
        throw ofError(error, isTextAsked);
      }
    },
    close: async () => transporter.close(),
  };
}

function ofError(error: unknown, isTextAsked: boolean): Error {
  const { responseCode, message } = error as { responseCode?: number; message: string };
  // The server's own word: 4xx = later, 5xx = never.
  if (responseCode !== undefined) {
    return responseCode >= 500 ? new JobRefused(message, { cause: error }) : (error as Error);
  }
  if (!isTextAsked) return error as Error;
  return new JobUncertain(`${message}: it may have been accepted`, { cause: error });
}
