/** The journal as the load generator writes it is the journal as the auditor reads it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type JournalEntry, readJournal } from '../../audit/journal.ts';
import { answerOfStatus, JournalWriter } from '../../bench/kit/journal-writer.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-journal-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const command = (index: number) => ({
  kind: 'purchase' as const,
  purchaseId: `purchase-${index}`,
  eventId: 'gala',
  zoneId: 'floor',
  buyerId: `buyer-${index}`,
  quantity: 2,
  requestedAtMs: 1,
  options: null,
});

async function entriesOf(file: string): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const line of readJournal(file)) if ('answer' in line) entries.push(line);
  return entries;
}

test('every request is there once, with its answer; those without one are unknown', async () => {
  const file = join(directory, 'answers.ndjson');
  const journal = new JournalWriter(file);
  await journal.follow(command(1), Promise.resolve());
  const lost = journal.follow(command(2), Promise.reject(new Error('timeout')));
  await expect(lost).rejects.toThrow('timeout');
  const answered = journal.sent(command(3), 'key-3');
  answered('refused');
  answered('accepted');
  journal.sent(command(4))('accepted', 'named-by-the-answer');
  journal.sent(command(5));
  journal.close();
  const entries = await entriesOf(file);
  expect(entries.map(({ purchaseId, answer }) => [purchaseId, answer])).toEqual([
    ['purchase-1', 'accepted'],
    ['purchase-2', 'unknown'],
    ['purchase-3', 'refused'],
    ['named-by-the-answer', 'accepted'],
    ['purchase-5', 'unknown'],
  ]);
  expect(entries[2]).toEqual({
    purchaseId: 'purchase-3',
    answer: 'refused',
    eventId: 'gala',
    zoneId: 'floor',
    buyerId: 'buyer-3',
    quantity: 2,
    idempotencyKey: 'key-3',
  });
});

test('reads are there in their order, and ignored after the end', async () => {
  const file = join(directory, 'reads.ndjson');
  const journal = new JournalWriter(file);
  for (const version of [1, 3]) journal.read({ reader: 'anna', key: 'gala/floor', version });
  journal.close();
  journal.read({ reader: 'anna', key: 'gala/floor', version: 4 });
  const versions: number[] = [];
  for await (const line of readJournal(file)) if ('reader' in line) versions.push(line.version);
  expect(versions).toEqual([1, 3]);
});

test('more lines than fit into one chunk are all there, in order', async () => {
  const file = join(directory, 'many.ndjson');
  const journal = new JournalWriter(file);
  for (let index = 0; index < 2_000; index++) journal.sent(command(index))('accepted');
  journal.close();
  const ids = (await entriesOf(file)).map(({ purchaseId }) => purchaseId);
  expect(ids).toEqual(Array.from({ length: 2_000 }, (_, index) => `purchase-${index}`));
});

test.each([
  [201, 'accepted'],
  [202, 'accepted'],
  [409, 'accepted'],
  [400, 'refused'],
  [422, 'refused'],
  [429, 'refused'],
  [500, 'unknown'],
  [503, 'unknown'],
] as const)('the status %i means that the command was %s', (status, answer) => {
  expect(answerOfStatus(status)).toBe(answer);
});
