/** What a bench gets and what it gives: one Measure is one JSON line and one row of the table. */
import type { Platform, PlatformName } from './platform.ts';
import type { Progress } from './progress.ts';

export const BENCH_NAMES = ['throughput', 'latency', 'restore', 'memory', 'http'] as const;
export type BenchName = (typeof BENCH_NAMES)[number];

export interface BenchOptions {
  readonly purchases: number;
  readonly zones: number;
  readonly partitions: number;
  readonly threads: number;
  /** Purchases per second, one measure each. */
  readonly rates: readonly number[];
  /** How long a rate or a mix is measured. */
  readonly seconds: number;
  readonly connections: number;
  /** More environment of the app, e.g. STREAMS_COMMIT_INTERVAL_MS. */
  readonly env: Readonly<Record<string, string>>;
}

export interface BenchContext {
  readonly options: BenchOptions;
  readonly platform: Platform;
  readonly progress: Progress;
}

export interface Measure {
  readonly bench: BenchName;
  readonly on: PlatformName;
  /** What tells this measure from others of the same bench. */
  readonly label: string;
  /** In the order of the table's columns; units last in the names. */
  readonly figures: Readonly<Record<string, number>>;
  /** The outcomes were read back from the topics and are right; undefined = nothing to prove. */
  readonly isProven: boolean | undefined;
}

export type Bench = (context: BenchContext) => Promise<Measure[]>;

/** Four digits are more than a measure is worth. */
export function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : 0;
}
