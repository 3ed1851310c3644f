import { expect, test } from 'vitest';
import { isSameData } from './same-data.ts';

class Decoded {
  readonly purchaseId = 'a';
  readonly seats = ['1', '2'];
  readonly price = { amountMinor: 4_500 };
}

test('a decoded record is the same as plain data', () => {
  const plain = { purchaseId: 'a', seats: ['1', '2'], price: { amountMinor: 4_500 } };
  expect(isSameData(new Decoded(), plain)).toBe(true);
  expect(isSameData(new Decoded(), { ...plain, seats: ['1'] })).toBe(false);
  expect(isSameData(new Decoded(), { ...plain, price: null })).toBe(false);
  expect(isSameData(new Decoded(), { ...plain, price: { amountMinor: 4_501 } })).toBe(false);
  expect(isSameData(new Decoded(), { ...plain, more: 1 })).toBe(false);
  expect(isSameData(['1'], { 0: '1' })).toBe(false);
  expect(isSameData(undefined, plain)).toBe(false);
});
