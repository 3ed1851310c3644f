/** Keeps measures: JSON lines that grow from run to run, and one picture per bench and run. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, Measure } from './measure.ts';
import { svgOf } from './svg.ts';

/** One line: the measure, how it was asked for, and how busy the machine was. */
export function jsonLine(measure: Measure, options: BenchOptions): string {
  return JSON.stringify({
    at: new Date().toISOString(),
    ...measure,
    options,
    machine: { cores: cpus().length, load1m: loadavg()[0], node: process.version },
  });
}

export function keepLine(directory: string, bench: string, line: string): void {
  mkdirSync(directory, { recursive: true });
  appendFileSync(join(directory, `${bench}.jsonl`), `${line}\n`);
}

/** Returns the files written. */
export function keepPictures(directory: string, measures: readonly Measure[]): string[] {
  mkdirSync(directory, { recursive: true });
  return [...new Set(measures.map(({ bench }) => bench))].map((bench) => {
    const file = join(directory, `${bench}.svg`);
    const title = `${bench}, ${new Date().toISOString().slice(0, 16).replace('T', ' ')}`;
    writeFileSync(
      file,
      svgOf(
        title,
        measures.filter((measure) => measure.bench === bench),
      ),
    );
    return file;
  });
}
