import { describe, expect, test } from 'vitest';
import { agreedBy, difference } from '../../runtime/assignment/agreement.ts';

const member = (processId: string, colour: string | null, active: readonly string[] = []) => ({
  processId,
  active,
  agreed: colour === null ? ({} as Record<string, string>) : { COLOUR: colour },
});

describe('what counts', () => {
  test('is what those have that run tasks, however many others come', () => {
    const members = [member('a', 'blue'), member('b', 'blue'), member('c', 'red', ['0_1'])];
    expect(agreedBy(members)).toEqual({ COLOUR: 'red' });
  });

  test('is what most have where nobody runs anything yet', () => {
    const members = [member('a', 'blue'), member('b', 'red'), member('c', 'red')];
    expect(agreedBy(members)).toEqual({ COLOUR: 'red' });
  });

  test('is the same for every leader, in whatever order the members stand', () => {
    const members = [member('b', 'red'), member('a', 'blue')];
    expect(agreedBy(members)).toEqual({ COLOUR: 'blue' });
    expect(agreedBy(members.toReversed())).toEqual({ COLOUR: 'blue' });
  });

  test('is not for those to say who have nothing to say', () => {
    const members = [member('a', null, ['0_1']), member('b', null, ['0_2']), member('c', 'red')];
    expect(agreedBy(members)).toEqual({ COLOUR: 'red' });
    expect(agreedBy([])).toEqual({});
  });
});

describe('a difference', () => {
  test('is of a value that both have', () => {
    expect(difference({ COLOUR: 'red', SIZE: '1' }, { SIZE: '2', COLOUR: 'red' })).toEqual({
      name: 'SIZE',
      own: '1',
      others: '2',
    });
    expect(difference({ COLOUR: '' }, { COLOUR: 'red' })).toMatchObject({ own: '' });
  });

  test('is none where only one side knows the name: versions may have more of them', () => {
    expect(difference({ COLOUR: 'red' }, { SIZE: '2' })).toBeUndefined();
    expect(difference({}, { COLOUR: 'red' })).toBeUndefined();
  });
});
