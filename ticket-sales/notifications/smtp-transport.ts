/**
 * Mails by SMTP. The only file that names nodemailer.
 *
 * A mail can have arrived only once its bytes were asked for (the server has answered DATA): what
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
  /** Message-IDs whose bytes were asked for: after DATA, and not before. */
  const asked = new Set<string>();
  transporter.use('stream', (mail, done) => {
    const { message, data } = mail;
    const open = message.createReadStream.bind(message);
    message.createReadStream = () =>
      lazily(
        () => open(),
        () => asked.add(String(data.messageId)),
      );
    done();
  });
  return {
    send: async (mail) => {
      try {
        await transporter.sendMail({ ...mail });
      } catch (error) {
        throw ofError(error, asked.has(mail.messageId));
      } finally {
        asked.delete(mail.messageId);
      }
    },
    close: async () => transporter.close(),
  };
}

/** A stream that is not even begun before somebody reads it. */
function lazily(open: () => Readable, onBegun: () => void): Readable {
  return Readable.from(
    (async function* () {
      onBegun();
      yield* open();
    })(),
  );
}

function ofError(error: unknown, isAsked: boolean): Error {
  const { responseCode, message } = error as { responseCode?: number; message: string };
  // The server's own word: 4xx = later, 5xx = never.
  if (responseCode !== undefined) {
    return responseCode >= 500 ? new JobRefused(message, { cause: error }) : (error as Error);
  }
  if (!isAsked) return error as Error;
  return new JobUncertain(`${message}: it may have been accepted`, { cause: error });
}
