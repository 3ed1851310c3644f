import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JobRefused, JobUncertain } from '../../../ticket-sales/jobs/job-worker.ts';
import type { Mail } from '../../../ticket-sales/notifications/mail.ts';
import type { MailTransport } from '../../../ticket-sales/notifications/mail-channel.ts';
import { smtpTransport } from '../../../ticket-sales/notifications/smtp-transport.ts';
import { type SmtpServer, smtpServer } from '../../kit/smtp-server.ts';

const mail: Mail = {
  messageId: '<n1.confirmed@fest.test>',
  from: 'Box Office <box@fest.test>',
  to: 'ada@fest.test',
  subject: 'Your tickets: gala',
  text: 'They are yours.\n.\nÄnderungen vorbehalten\n',
};

let server: SmtpServer;
let transport: MailTransport;

beforeEach(async () => {
  server = await smtpServer();
  transport = smtpTransport({ url: server.url, timeoutMs: 2_000 });
});
afterEach(async () => {
  await transport.close();
  await server.close();
});

const failure = () =>
  transport.send(mail).then(
    () => undefined,
    (error: unknown) => error,
  );

describe('mail by SMTP', () => {
  test('arrives with its Message-ID, addresses and text', async () => {
    await transport.send(mail);
    expect(server.mails).toHaveLength(1);
    const [{ from, to, text }] = server.mails as [SmtpServer['mails'][number]];
    expect([from, to]).toEqual(['box@fest.test', 'ada@fest.test']);
    expect(text).toContain('Message-ID: <n1.confirmed@fest.test>');
    expect(text).toContain('Subject: Your tickets: gala');
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);
    const isBase64 = /content-transfer-encoding: base64/i.test(text);
    const plain = isBase64
      ? Buffer.from(body, 'base64').toString()
      : Buffer.from(
          body
            .replace(/=\r\n/g, '')
            .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
          'latin1',
        ).toString();
    expect(plain.replaceAll('\r\n', '\n').replace(/^\.\./m, '.').trimEnd()).toBe(
      mail.text.trimEnd(),
    );
  });

  test.each([
    ['MAIL', '451 later'],
    ['RCPT', '450 box is busy'],
    ['DATA', '421 too many'],
    ['TEXT', '451 disk full'],
    ['MAIL', 'hang-up'],
    ['RCPT', 'hang-up'],
    ['DATA', 'hang-up'],
  ] as const)('that meets %s: %s is not sent, and may be tried again', async (verb, answer) => {
    server.script.push({ verb, answer });
    const error = await failure();
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(JobRefused);
    expect(error).not.toBeInstanceOf(JobUncertain);
    await transport.send(mail);
    expect(server.mails).toHaveLength(1);
  });

  test.each([
    ['RCPT', '550 no such box'],
    ['TEXT', '554 spam'],
  ] as const)('that meets %s: %s is never accepted', async (verb, answer) => {
    server.script.push({ verb, answer });
    expect(await failure()).toBeInstanceOf(JobRefused);
  });

  test('whose connection breaks after the text is in doubt, and not sent again by the library', async () => {
    server.script.push({ verb: 'TEXT', answer: 'hang-up' });
    expect(await failure()).toBeInstanceOf(JobUncertain);
    expect([server.mails.length, server.connections()]).toEqual([0, 1]);
  });

  test('that finds no server may be tried again', async () => {
    await server.close();
    const error = await failure();
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(JobUncertain);
    expect(error).not.toBeInstanceOf(JobRefused);
  });
});
