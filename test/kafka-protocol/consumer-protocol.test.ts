import { describe, expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import {
  CONSUMER_PROTOCOL_VERSION_MAX,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../kafka/protocol/messages/consumer-protocol.ts';

const subscription = {
  topics: ['a', 'b'],
  userData: Buffer.from('x'),
  ownedPartitions: [{ topic: 'a', partitions: [0, 2] }],
  generationId: 4,
  rackId: 'r',
};

describe('a subscription', () => {
  test('is version, topics, user data, and what later versions add', () => {
    expect(encodeSubscription({ topics: ['a'] }, 0).toString('hex')).toBe(
      '0000' + '00000001' + '000161' + 'ffffffff',
    );
    expect(decodeSubscription(encodeSubscription(subscription, 3))).toEqual(subscription);
    expect(decodeSubscription(encodeSubscription(subscription, 1))).toEqual({
      ...subscription,
      generationId: -1,
      rackId: null,
    });
  });

  test('of a newer version is read as far as we know it', () => {
    const newer = Buffer.concat([encodeSubscription(subscription, 3), Buffer.from('more')]);
    newer.writeInt16BE(CONSUMER_PROTOCOL_VERSION_MAX + 1);
    expect(decodeSubscription(newer)).toEqual(subscription);
  });

  test('with bytes left over, of a negative version, or cut, is refused', () => {
    const good = encodeSubscription(subscription, 3);
    const negative = Buffer.from(good);
    negative.writeInt16BE(-1);
    for (const bad of [Buffer.concat([good, Buffer.alloc(1)]), negative, good.subarray(0, 9)]) {
      let error: unknown;
      try {
        decodeSubscription(bad);
      } catch (thrown) {
        error = thrown;
      }
      expect(isMillraceError(error, 'KAFKA_PROTOCOL')).toBe(true);
    }
  });
});

test('an assignment is version, partitions and user data', () => {
  const assignment = { assignedPartitions: [{ topic: 'a', partitions: [1] }], userData: null };
  const encoded = encodeAssignment(assignment, 0);
  expect(encoded.toString('hex')).toBe(
    '0000' + '00000001' + '000161' + '00000001' + '00000001' + 'ffffffff',
  );
  expect(decodeAssignment(encoded)).toEqual(assignment);
});
