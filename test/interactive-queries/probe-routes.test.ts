import { beforeEach, describe, expect, test } from 'vitest';
import type { RouteResponse } from '../../interactive-queries/http/route.ts';
import type { StreamsState, TaskInfo } from '../../interactive-queries/queryable-streams.ts';
import { probeRoutes } from '../../interactive-queries/routes/probe-routes.ts';
import { FakeStreams } from './fake-streams.ts';
import { routeRequest } from './route-request.ts';

let streams: FakeStreams;
let isStopping: boolean;
let probes: ReturnType<typeof probeRoutes>;

beforeEach(() => {
  streams = new FakeStreams();
  isStopping = false;
  probes = probeRoutes({ streams, isStopping: () => isStopping });
});

function ask(path: string): readonly [status: number, failed: unknown] {
  const route = probes.find((each) => each.path === path)!;
  const { status, body } = route.handle(routeRequest()) as RouteResponse;
  return [status, (body as { failed?: unknown }).failed];
}

const task = (status: TaskInfo['status']): TaskInfo => ({
  taskId: '0_0',
  role: 'active',
  status,
  thread: 't',
  inputLag: 0,
  remainingRestoreRecords: 0,
  restoreTotalRecords: 0,
  lastCommitAtMs: 0,
});

describe('livez', () => {
  test.each<[StreamsState, number]>([
    ['CREATED', 200],
    ['REBALANCING', 200],
    ['RUNNING', 200],
    ['PENDING_SHUTDOWN', 200],
    ['PENDING_ERROR', 200],
    ['NOT_RUNNING', 503],
    ['ERROR', 503],
  ])('in state %s is %i', (state, status) => {
    streams.currentState = state;
    expect(ask('/livez')[0]).toBe(status);
  });

  test('does not fail because Kafka is away', () => {
    streams.silentMs = 1e9;
    expect(ask('/livez')).toEqual([200, undefined]);
  });
});

describe('readyz', () => {
  test('is yes when everything runs', () => {
    streams.currentTasks = [task('running')];
    expect(ask('/readyz')).toEqual([200, undefined]);
  });

  test.each<[string, () => void, string[]]>([
    ['a rebalance', () => (streams.currentState = 'REBALANCING'), ['state']],
    [
      'a task that is restored',
      () => (streams.currentTasks = [task('running'), task('restoring')]),
      ['state'],
    ],
    ['silence of Kafka', () => (streams.silentMs = 15_000), ['kafka']],
    ['a stop', () => (isStopping = true), ['stopping']],
  ])('is no during %s, and says why', (_, happen, failed) => {
    happen();
    expect(ask('/readyz')).toEqual([503, failed]);
  });
});

describe('startupz', () => {
  test('is no until the first time that it runs, then yes for ever', () => {
    streams.currentState = 'REBALANCING';
    expect(ask('/startupz')).toEqual([503, ['started']]);
    streams.currentState = 'RUNNING';
    expect(ask('/startupz')[0]).toBe(200);
    streams.currentState = 'REBALANCING';
    expect(ask('/startupz')[0]).toBe(200);
  });
});

test.each([
  ['/health/live', '/livez'],
  ['/health/ready', '/readyz'],
  ['/health/started', '/startupz'],
])('%s is another name of %s', (alias, path) => {
  for (const state of ['RUNNING', 'REBALANCING', 'ERROR'] as const) {
    streams.currentState = state;
    expect(ask(alias)).toEqual(ask(path));
  }
});
