/** The dead letters of commands, as whoever looks after them finds them. */
import { createHash } from 'node:crypto';
import { endOffsets, readTopic } from '../../../bench/sale-client.ts';
import type { RecordHeader } from '../../../kafka/records/types.ts';
import { TOPICS } from '../../../ticket-sales/records.ts';
import { expect } from '../scenario.ts';
import type { Stage } from './stage.ts';

export const DEAD_LETTERS = `${TOPICS.commands}.dlq`;
const READ_WITHIN_MS = 30_000;
/** What the engine keeps of a long value; its hash is that of the whole. */
const KEPT_BYTES = 256 * 1024;
/** Begins what the engine has added to a letter's headers. */
const ADDED = /^(__streams\.errors|millrace\.dlq)\./;

export interface Letter {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

/** All that are there now. */
export async function deadLetters({ client }: Stage): Promise<readonly Letter[]> {
  const ends = await endOffsets(client.kafka, DEAD_LETTERS, 'read_committed');
  const reader = await readTopic(client.kafka, DEAD_LETTERS);
  const letters: Letter[] = [];
  const isComplete = await reader.read(
    (record) => {
      const { buffer, keyStart, keyEnd, valueStart, valueEnd } = record;
      letters.push({
        key: keyStart < 0 ? null : Buffer.from(buffer.subarray(keyStart, keyEnd)),
        value: valueStart < 0 ? null : Buffer.from(buffer.subarray(valueStart, valueEnd)),
        headers: record
          .headers()
          .map(({ key, value }) => ({ key, value: value && Buffer.from(value) })),
      });
    },
    () => [...ends].every(([key, end]) => (reader.positions.get(key) ?? 0) >= end),
    READ_WITHIN_MS,
  );
  await reader.close();
  expect(isComplete, 'the dead letters to be read to their end');
  return letters;
}

/** One of the headers that the engine has added. */
export function added({ headers }: Letter, name: string): string | undefined {
  return headers.find(({ key }) => key === name)?.value?.toString();
}

/** Where the record was that it is about. */
export function placeOf(letter: Letter): string {
  const [partition, offset] = ['partition', 'offset'].map((name) =>
    added(letter, `__streams.errors.${name}`),
  );
  return `${partition}@${offset}`;
}

/** What must be of the original in its letter: key, value (its beginning, if it is long), all headers. */
function originalOf({ key, value, headers }: Letter): string {
  const hash = createHash('sha256').update(JSON.stringify([key?.toString('latin1') ?? null]));
  if (value !== null) hash.update(value.subarray(0, KEPT_BYTES));
  const own = headers.filter(({ key: name }) => !ADDED.test(name));
  hash.update(
    JSON.stringify(own.map(({ key: name, value: of }) => [name, of?.toString('latin1')])),
  );
  return `${value === null ? 'null' : 'some'} ${hash.digest('base64')}`;
}

/** Each of these has become a letter, with its bytes and headers, once; nothing else has. */
export function expectLetters(
  letters: readonly Letter[],
  planted: readonly (Letter & { readonly name: string })[],
): void {
  const left = new Map<string, number>();
  for (const letter of letters) {
    const original = originalOf(letter);
    left.set(original, (left.get(original) ?? 0) + 1);
  }
  const missing = planted.filter((poison) => {
    const original = originalOf(poison);
    const count = left.get(original) ?? 0;
    left.set(original, count - 1);
    return count <= 0;
  });
  const names = [...new Set(missing.map(({ name }) => name))].join(', ');
  expect(missing.length === 0, `a dead letter, as it was sent, of: ${names}`);
  expect(letters.length === planted.length, `${planted.length} letters, not ${letters.length}`);
}
