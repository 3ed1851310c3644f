/** Measures as a picture: one group of horizontal bars per figure, one bar per measure. */
import type { Measure } from './measure.ts';

const WIDTH = 760;
const LABEL_WIDTH = 230;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - 110;
const ROW = 20;
const COLOURS = { embedded: '#2b7a78', kafka: '#c06014' } as const;

export function svgOf(title: string, measures: readonly Measure[]): string {
  const columns = [...new Set(measures.flatMap(({ figures }) => Object.keys(figures)))];
  const parts: string[] = [];
  let y = 34;
  for (const column of columns) {
    const shown = measures.filter(({ figures }) => figures[column] !== undefined);
    const most = Math.max(...shown.map(({ figures }) => figures[column]!), Number.MIN_VALUE);
    y += 14;
    parts.push(`<text x="8" y="${y}" font-weight="bold">${escaped(column)}</text>`);
    y += 6;
    for (const { on, label, figures } of shown) {
      const value = figures[column]!;
      const width = Math.max(1, (value / most) * BAR_WIDTH);
      const middle = y + ROW / 2 + 4;
      parts.push(
        `<text x="${LABEL_WIDTH - 6}" y="${middle}" text-anchor="end">${escaped(`${on} ${label}`)}</text>`,
        `<rect x="${LABEL_WIDTH}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW - 6}" fill="${COLOURS[on]}"/>`,
        `<text x="${(LABEL_WIDTH + width + 5).toFixed(1)}" y="${middle}">${value.toLocaleString('en-US')}</text>`,
      );
      y += ROW;
    }
    y += 6;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 10}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="8" y="22" font-size="16">${escaped(title)}</text>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
