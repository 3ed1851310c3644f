/** Cases as a picture: a group of horizontal bars per figure, a bar per contestant, a line from min to max. */
import { OURS } from '../measure.ts';
import { nameOf, type Result, type Spread, type Summary } from './summary.ts';

const WIDTH = 760;
const LABEL_WIDTH = 230;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - 110;
const ROW = 20;
const COLOURS = { ours: '#2b7a78', rival: '#c06014' } as const;

export function svgOf(title: string, summaries: readonly Summary[]): string {
  const parts: string[] = [];
  let y = 34;
  const write = (x: number, text: string, more = '') =>
    parts.push(`<text x="${x}" y="${y}" ${more}>${escaped(text)}</text>`);
  for (const { label, results } of summaries) {
    y += 20;
    write(8, label, 'font-size="14"');
    for (const figure of new Set(results.flatMap(({ figures }) => [...figures.keys()]))) {
      const shown = results.flatMap((result) => {
        const spread = result.figures.get(figure);
        return spread === undefined ? [] : [{ result, spread }];
      });
      const most = Math.max(...shown.map(({ spread }) => spread.max), Number.MIN_VALUE);
      y += 18;
      write(8, figure, 'font-weight="bold"');
      y += 4;
      for (const { result, spread } of shown) {
        parts.push(barOf(result, spread, most, y));
        y += ROW;
      }
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 12}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="8" y="22" font-size="16">${escaped(title)}</text>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function barOf(result: Result, { median, min, max }: Spread, most: number, y: number): string {
  const x = (value: number) => (LABEL_WIDTH + (value / most) * BAR_WIDTH).toFixed(1);
  const width = Math.max(1, (median / most) * BAR_WIDTH).toFixed(1);
  const middle = y + ROW / 2;
  const colour = result.by === OURS ? COLOURS.ours : COLOURS.rival;
  return [
    `<text x="${LABEL_WIDTH - 6}" y="${middle + 4}" text-anchor="end">${escaped(nameOf(result))}</text>`,
    `<rect x="${LABEL_WIDTH}" y="${y + 3}" width="${width}" height="${ROW - 6}" fill="${colour}"/>`,
    `<line x1="${x(min)}" y1="${middle}" x2="${x(max)}" y2="${middle}" stroke="black"/>`,
    `<text x="${Number(x(max)) + 5}" y="${middle + 4}">${median.toLocaleString('en-US')}</text>`,
  ].join('\n');
}

/** Text as it may stand in an element. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
