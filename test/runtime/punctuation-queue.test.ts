import { describe, expect, test } from 'vitest';
import { PunctuationQueue, punctuationStartMs } from '../../runtime/punctuation-queue.ts';
import vectors from '../vectors/punctuation.json' with { type: 'json' };

describe('a punctuation queue', () => {
  test.each(vectors.cases)('fires as Kafka does: $name', ({ name, start, interval, calls }) => {
    const queue = new PunctuationQueue();
    let count = 0;
    const schedule = queue.schedule('node', start, interval, () => {
      count++;
      if (name === 'cancelFromPunctuator') schedule.cancel();
    });
    for (const [timeMs, expectedCount, expectedNext] of calls) {
      for (const each of queue.due(timeMs ?? 0)) each.punctuator(each.timestampMs);
      expect(count).toBe(expectedCount);
      const next = queue.nextDueMs();
      // The vectors call a schedule that is due right at its start "next = start".
      expect(next ?? null).toBe(expectedNext);
    }
  });

  test('yields several schedules by the time they fell due, with the time of now', () => {
    const queue = new PunctuationQueue();
    queue.schedule('later', 20, 100, () => undefined);
    queue.schedule('earlier', 10, 100, () => undefined);
    const due = [...queue.due(25)].map(({ nodeName, timestampMs }) => [nodeName, timestampMs]);
    expect(due).toEqual([
      ['earlier', 25],
      ['later', 25],
    ]);
    expect(queue.nextDueMs()).toBe(110);
  });

  test('does not fire what an earlier punctuator of the same round has cancelled', () => {
    const queue = new PunctuationQueue();
    const fired: string[] = [];
    queue.schedule('first', 0, 10, () => {
      fired.push('first');
      second.cancel();
    });
    const second = queue.schedule('second', 0, 10, () => {
      fired.push('second');
    });
    for (const { punctuator, timestampMs } of queue.due(0)) punctuator(timestampMs);
    expect(fired).toEqual(['first']);
  });

  test('leaves what a punctuator schedules to the next round, so that a round always ends', () => {
    const queue = new PunctuationQueue();
    let fired = 0;
    const again = () => {
      fired++;
      queue.schedule('node', 0, 1000, again);
    };
    queue.schedule('node', 0, 1000, again);
    for (const { punctuator, timestampMs } of queue.due(5)) punctuator(timestampMs);
    expect(fired).toBe(1);
    expect(queue.nextDueMs()).toBe(0);
  });

  test('refuses an interval below a millisecond', () => {
    const queue = new PunctuationQueue();
    expect(() => queue.schedule('node', 0, 0, () => undefined)).toThrow('at least 1 ms');
  });

  test('starts stream time at 0 and wall-clock time one interval from now', () => {
    expect(punctuationStartMs('stream-time', 30, 1000)).toBe(0);
    expect(punctuationStartMs('wall-clock-time', 30, 1000)).toBe(1030);
  });
});
