/**
 * Preload, in every thread: while the file that MILLRACE_SLOW_DISK_FILE names is there, each batch of a
 * task's stores waits before it is written, and so does each sync of the embedded broker. `200-2000` =
 * as many milliseconds, drawn anew each time.
 */
import { readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Journal } from '../../../embedded-kafka/log/journal.ts';
import { PartitionLog } from '../../../embedded-kafka/log/partition-log.ts';
import { WriteQueue } from '../../../stores/write-queue.ts';
import { around } from './around.ts';

const file = process.env['MILLRACE_SLOW_DISK_FILE'] ?? '';

async function waitFor(what: string): Promise<void> {
  const delayMs = drawnMs();
  if (delayMs === 0) return;
  writeSync(2, `slow disk: ${what}\n`);
  await sleep(delayMs);
}

function drawnMs(): number {
  try {
    const [least = Number.NaN, most = Number.NaN] = readFileSync(file, 'utf8')
      .split('-')
      .map(Number);
    if (!(least <= most)) throw new Error(`${file} has no range`);
    return least + Math.random() * (most - least);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

around(WriteQueue.prototype, 'run', (_queue, run, args) => {
  const [write] = args as Parameters<WriteQueue['run']>;
  return run(async () => {
    await waitFor('a store batch');
    await write();
  });
});

around(Journal.prototype, 'write', async (_journal, write, args) => {
  await waitFor('a sync');
  return write(...(args as Parameters<Journal['write']>));
});

around(PartitionLog.prototype, 'sync', async (_log, sync) => {
  await waitFor('a sync');
  await sync();
});
