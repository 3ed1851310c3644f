/** Measures as text: one table per bench, columns as wide as they need to be. */
import type { Measure } from './measure.ts';

export function tablesOf(measures: readonly Measure[]): string {
  const benches = [...new Set(measures.map(({ bench }) => bench))];
  return benches
    .map((bench) => `${bench}\n${table(measures.filter((measure) => measure.bench === bench))}`)
    .join('\n\n');
}

function table(measures: readonly Measure[]): string {
  const columns = [...new Set(measures.flatMap(({ figures }) => Object.keys(figures)))];
  const rows = [
    ['on', 'case', ...columns, 'proof'],
    ...measures.map(({ on, label, figures, isProven }) => [
      on,
      label,
      ...columns.map((column) => figures[column]?.toLocaleString('en-US') ?? ''),
      isProven === undefined ? '' : isProven ? 'holds' : 'BROKEN',
    ]),
  ];
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `  ${cells
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')}`;
  return rows.map(line).join('\n');
}
