/**
 * Probes for supervisors. livez fails only for a stopped engine, never for a rebalance or a broker
 * that is away; readyz needs state that can be queried and Kafka in sight.
 */
import Type from 'typebox';
import { Problem } from '../http/problem.ts';
import type { Route, RouteResponse } from '../http/route.ts';
import type { QueryableStreams } from '../queryable-streams.ts';

export interface ProbeRoutesDeps {
  readonly streams: QueryableStreams;
  readonly isStopping: () => boolean;
}

/** Without a word from Kafka for so long, commands cannot be accepted. */
const KAFKA_SILENT_MAX_MS = 15_000;

type Check = readonly [name: string, ok: boolean];

export function probeRoutes(deps: ProbeRoutesDeps): Route[] {
  let wasRunning = false;
  const live = (): Check[] => [
    ['engine', !['ERROR', 'NOT_RUNNING'].includes(deps.streams.state())],
  ];
  const ready = (): Check[] => [
    ['stopping', !deps.isStopping()],
    [
      'state',
      deps.streams.state() === 'RUNNING' &&
        deps.streams.tasks().every(({ status }) => status !== 'restoring'),
    ],
    ['kafka', deps.streams.kafkaSilentForMs() < KAFKA_SILENT_MAX_MS],
  ];
  const started = (): Check[] => {
    wasRunning ||= deps.streams.state() === 'RUNNING';
    return [['started', wasRunning]];
  };
  const probes: readonly (readonly [string, string, () => Check[]])[] = [
    ['livez', 'Is the process worth keeping?', live],
    ['readyz', 'May it be sent requests?', ready],
    ['startupz', 'Has it been running once?', started],
  ];
  return probes.flatMap(([name, summary, checks]) => [
    probe(`/${name}`, name, summary, checks),
    probe(
      `/health/${name.replace(/z$/, '').replace('startup', 'started')}`,
      `${name}Alias`,
      summary,
      checks,
    ),
  ]);
}

function probe(path: string, operationId: string, summary: string, checks: () => Check[]): Route {
  const yes = Type.Object({ status: Type.Literal('ok') });
  return {
    method: 'GET',
    path,
    operationId,
    summary,
    tag: 'operations',
    access: 'open',
    answers: { 200: { about: 'Yes', body: yes }, 503: { about: 'No; `failed` names why' } },
    handle: () => answerOf(path, checks()),
  };
}

/** Answered, not thrown: a no is what probes are for, and no problem to be counted. */
function answerOf(path: string, checks: readonly Check[]): RouteResponse {
  const failed = checks.filter(([, ok]) => !ok).map(([name]) => name);
  const headers = { 'Cache-Control': 'no-store' };
  if (failed.length === 0) return { status: 200, headers, body: { status: 'ok' } };
  const problem = new Problem('probe-failed', { members: { failed } });
  return {
    status: problem.status,
    headers: { ...headers, 'Retry-After': '1', 'Content-Type': 'application/problem+json' },
    body: problem.document(path),
  };
}
