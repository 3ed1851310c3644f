/** A case as text: a row per figure, a column per contestant, then ours divided by each rival's. */
import { nameOf, pairsOf, type Result, ratio, type Spread, type Summary } from './summary.ts';

/** Cells of the table; the first row names the columns, the first column the figures. */
export function cellsOf(summary: Summary): string[][] {
  const { results } = summary;
  const pairs = pairsOf(summary);
  const figures = [...new Set(results.flatMap(({ figures: own }) => [...own.keys()]))];
  const isProven = results.some((result) => result.isProven !== undefined);
  return [
    ['', ...results.map(nameOf), ...pairs.map(({ ours, rival }) => pairName(ours, rival))],
    ...figures.map((figure) => [
      figure,
      ...results.map((result) => spreadText(result.figures.get(figure))),
      ...pairs.map(({ ours, rival }) => ratioText(ratio(ours, rival, figure))),
    ]),
    [
      'foreignCpuPercent',
      ...results.map(({ foreignCpuPercent }) => String(foreignCpuPercent)),
      ...pairs.map(() => ''),
    ],
    ...(isProven ? [['proof', ...results.map(proofText), ...pairs.map(() => '')]] : []),
  ];
}

export function tableOf(summary: Summary): string {
  const rows = cellsOf(summary);
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `  ${cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')}`;
  return `${titleOf(summary)}\n${rows.map(line).join('\n')}`;
}

export function titleOf({ bench, label, results }: Summary): string {
  const rounds = Math.max(...results.map((result) => result.rounds));
  return `${bench}: ${label}${rounds > 1 ? `; median (min..max) of ${rounds} rounds` : ''}`;
}

function pairName(ours: Result, rival: Result): string {
  return `${rival.on === '-' ? nameOf(ours) : ours.by} / ${rival.by}`;
}

function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '';
  const { median, min, max } = spread;
  return min === max ? number(median) : `${number(median)} (${number(min)}..${number(max)})`;
}

function ratioText(value: number | undefined): string {
  return value === undefined ? '' : `${value.toPrecision(3)}x`;
}

function proofText({ isProven }: Result): string {
  if (isProven === undefined) return '';
  return isProven ? 'holds' : 'BROKEN';
}

function number(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}
