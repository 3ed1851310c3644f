/** The final table and the tally. */
import type { Row } from './run-scenario.ts';

export function tableOf(rows: readonly Row[]): string {
  const cells = [
    ['scenario', 'on', 'result', 's', 'asked', 'sold', ''],
    ...rows.map(({ name, on, result, seconds, purchases, sold, what }) => [
      ...[name, on, result, String(seconds), String(purchases), String(sold)],
      what.replaceAll('\n', ' '),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const isNumber = (column: number) => column >= 3 && column <= 5;
  return cells
    .map((row) =>
      row
        .map((cell, column) => {
          if (column === row.length - 1) return cell;
          return isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
        })
        .join('  '),
    )
    .join('\n');
}

/** Nothing run at all is a failure too. */
export function tallyOf(rows: readonly Row[]): {
  readonly text: string;
  readonly hasFailed: boolean;
} {
  const count = (result: Row['result']) => rows.filter((row) => row.result === result).length;
  const [passed, failed, skipped] = [count('passed'), count('FAILED'), count('SKIPPED')];
  return {
    text: `${passed} passed, ${failed} failed, ${skipped} skipped`,
    hasFailed: failed > 0 || passed + skipped === 0,
  };
}
