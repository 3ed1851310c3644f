import { expect, test } from 'vitest';
import { type Log, silentLog } from '../../base/log.ts';
import { CommitListeners } from '../../runtime/queries/commit-listeners.ts';

const NOTICE = { taskPartitions: [0], outputs: [], committedAtMs: 1 };

test('a listener that throws is said once; it is told again, and so are the others', () => {
  const errors: unknown[] = [];
  const log: Log = { ...silentLog, error: ({ err }) => errors.push(err) };
  const listeners = new CommitListeners(() => {}, log);
  const told: string[] = [];
  const failure = new Error('listener');
  const add = (name: string, fails: boolean) =>
    listeners.add({
      topics: [name],
      wanted: () => true,
      listener: () => {
        told.push(name);
        if (fails) throw failure;
      },
    });
  add('broken', true);
  add('sound', false);
  for (let commit = 0; commit < 3; commit++) listeners.tell(NOTICE);
  expect(told).toEqual(['broken', 'sound', 'broken', 'sound', 'broken', 'sound']);
  expect(errors).toEqual([failure]);
});

test('so is one whose wish cannot be asked, and each listener is said for itself', () => {
  const errors: unknown[] = [];
  const log: Log = { ...silentLog, error: ({ topics }) => errors.push(topics) };
  const listeners = new CommitListeners(() => {}, log);
  for (const topic of ['a', 'b']) {
    const wanted = () => {
      throw new Error('wanted');
    };
    listeners.add({ topics: [topic], wanted, listener: () => {} });
  }
  listeners.tell(NOTICE);
  listeners.tell(NOTICE);
  expect(errors).toEqual([['a'], ['b']]);
});
