import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { sign, verify } from '../../ticket-sales/signature.ts';

const NOW_MS = 1_790_000_000_500;
const SECRETS = ['the-old-secret-of-both', 'the-new-secret-of-both'];
const BODY = Buffer.from('{"paymentId":"p1"}');

const good = sign(SECRETS.slice(0, 1), BODY, NOW_MS);

describe('a signature', () => {
  test('is the HMAC-SHA256 of time, dot and body, as anybody can make it', () => {
    const hex = createHmac('sha256', SECRETS[0]!).update(`1790000000.${BODY}`).digest('hex');
    expect(good).toBe(`t=1790000000,v1=${hex}`);
  });

  test('is good by any secret of the list, old or new', () => {
    expect(verify(good, SECRETS, BODY, NOW_MS)).toBe('good');
    expect(verify(sign(SECRETS.slice(1), BODY, NOW_MS), SECRETS, BODY, NOW_MS)).toBe('good');
    expect(verify(sign(SECRETS, BODY, NOW_MS), SECRETS.slice(1), BODY, NOW_MS)).toBe('good');
    expect(verify(good, SECRETS.slice(1), BODY, NOW_MS)).toBe('wrong');
    expect(verify(good, [], BODY, NOW_MS)).toBe('wrong');
  });

  test('is good for five minutes, by a clock that may be off either way', () => {
    const fiveMinutes = 5 * 60 * 1000;
    expect(verify(good, SECRETS, BODY, NOW_MS - 500 + fiveMinutes)).toBe('good');
    expect(verify(good, SECRETS, BODY, NOW_MS - 500 - fiveMinutes)).toBe('good');
    expect(verify(good, SECRETS, BODY, NOW_MS - 499 + fiveMinutes)).toBe('too-old');
    expect(verify(good, SECRETS, BODY, NOW_MS - 501 - fiveMinutes)).toBe('too-old');
  });

  test('covers every byte of the body, and the time', () => {
    for (let index = 0; index < BODY.length; index++) {
      const changed = Buffer.from(BODY);
      changed[index] = changed[index]! ^ 1;
      expect(verify(good, SECRETS, changed, NOW_MS)).toBe('wrong');
    }
    expect(verify(good, SECRETS, Buffer.concat([BODY, Buffer.from(' ')]), NOW_MS)).toBe('wrong');
    const later = good.replace('1790000000', '1790000001');
    expect(verify(later, SECRETS, BODY, NOW_MS)).toBe('wrong');
  });

  test('may stand among others, and beside parts that are not known yet', () => {
    const wrong = `v1=${'0'.repeat(64)}`;
    const [time, v1] = good.split(',') as [string, string];
    expect(verify([time, wrong, v1, 'v2=x'].join(','), SECRETS, BODY, NOW_MS)).toBe('good');
    expect(verify([time, wrong].join(','), SECRETS, BODY, NOW_MS)).toBe('wrong');
  });

  test.each([
    ['', 'nothing'],
    ['t=1790000000', 'no signature'],
    [`v1=${'0'.repeat(64)}`, 'no time'],
    [`t=1e9,v1=${'0'.repeat(64)}`, 'a time that is none'],
    [`t=1790000000,t=1790000000,v1=${'0'.repeat(64)}`, 'two times'],
    [`t=1790000000,v1=${'0'.repeat(63)}`, 'a signature that is too short'],
    [`t=1790000000,v1=${'0'.repeat(66)}`, 'a signature that is too long'],
    [
      `t=1790000000,${Array(9)
        .fill(`v1=${'0'.repeat(64)}`)
        .join(',')}`,
      'more than eight',
    ],
  ])('%j is malformed: %s', (header) => {
    expect(verify(header, SECRETS, BODY, NOW_MS)).toBe('malformed');
  });

  test('that is not there is told as missing', () => {
    expect(verify(undefined, SECRETS, BODY, NOW_MS)).toBe('missing');
  });
});
