/**
 * The load generator's journal: NDJSON, one line per purchase request that was sent, with how it was
 * answered. Other fields may be there.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
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

/** Rejects with CONFIG_INVALID at the first line that is none. */
export async function* readJournal(file: string): AsyncGenerator<JournalEntry> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file) })) {
    line++;
    if (text.trim() !== '') yield parseEntry(text, `${file}:${line}`);
  }
}

function parseEntry(text: string, place: string): JournalEntry {
  let entry: Partial<JournalEntry>;
  try {
    entry = JSON.parse(text) as Partial<JournalEntry>;
  } catch (cause) {
    throw new MillraceError('CONFIG_INVALID', `${place} is not JSON`, { cause });
  }
  const isAnswer = ['accepted', 'refused', 'unknown'].includes(entry.answer ?? '');
  if (typeof entry.purchaseId !== 'string' || !isAnswer) {
    throw new MillraceError('CONFIG_INVALID', `${place} is no entry of a journal`, {
      hint: 'Each line has a purchaseId, and an answer: accepted, refused or unknown.',
    });
  }
  return entry as JournalEntry;
}
