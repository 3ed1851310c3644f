/** HTTP as bytes over a socket: what no client library would send. */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RawOptions {
  /** End our side after the bytes, as a client that is cut off does. */
  readonly halfClose?: boolean;
  /** Sent one after another, each when the one before has left. */
  readonly more?: readonly string[];
}

/** Sends bytes and resolves with the answers until the server closes; undefined status 0 = closed without one. */
export function exchange(
  port: number,
  bytes: string | Buffer,
  options: RawOptions = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket: Socket = connect(port, '127.0.0.1', () => {
      socket.write(bytes);
      for (const text of options.more ?? []) socket.write(text);
      if (options.halfClose === true) socket.end();
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const answer = parse(Buffer.concat(chunks));
      if (answer === undefined) return;
      socket.destroy();
      resolve(answer);
    });
    socket.on('close', () =>
      resolve(parse(Buffer.concat(chunks)) ?? { status: 0, headers: new Map(), body: '' }),
    );
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A server that refuses to read on resets: what it said before counts.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
  });
}

/** The first answer, when it is complete by its Content-Length. */
function parse(bytes: Buffer): RawAnswer | undefined {
  const cut = bytes.indexOf('\r\n\r\n');
  if (cut < 0) return undefined;
  const [statusLine, ...lines] = bytes.subarray(0, cut).toString('latin1').split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = Number(headers.get('content-length') ?? 0);
  const body = bytes.subarray(cut + 4);
  if (body.length < length) return undefined;
  return {
    status: Number(statusLine?.split(' ')[1]),
    headers,
    body: body.subarray(0, length).toString('utf8'),
  };
}

/** A request as text, with the headers that every request needs. */
export function requestText(
  line: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): string {
  const all = { Host: 'localhost', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}
