/** A mail server for tests: takes every mail, or does what its script says instead. */
import { createServer, type Socket } from 'node:net';

export interface ReceivedMail {
  readonly to: string;
  readonly from: string;
  /** Head and body, as sent. */
  readonly text: string;
}

/** What to do with the next commands of a kind, instead of accepting them. */
export type SmtpRefusal = string | 'hang-up';

export interface SmtpServer {
  readonly url: string;
  readonly mails: ReceivedMail[];
  readonly connections: () => number;
  /** Answers the next `verb` so, once each; 'hang-up' closes the connection instead. */
  readonly script: {
    readonly verb: 'MAIL' | 'RCPT' | 'DATA' | 'TEXT';
    readonly answer: SmtpRefusal;
  }[];
  /** Resolves when so many mails are there. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function smtpServer(port = 0): Promise<SmtpServer> {
  const mails: ReceivedMail[] = [];
  const script: SmtpServer['script'] = [];
  const sockets = new Set<Socket>();
  let waiting: { readonly count: number; readonly wake: () => void }[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    converse(socket, script, (mail) => {
      mails.push(mail);
      for (const { count, wake } of waiting) if (mails.length >= count) wake();
      waiting = waiting.filter(({ count }) => mails.length < count);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as { readonly port: number };
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    mails,
    connections: () => connections,
    script,
    received: (count) =>
      new Promise((wake) => {
        if (mails.length >= count) wake();
        else waiting.push({ count, wake });
      }),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function converse(
  socket: Socket,
  script: SmtpServer['script'],
  deliver: (mail: ReceivedMail) => void,
): void {
  let buffered = '';
  let isText = false;
  let [from, to] = ['', ''];
  const say = (line: string) => socket.write(`${line}\r\n`);
  /** True when the script answers. */
  const isScripted = (verb: string): boolean => {
    const at = script.findIndex((entry) => entry.verb === verb);
    if (at < 0) return false;
    const answer = script[at]!.answer;
    script.splice(at, 1);
    if (answer === 'hang-up') socket.destroy();
    else say(answer);
    return true;
  };
  const command = (line: string) => {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'MAIL' || verb === 'RCPT' || verb === 'DATA') {
      if (isScripted(verb)) return;
    }
    if (verb === 'MAIL') from = /<(.*?)>/.exec(line)?.[1] ?? '';
    if (verb === 'RCPT') to = /<(.*?)>/.exec(line)?.[1] ?? '';
    isText = verb === 'DATA';
    if (isText) say('354 go on');
    else if (verb === 'QUIT') socket.end('221 bye\r\n');
    else say('250 ok');
  };
  say('220 mail.test ESMTP');
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    buffered += chunk;
    for (;;) {
      const end = buffered.indexOf(isText ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const text = buffered.slice(0, end);
      buffered = buffered.slice(end + (isText ? 5 : 2));
      if (!isText) command(text);
      else {
        isText = false;
        if (isScripted('TEXT')) continue;
        deliver({ from, to, text });
        say('250 accepted');
      }
    }
  });
}
