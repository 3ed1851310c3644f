/**
 * The load generator's journal: NDJSON, one line per purchase request that was sent, with how it was
 * answered, and optionally one per answer that was read. Other fields may be there.
 */
import { createReadStream } from 'node:fs';
import { MillraceError } from '../base/errors.ts';

export interface JournalEntry {
  readonly purchaseId: string;
  /** accepted: 2xx, or acknowledged by Kafka · refused: 4xx, nothing written · unknown: no answer. */
  readonly answer: 'accepted' | 'refused' | 'unknown';
  readonly eventId?: string;
  readonly zoneId?: string;
  readonly buyerId?: string;
  readonly quantity?: number;
  readonly idempotencyKey?: string;
}

const CHUNK_BYTES = 256 * 1024;
const LINE_LENGTH_MAX = 1024 * 1024;

/** One reader saw something at that version; one reader's lines are in the order of its reads. */
export interface ReadEntry {
  readonly reader: string;
  /** Of what: `<eventId>/<zoneId>`, or a purchase's id. */
  readonly key: string;
  /** Grows with every change: a stock's version, the offset of the command that changed a purchase. */
  readonly version: number;
  /** The answer said that it may be older than others. */
  readonly isStale?: boolean;
}

export type JournalLine = JournalEntry | ReadEntry;

/** Rejects with CONFIG_INVALID at the first line that is none. */
export async function* readJournal(file: string): AsyncGenerator<JournalLine> {
  let line = 0;
  let rest = '';
  const chunks = createReadStream(file, { encoding: 'utf8', highWaterMark: CHUNK_BYTES });
  for await (const chunk of chunks as AsyncIterable<string>) {
    const texts = (rest + chunk).split('\n');
    rest = texts.pop() ?? '';
    for (const text of texts) {
      line++;
      if (text.trim() !== '') yield parseEntry(text, `${file}:${line}`);
    }
    if (rest.length > LINE_LENGTH_MAX) throw notAnEntry(`${file}:${line + 1}`);
  }
  if (rest.trim() !== '') yield parseEntry(rest, `${file}:${line + 1}`);
}

function parseEntry(text: string, place: string): JournalLine {
  let entry: Partial<JournalEntry & ReadEntry>;
  try {
    entry = JSON.parse(text) as Partial<JournalEntry & ReadEntry>;
  } catch (cause) {
    throw new MillraceError('CONFIG_INVALID', `${place} is not JSON`, { cause });
  }
  const { reader, key, version } = entry;
  const isRead = typeof reader === 'string' && typeof key === 'string';
  if (isRead && Number.isSafeInteger(version)) return entry as ReadEntry;
  const isAnswer = ['accepted', 'refused', 'unknown'].includes(entry.answer ?? '');
  if (typeof entry.purchaseId !== 'string' || !isAnswer) {
    throw notAnEntry(place);
  }
  return entry as JournalEntry;
}

function notAnEntry(place: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `${place} is no entry of a journal`, {
    hint: 'A line has a purchaseId and an answer (accepted, refused or unknown), or is a read: reader, key and version.',
  });
}
