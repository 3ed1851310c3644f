/**
 * `npm run bench:report [DIR]`: puts the kept results into docs/performance.md, between its marks, and
 * their pictures beside it. Of each case the last session that measured it counts.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BENCH_NAMES, type BenchName } from './kit/measure.ts';
import type { ResultLine } from './kit/results/files.ts';
import { latest, withFigures } from './kit/results/page.ts';
import { summariesOf } from './kit/results/summary.ts';
import { svgOf } from './kit/results/svg.ts';

const docs = join(import.meta.dirname, '..', 'docs');
const page = join(docs, 'performance.md');
const pictures = join(docs, 'performance');

const results = process.argv[2] ?? join(import.meta.dirname, 'results');
const lines = readdirSync(results)
  .filter((file) => file.endsWith('.jsonl'))
  .flatMap((file) => readFileSync(join(results, file), 'utf8').trim().split('\n'))
  .map((line) => JSON.parse(line) as ResultLine);

writeFileSync(page, withFigures(readFileSync(page, 'utf8'), lines));
mkdirSync(pictures, { recursive: true });
const summaries = summariesOf(latest(lines));
for (const bench of BENCH_NAMES) draw(bench);

function draw(bench: BenchName): void {
  const ofBench = summaries.filter((summary) => summary.bench === bench);
  if (ofBench.length > 0) writeFileSync(join(pictures, `${bench}.svg`), svgOf(bench, ofBench));
}
