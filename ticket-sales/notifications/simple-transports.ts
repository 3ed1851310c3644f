/** Transports that need nobody: mails as lines of the log, or of a file. */
import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from '../../base/log.ts';
import type { MailTransport } from './mail-channel.ts';

/** One event per mail, without its text. */
export function logTransport(log: Log): MailTransport {
  return {
    send: async ({ messageId, to, subject }) => log.info({ messageId, to, subject }, 'mail'),
    close: async () => {},
  };
}

/** One JSON document per line, appended. */
export function fileTransport(path: string): MailTransport {
  let isThere: Promise<unknown> | undefined;
  return {
    send: async (mail) => {
      isThere ??= mkdir(dirname(path), { recursive: true });
      await isThere;
      await appendFile(path, `${JSON.stringify(mail)}\n`);
    },
    close: async () => {},
  };
}
