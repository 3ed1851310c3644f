/**
 * The load generator's journal: one NDJSON line per purchase request that was sent, with how it was
 * answered, as `millrace audit --journal` reads it. What was acknowledged and then lost shows nowhere
 * else. Lines are written when the answer is known; close() writes the requests without one as unknown.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { JournalEntry, JournalLine, ReadEntry } from '../../audit/journal.ts';
import type { PurchaseCommand } from '../../ticket-sales/domain/command.ts';

export type Answer = JournalEntry['answer'];

/** Written at once when so many characters have gathered. */
const CHUNK_LENGTH = 64 * 1024;

interface Request {
  readonly command: PurchaseCommand;
  readonly idempotencyKey: string | undefined;
}

export class JournalWriter {
  readonly #fd: number;
  readonly #unanswered = new Set<Request>();
  #chunk = '';
  #isClosed = false;

  /** Begins the file anew. Throws when it cannot be written. */
  constructor(file: string) {
    this.#fd = openSync(file, 'w');
  }

  /**
   * A request goes out. Call what is returned once, with its answer, and with the purchase's id where
   * the answer names one.
   */
  sent(
    command: PurchaseCommand,
    idempotencyKey?: string,
  ): (answer: Answer, purchaseId?: string) => void {
    const request = { command, idempotencyKey };
    this.#unanswered.add(request);
    return (answer, purchaseId) => {
      if (this.#unanswered.delete(request)) this.#write(request, answer, purchaseId);
    };
  }

  /**
   * The same for a record that is produced: acknowledged, or who knows (an earlier attempt of the same
   * bytes may have been written). Passes the promise's fate on.
   */
  async follow(command: PurchaseCommand, produced: Promise<void>): Promise<void> {
    const answered = this.sent(command);
    try {
      await produced;
    } catch (error) {
      answered('unknown');
      throw error;
    }
    answered('accepted');
  }

  /** A reader saw this version of a zone's stock or of a purchase. Ignored when the journal is closed. */
  read(entry: ReadEntry): void {
    this.#add(entry);
  }

  close(): void {
    for (const request of this.#unanswered) this.#write(request, 'unknown', undefined);
    this.#unanswered.clear();
    this.#flush();
    this.#isClosed = true;
    closeSync(this.#fd);
  }

  #write({ command, idempotencyKey }: Request, answer: Answer, purchaseId?: string): void {
    const { eventId, zoneId, buyerId, quantity } = command;
    const entry: JournalEntry = {
      purchaseId: purchaseId ?? command.purchaseId,
      answer,
      eventId,
      zoneId,
      buyerId,
      quantity,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    };
    this.#add(entry);
  }

  #add(line: JournalLine): void {
    if (this.#isClosed) return;
    this.#chunk += `${JSON.stringify(line)}\n`;
    if (this.#chunk.length >= CHUNK_LENGTH) this.#flush();
  }

  #flush(): void {
    if (this.#chunk !== '') writeSync(this.#fd, this.#chunk);
    this.#chunk = '';
  }
}

/** What an answer of `POST /v1/purchases` says about the command: 409 is a decision, so it was taken. */
export function answerOfStatus(status: number): Answer {
  if (status < 300 || status === 409) return 'accepted';
  return status < 500 ? 'refused' : 'unknown';
}
