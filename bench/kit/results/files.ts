/** Keeps measures: JSON lines that grow from run to run, and one picture per bench and run. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, Measure } from '../measure.ts';
import type { Summary } from './summary.ts';
import { svgOf } from './svg.ts';

/** One line of a results file. */
export interface ResultLine extends Measure {
  readonly at: string;
  /** When the command was given: who is compared has the same. */
  readonly session: string;
  readonly options: BenchOptions;
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string };
}

/** The measure, how it was asked for, and how busy the machine was. */
export function jsonLine(session: string, measure: Measure, options: BenchOptions): string {
  const { model = '' } = cpus()[0] ?? {};
  const line: ResultLine & { machine: { load1m: number | undefined } } = {
    at: new Date().toISOString(),
    session,
    ...measure,
    options,
    machine: { cores: cpus().length, cpu: model, load1m: loadavg()[0], node: process.version },
  };
  return JSON.stringify(line);
}

export function keepLine(directory: string, bench: string, line: string): void {
  mkdirSync(directory, { recursive: true });
  appendFileSync(join(directory, `${bench}.jsonl`), `${line}\n`);
}

/** Returns the files written. */
export function keepPictures(directory: string, summaries: readonly Summary[]): string[] {
  mkdirSync(directory, { recursive: true });
  return [...new Set(summaries.map(({ bench }) => bench))].map((bench) => {
    const file = join(directory, `${bench}.svg`);
    const ofBench = summaries.filter((summary) => summary.bench === bench);
    writeFileSync(file, svgOf(bench, ofBench));
    return file;
  });
}
