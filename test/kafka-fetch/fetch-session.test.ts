import { describe, expect, test } from 'vitest';
import { FetchPartition } from '../../kafka/fetch/fetch-partition.ts';
import { FetchSession } from '../../kafka/fetch/fetch-session.ts';
import { partitionKey } from '../../kafka/ports.ts';

function at(partition: number, offset: number): FetchPartition {
  const key = partitionKey('in', partition);
  return new FetchPartition({ topic: 'in', partition, key }, { offset, leaderEpoch: 0 }, false);
}

function move(state: FetchPartition, nextOffset: number): void {
  const bounds = { highWatermark: 9, lastStableOffset: 9, logStartOffset: 0 };
  const { topic, partition } = state;
  state.accept({ topic, partition, ...bounds, batches: [], nextOffset, lastLeaderEpoch: 0 }, 0);
}

function ask(session: FetchSession, ...states: readonly FetchPartition[]) {
  const request = session.next(states.map((state) => ({ state, leaderEpoch: 0 })));
  const { sessionId, sessionEpoch, named, forgotten } = request;
  return {
    session: [sessionId, sessionEpoch],
    named: named.map(({ state }) => [state.partition, state.nextOffset]),
    forgotten: forgotten.map(({ partition }) => partition),
  };
}

/** A session 7 that knows partitions 0 and 1 at offset 0. */
function opened() {
  const session = new FetchSession();
  const states = [at(0, 0), at(1, 0)] as const;
  const first = ask(session, ...states);
  expect(first).toEqual({
    session: [0, 0],
    named: [
      [0, 0],
      [1, 0],
    ],
    forgotten: [],
  });
  session.accepted(7);
  return { session, states };
}

const EVERYTHING = [
  [0, 0],
  [1, 0],
];

describe('a fetch session', () => {
  test('names what has moved, forgets what is not wanted, and counts its requests', () => {
    const { session, states } = opened();
    expect(ask(session, ...states)).toEqual({ session: [7, 1], named: [], forgotten: [] });
    session.accepted(7);
    move(states[1], 4);
    expect(ask(session, ...states)).toEqual({ session: [7, 2], named: [[1, 4]], forgotten: [] });
    session.accepted(7);
    expect(ask(session, states[1])).toEqual({ session: [7, 3], named: [], forgotten: [0] });
    session.accepted(7);
    expect(ask(session, ...states)).toEqual({ session: [7, 4], named: [[0, 0]], forgotten: [] });
  });

  test('forgets and names in one request', () => {
    const { session, states } = opened();
    expect(ask(session, states[0], at(2, 5))).toEqual({
      session: [7, 1],
      named: [[2, 5]],
      forgotten: [1],
    });
  });

  test('is replaced after a lost answer, and after a seek, even to the same offset', () => {
    const { session, states } = opened();
    ask(session, ...states);
    session.lost();
    expect(ask(session, ...states)).toMatchObject({ session: [7, 0], named: EVERYTHING });
    session.accepted(8);
    expect(ask(session, states[0], at(1, 0))).toMatchObject({
      session: [8, 0],
      named: EVERYTHING,
    });
  });

  test('begins anew when the broker has refused or ended it, or keeps none', () => {
    const { session, states } = opened();
    ask(session, ...states);
    session.refused();
    expect(ask(session, ...states)).toMatchObject({ session: [0, 0], named: EVERYTHING });
    session.accepted(0);
    expect(session.isOpen).toBe(false);
    expect(ask(session, ...states)).toMatchObject({ session: [0, 0], named: EVERYTHING });
    session.accepted(9);
    ask(session, ...states);
    session.accepted(10);
    expect(ask(session, ...states)).toMatchObject({ session: [0, 0], named: EVERYTHING });
  });

  test('knows whom it has asked for', () => {
    const { session, states } = opened();
    expect(session.asked('in-0')).toBe(states[0]);
    ask(session, states[1]);
    expect(session.asked('in-0')).toBeUndefined();
  });
});
