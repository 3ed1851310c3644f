import { describe, expect, test } from 'vitest';
import { Gathered } from '../../kafka/admin/gathered.ts';

/** A broker that answers when told to. */
function heldBroker() {
  const asked: string[][] = [];
  const answers: PromiseWithResolvers<readonly string[]>[] = [];
  let idle = 0;
  const gathered = new Gathered<string, string>(
    (items) => {
      asked.push([...items]);
      answers.push(Promise.withResolvers());
      return answers.at(-1)!.promise;
    },
    (about) => about.toLowerCase(),
    () => idle++,
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { gathered, asked, answers, turn, idleCount: () => idle };
}

describe('questions to one broker', () => {
  test('of one turn go out together, each asked once, and everybody gets his own answers', async () => {
    const { gathered, asked, answers, turn, idleCount } = heldBroker();
    const first = gathered.ask(['a', 'b']);
    const second = gathered.ask(['b', 'c']);
    await turn();
    expect(asked).toEqual([['a', 'b', 'c']]);
    answers[0]!.resolve(['A', 'B', 'C']);
    expect(await first).toEqual(['A', 'B']);
    expect(await second).toEqual(['B', 'C']);
    await turn();
    expect(idleCount()).toBe(1);
  });

  test('that come while a request is out wait for the next: no answer is older than its question', async () => {
    const { gathered, asked, answers, turn } = heldBroker();
    const first = gathered.ask(['a']);
    await turn();
    const second = gathered.ask(['a']);
    const third = gathered.ask(['b']);
    await turn();
    expect(asked).toEqual([['a']]);
    answers[0]!.resolve(['A']);
    expect(await first).toEqual(['A']);
    await turn();
    expect(asked).toEqual([['a'], ['a', 'b']]);
    answers[1]!.resolve(['A']);
    expect(await second).toEqual(['A']);
    expect(await third, 'left out by the broker').toEqual([]);
  });

  test('fail with the request that carried them, and the next request is tried all the same', async () => {
    const { gathered, answers, turn } = heldBroker();
    const first = gathered.ask(['a']);
    const failed = expect(first).rejects.toThrow('lost');
    await turn();
    const second = gathered.ask(['b']);
    answers[0]!.reject(new Error('lost'));
    await failed;
    await turn();
    answers[1]!.resolve(['B']);
    expect(await second).toEqual(['B']);
  });
});
