/**
 * Reads a JSON request body strictly: media type, size, duplicate keys and depth are checked, which
 * JSON.parse alone does not do. Bounded in memory by the limit.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';

const DEPTH_MAX = 20;

/**
 * The bytes of what says that it is JSON: parseJson reads them. Throws a Problem: 400 malformed, 413
 * too large (the connection is then closed), 415 media type.
 */
export async function readJsonBytes(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const declared = Number(length ?? 0);
  if (declared === 0 && encoding === undefined) throw malformed('the body is empty');
  checkMediaType(request);
  if (declared > limitBytes) throw tooLarge(limitBytes);
  const bytes = await readAll(request, limitBytes);
  if (bytes.length === 0) throw malformed('the body is empty');
  return bytes;
}

/** Throws a 400 Problem. */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw malformed('the body is not UTF-8');
  return parseStrictly(bytes.toString('utf8'));
}

function checkMediaType({ headers }: IncomingMessage): void {
  const { 'content-type': mediaType = '', 'content-encoding': encoding = 'identity' } = headers;
  // As nearly everybody says it: nothing to take apart.
  if (mediaType === 'application/json' && encoding === 'identity') return;
  const [type, ...parameters] = mediaType.toLowerCase().split(';');
  const charset = parameters.map((part) => part.trim()).find((part) => part.startsWith('charset='));
  const utf8 = charset === undefined || /^charset="?utf-8"?$/.test(charset);
  if (type?.trim() === 'application/json' && utf8 && encoding === 'identity') return;
  throw new Problem('unsupported-media-type', {
    detail: 'send application/json in UTF-8, without content encoding',
    headers: { 'Accept-Post': 'application/json' },
  });
}

function readAll(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) {
        request.removeAllListeners('data');
        request.resume();
        reject(tooLarge(limitBytes));
      } else chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.once('error', (cause) => reject(malformed('the body ended early', cause)));
    request.once('close', () => {
      // Every request closes: an error that nobody hears of costs more than the body's parsing.
      if (!request.readableEnded) reject(malformed('the body ended early'));
    });
  });
}

function malformed(detail: string, cause?: unknown): Problem {
  return new Problem('malformed-request', { detail, cause });
}

function tooLarge(limitBytes: number): Problem {
  return new Problem('too-large', {
    detail: `at most ${limitBytes} bytes`,
    headers: { Connection: 'close' },
  });
}

/** JSON.parse that refuses duplicate keys and more than 20 levels. Throws a 400 Problem. */
export function parseStrictly(text: string): unknown {
  const complaint = scan(text);
  if (complaint !== undefined) throw malformed(complaint);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed('the body is not JSON', cause);
  }
}

/**
 * One pass over the text, which need not be valid JSON (JSON.parse judges that): keeps the set of
 * keys of every open object. Keys are compared as JSON.parse would read them.
 */
function scan(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let position = 0;
  while (position < text.length) {
    switch (text.charCodeAt(position)) {
      case 0x22: {
        const end = endOfString(text, position);
        const keys = open[open.length - 1];
        if (keys !== undefined && isFollowedByColon(text, end)) {
          const key = keyOf(text.slice(position, end));
          if (keys.has(key)) return `the key ${JSON.stringify(key)} stands twice`;
          keys.add(key);
        }
        position = end;
        continue;
      }
      case 0x7b:
        open.push(new Set());
        break;
      case 0x5b:
        open.push(undefined);
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        break;
    }
    if (open.length > DEPTH_MAX) return `nested more than ${DEPTH_MAX} levels deep`;
    position++;
  }
  return undefined;
}

/** Position after the closing quote (or the end of the text). */
function endOfString(text: string, start: number): number {
  for (let position = start + 1; position < text.length; position++) {
    const code = text.charCodeAt(position);
    if (code === 0x5c) position++;
    else if (code === 0x22) return position + 1;
  }
  return text.length;
}

function isFollowedByColon(text: string, start: number): boolean {
  let position = start;
  while (position < text.length && text.charCodeAt(position) <= 0x20) position++;
  return text.charCodeAt(position) === 0x3a;
}

function keyOf(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted;
  }
}
