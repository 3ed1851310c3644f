import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../base/random.ts';
import { MemoryDisk, osError } from '../../../embedded-kafka/disk/memory-disk.ts';

function contentOf(disk: MemoryDisk, path: string): string {
  const file = disk.open(path, { create: false });
  return file.read(0, file.sizeBytes()).toString();
}

describe('a disk in memory that loses its power', () => {
  test('keeps what was synced, byte for byte, whatever happens to the rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.string({ minLength: 1 }), fc.constant('sync' as const)), {
          maxLength: 20,
        }),
        fc.nat(),
        async (steps, seed) => {
          const disk = new MemoryDisk();
          disk.makeDirectory('d');
          const file = disk.open('d/f', { create: true });
          await file.sync();
          let written = '';
          let synced = '';
          for (const step of steps) {
            if (step === 'sync') {
              await file.sync();
              synced = written;
            } else {
              file.append([Buffer.from(step)]);
              written += step;
            }
          }
          const after = Buffer.from(contentOf(disk.powerLoss(seededRandom(seed)), 'd/f'));
          const promised = Buffer.from(synced);
          expect(after.subarray(0, promised.length)).toEqual(promised);
          expect(after.length).toBeLessThanOrEqual(Buffer.byteLength(written));
        },
      ),
    );
  });

  test('cuts, zeroes and tears unsynced tails, and sometimes forgets a file it was never told to keep', () => {
    const fates = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const disk = new MemoryDisk();
      disk.makeDirectory('d');
      disk.open('d/f', { create: true }).append([Buffer.alloc(2048, 'x')]);
      const after = disk.powerLoss(seededRandom(seed));
      if (!after.exists('d/f')) fates.add('forgotten');
      else {
        const content = contentOf(after, 'd/f');
        if (content.length < 2048) fates.add('cut');
        else if (!content.includes('\0')) fates.add('whole');
        else if (/x\0+x/.test(content)) fates.add('torn');
        else fates.add('zeroed');
      }
    }
    expect(fates).toEqual(new Set(['forgotten', 'cut', 'whole', 'torn', 'zeroed']));
  });

  test('does not cover with a sync what was appended after it began', async () => {
    let finish = () => {};
    const disk = new MemoryDisk({ syncDelay: () => new Promise((resolve) => (finish = resolve)) });
    disk.makeDirectory('d');
    const file = disk.open('d/f', { create: true });
    file.append([Buffer.from('first')]);
    const synced = file.sync();
    file.append([Buffer.from('second')]);
    finish();
    await synced;
    const lengths = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const copy = disk.powerLoss(seededRandom(seed));
      const content = contentOf(copy, 'd/f');
      expect(content.startsWith('first')).toBe(true);
      lengths.add(content.length);
    }
    expect(lengths.size).toBeGreaterThan(3);
  });

  test('may bring back what was truncated and not synced since', async () => {
    const contents = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const disk = new MemoryDisk();
      disk.makeDirectory('d');
      const file = disk.open('d/f', { create: true });
      file.append([Buffer.from('abcdef')]);
      await file.sync();
      file.truncate(2);
      contents.add(contentOf(disk.powerLoss(seededRandom(seed)), 'd/f'));
    }
    expect(contents).toEqual(new Set(['abcdef', 'ab']));
  });

  test('is gone for those who still hold it', () => {
    const disk = new MemoryDisk();
    disk.makeDirectory('d');
    const file = disk.open('d/f', { create: true });
    disk.powerLoss(seededRandom(1));
    expect(() => file.append([Buffer.from('x')])).toThrow(/power/);
  });

  test('fails where the hook says so, with half an append done', () => {
    const disk = new MemoryDisk({
      beforeOperation: ({ kind }) => {
        if (kind === 'append') throw osError('ENOSPC');
      },
    });
    disk.makeDirectory('d');
    const file = disk.open('d/f', { create: true });
    expect(() => file.append([Buffer.from('abcd')])).toThrow(
      expect.objectContaining({ code: 'STORE_DISK_FULL' }),
    );
    expect(file.sizeBytes()).toBe(2);
  });
});
