/** A bench is a list of cases: each is one measure with its sizes, on topics and folders of its own. */

import type { Bench, BenchCase, BenchName, BenchOptions } from './kit/measure.ts';
import { growthCases } from './measures/growth.ts';
import { measureHttp } from './measures/http.ts';
import { measureLatency } from './measures/latency.ts';
import { measureMemory } from './measures/memory.ts';
import { measureQuery } from './measures/query.ts';
import { measureRecovery } from './measures/recovery.ts';
import { measureRestore } from './measures/restore.ts';
import { measureThroughput } from './measures/throughput.ts';

const MEASURES: Readonly<Record<Exclude<BenchName, 'growth'>, Bench>> = {
  throughput: measureThroughput,
  latency: measureLatency,
  restore: measureRestore,
  recovery: measureRecovery,
  memory: measureMemory,
  http: measureHttp,
  query: measureQuery,
};

export function casesOf(name: BenchName, options: BenchOptions): BenchCase[] {
  return name === 'growth' ? growthCases(options) : [{ measure: MEASURES[name], options }];
}
