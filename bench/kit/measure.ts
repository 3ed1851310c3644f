/** What a bench gets and what it gives: one Measure is one JSON line and, with its like, one row of the table. */
import type { HttpRival, KafkaRival } from '../rivals/rival.ts';
import type { Platform, PlatformName } from './platform.ts';
import type { Progress } from './progress.ts';

export const BENCH_NAMES = [
  'throughput',
  'latency',
  'restore',
  'recovery',
  'memory',
  'http',
  'query',
  'growth',
] as const;
export type BenchName = (typeof BENCH_NAMES)[number];

/** How our own system is called in results. */
export const OURS = 'millrace';

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
  /** Up to how many purchases the growth bench lets the state grow. */
  readonly state: number;
  readonly commitMs: number;
  readonly guarantee: string;
  /** More environment of the app, e.g. STREAMS_TRANSACTION_TIMEOUT_MS. */
  readonly env: Readonly<Record<string, string>>;
}

/** One run of one contestant. */
export interface BenchContext {
  readonly options: BenchOptions;
  /** Who is measured: OURS, or the name of the rival. */
  readonly by: string;
  /** undefined = our own sale. */
  readonly rival: KafkaRival | HttpRival | undefined;
  /** Fresh for this run. */
  readonly platform: Platform;
  /** Names group, internal topics and state; no other run has it. */
  readonly application: string;
  readonly progress: Progress;
}

export interface Measure {
  readonly bench: BenchName;
  readonly by: string;
  /** '-' for a rival that needs no broker. */
  readonly on: PlatformName | '-';
  /** What tells this measure from others of the same bench; the same for all who are compared. */
  readonly label: string;
  /** In the order of the table's columns; units last in the names. */
  readonly figures: Readonly<Record<string, number>>;
  /** What others took of the machine meanwhile, in percent of all cores. */
  readonly foreignCpuPercent: number;
  /** The outcomes were read back and are right; undefined = nothing to prove. */
  readonly isProven: boolean | undefined;
}

export type Bench = (context: BenchContext) => Promise<Measure[]>;

/** A bench is a list of cases: each is measured on topics and folders of its own. */
export interface BenchCase {
  readonly measure: Bench;
  readonly options: BenchOptions;
}

/** Four digits are more than a measure is worth. */
export function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : 0;
}
