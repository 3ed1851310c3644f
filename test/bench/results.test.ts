/** Rounds become medians, medians become ratios, and both become the page: no measuring here. */
import { describe, expect, test } from 'vitest';
import type { Measure } from '../../bench/kit/measure.ts';
import type { ResultLine } from '../../bench/kit/results/files.ts';
import { withFigures } from '../../bench/kit/results/page.ts';
import { pairsOf, ratio, summariesOf } from '../../bench/kit/results/summary.ts';
import { svgOf } from '../../bench/kit/results/svg.ts';
import { cellsOf, tableOf } from '../../bench/kit/results/table.ts';

function measure(by: string, decisionsPerSecond: number, more: Partial<Measure> = {}): Measure {
  return {
    bench: 'throughput',
    by,
    on: 'kafka',
    label: 'a case',
    figures: { decisionsPerSecond },
    foreignCpuPercent: 1,
    isProven: true,
    ...more,
  };
}

const ROUNDS = [
  measure('millrace', 300),
  measure('kafka-streams', 100),
  measure('millrace', 500, { foreignCpuPercent: 9 }),
  measure('kafka-streams', 80),
  measure('millrace', 200),
  measure('kafka-streams', 120, { isProven: false }),
];

const MARKED =
  'before\n<!-- figures: written by npm run bench:report -->\nstale figures\n<!-- end of figures -->\nafter\n';

function line(session: string, of: Measure): ResultLine {
  const machine = { cores: 2, cpu: 'a processor', node: 'v24' };
  return { ...of, at: session, session, machine } as ResultLine;
}

describe('the rounds of a comparison', () => {
  test('become the median, the least and the most of each contestant', () => {
    const [summary] = summariesOf(ROUNDS);
    const [ours, rival] = summary!.results;
    expect(ours?.figures.get('decisionsPerSecond')).toEqual({ median: 300, min: 200, max: 500 });
    expect(rival?.figures.get('decisionsPerSecond')).toEqual({ median: 100, min: 80, max: 120 });
    expect(ours).toMatchObject({ rounds: 3, foreignCpuPercent: 9, isProven: true });
  });

  test('have the middle of the two middle ones as median when they are even', () => {
    const [summary] = summariesOf([1, 2, 4, 9].map((each) => measure('millrace', each)));
    expect(summary?.results[0]?.figures.get('decisionsPerSecond')?.median).toBe(3);
  });

  test('are not proven when one of them is not', () => {
    expect(summariesOf(ROUNDS)[0]!.results[1]?.isProven).toBe(false);
    expect(tableOf(summariesOf(ROUNDS)[0]!)).toContain('BROKEN');
  });

  test('put ours in relation to each rival by their medians', () => {
    const [summary] = summariesOf(ROUNDS);
    const [pair] = pairsOf(summary!);
    expect(ratio(pair!.ours, pair!.rival, 'decisionsPerSecond')).toBe(3);
    expect(cellsOf(summary!)[0]).toContain('millrace / kafka-streams');
    expect(cellsOf(summary!)[1]).toContain('3.00x');
  });

  test('give no ratio for a figure that only one of them has', () => {
    const alone = summariesOf([
      measure('millrace', 1, { figures: { restoreSeconds: 2 } }),
      measure('kafka-streams', 1),
    ])[0]!;
    const [pair] = pairsOf(alone);
    expect(ratio(pair!.ours, pair!.rival, 'restoreSeconds')).toBeUndefined();
  });

  test('compare a rival without a broker with ours wherever it ran, another only where it ran itself', () => {
    const [summary] = summariesOf([
      measure('millrace', 1, { on: 'embedded' }),
      measure('millrace', 2),
      measure('postgres', 3, { on: '-' }),
      measure('kafka-streams', 4),
    ]);
    const pairs = pairsOf(summary!).map(({ ours, rival }) => `${ours.on} ${rival.by}`);
    expect(pairs).toEqual(['embedded postgres', 'kafka postgres', 'kafka kafka-streams']);
  });

  test('become a picture with a bar for each contestant', () => {
    const svg = svgOf('throughput', summariesOf(ROUNDS));
    expect(svg.match(/<rect x/g)).toHaveLength(2);
    expect(svg).toContain('kafka-streams (kafka)');
  });
});

describe('the page of figures', () => {
  test('gets what was measured between its marks, and keeps what people wrote', () => {
    const page = withFigures(
      MARKED,
      ROUNDS.map((each) => line('2026-01-02', each)),
    );
    expect(page.startsWith('before\n')).toBe(true);
    expect(page.endsWith('after\n')).toBe(true);
    expect(page).not.toContain('stale figures');
    expect(page).toContain('| decisionsPerSecond | 300 (200..500) | 100 (80..120) | 3.00x |');
  });

  test('takes of each case the last session only', () => {
    const page = withFigures(MARKED, [
      line('2026-01-03', measure('millrace', 7)),
      line('2026-01-02', measure('millrace', 5)),
      line('2026-01-02', measure('millrace', 9, { label: 'another case' })),
    ]);
    expect(page).toContain('| decisionsPerSecond | 7 |');
    expect(page).toContain('| decisionsPerSecond | 9 |');
    expect(page).not.toContain('| decisionsPerSecond | 5 |');
  });

  test('says so when others disturbed a figure', () => {
    const noisy = line('2026-01-02', measure('millrace', 7, { foreignCpuPercent: 40 }));
    expect(withFigures(MARKED, [noisy])).toContain('Preliminary: others took up to 40 %');
    const quiet = line('2026-01-02', measure('millrace', 7));
    expect(withFigures(MARKED, [quiet])).not.toContain('Preliminary');
  });

  test('says which benches have no figures yet', () => {
    const page = withFigures(MARKED, [line('2026-01-02', measure('millrace', 7))]);
    expect(page).toContain('### http\n\nNot measured yet.');
    expect(page).not.toContain('### throughput\n\nNot measured yet.');
  });

  test('is refused when it has no place for figures', () => {
    expect(() => withFigures('no marks', [])).toThrow('no marks');
  });
});
