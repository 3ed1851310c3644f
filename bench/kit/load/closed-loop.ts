/** Keep-alive connections of which each asks again as soon as it has its answer, for a time. */

import { percentiles } from '../../percentiles.ts';
import type { HttpUsage } from '../../rivals/rival.ts';
import { type BenchContext, type Measure, rounded } from '../measure.ts';
import { foreignCpuPercent, machineTime } from '../usage/machine-noise.ts';
import { HttpConnection } from './http-connection.ts';

const WARM_UP_SHARE = 1 / 3;

/** Resolves when request number `index` has its answer; rejects when that is not as expected. */
export type Ask = (connection: HttpConnection, index: number) => Promise<void>;

export interface LoopTarget {
  readonly url: string;
  usage(): HttpUsage;
}

export async function withConnections<T>(
  url: string,
  count: number,
  use: (connections: readonly HttpConnection[]) => Promise<T>,
): Promise<T> {
  const connections = await Promise.all(
    Array.from({ length: count }, () => HttpConnection.open(url)),
  );
  try {
    return await use(connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** Warms up, then measures. Requests are numbered from 0 on. */
export async function measureClosedLoop(
  { options, progress }: BenchContext,
  target: LoopTarget,
  connections: readonly HttpConnection[],
  label: string,
  ask: Ask,
): Promise<Pick<Measure, 'label' | 'figures' | 'foreignCpuPercent'>> {
  const warmUpMs = options.seconds * WARM_UP_SHARE * 1_000;
  const { length: next } = await closedLoop(connections, 0, warmUpMs, ask);
  const [before, machineBefore] = [target.usage(), machineTime()];
  const startMs = performance.now();
  const durationMs = options.seconds * 1_000;
  const looping = closedLoop(connections, next, durationMs, ask);
  const elapsedMs = () => Math.round(performance.now() - startMs);
  const latenciesMs = await progress.during(label, durationMs, elapsedMs, looping);
  const seconds = (performance.now() - startMs) / 1_000;
  const [after, machineAfter] = [target.usage(), machineTime()];
  const app = after.appCpuSeconds - before.appCpuSeconds;
  const other = after.otherCpuSeconds - before.otherCpuSeconds;
  const answers = latenciesMs.length;
  const { p50, p95, p99, p999 } = percentiles(latenciesMs);
  return {
    label: `${label}, ${connections.length} connections`,
    figures: {
      answersPerSecond: rounded(answers / seconds),
      p50Ms: p50,
      p95Ms: p95,
      p99Ms: p99,
      p999Ms: p999,
      appCores: rounded(app / seconds),
      otherCores: rounded(other / seconds),
      answersPerAppCpuSecond: rounded(answers / app),
      answersPerCpuSecond: rounded(answers / (app + other)),
      peakRssMiB: rounded(after.appPeakRssMiB),
    },
    foreignCpuPercent: rounded(foreignCpuPercent(machineBefore, machineAfter)),
  };
}

/** Latencies in ms, in the order of the answers. Resolves when the last request is answered. */
async function closedLoop(
  connections: readonly HttpConnection[],
  from: number,
  durationMs: number,
  ask: Ask,
): Promise<Float64Array> {
  const endMs = performance.now() + durationMs;
  const latenciesMs: number[] = [];
  let next = from;
  await Promise.all(
    connections.map(async (connection) => {
      for (let nowMs = performance.now(); nowMs < endMs; ) {
        await ask(connection, next++);
        const answeredMs = performance.now();
        latenciesMs.push(answeredMs - nowMs);
        nowMs = answeredMs;
      }
    }),
  );
  return Float64Array.from(latenciesMs);
}
