/** Results as the section of docs/performance.md that nobody writes by hand. */
import { BENCH_NAMES } from '../measure.ts';
import type { ResultLine } from './files.ts';
import { type Summary, summariesOf } from './summary.ts';
import { cellsOf, titleOf } from './table.ts';

const BEGIN = '<!-- figures: written by npm run bench:report -->';
const END = '<!-- end of figures -->';
/** Above it a figure says more of the machine's other work than of us. */
const QUIET_PERCENT_MAX = 12;

/** The page with the figures of these lines. Throws when it has no place for them. */
export function withFigures(page: string, lines: readonly ResultLine[]): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('the page has no marks for the figures');
  const current = latest(lines);
  const sections = BENCH_NAMES.map((bench) => {
    const ofBench = current.filter((line) => line.bench === bench);
    return ofBench.length === 0 ? `### ${bench}\n\nNot measured yet.` : sectionOf(bench, ofBench);
  });
  return `${page.slice(0, begin)}${BEGIN}\n\n${sections.join('\n\n')}\n\n${page.slice(end)}`;
}

/** Of each case only what its last session measured: ratios are of one session. */
export function latest(lines: readonly ResultLine[]): ResultLine[] {
  const sessions = new Map<string, string>();
  const caseOfLine = ({ bench, label }: ResultLine) => `${bench} ${label}`;
  for (const line of lines) {
    const before = sessions.get(caseOfLine(line)) ?? '';
    if (line.session > before) sessions.set(caseOfLine(line), line.session);
  }
  return lines.filter((line) => sessions.get(caseOfLine(line)) === line.session);
}

function sectionOf(bench: string, lines: readonly ResultLine[]): string {
  const { machine } = lines.at(-1)!;
  const days = [...new Set(lines.map(({ session }) => session.slice(0, 10)))];
  const where = `${machine.cores} cores ${machine.cpu}, Node ${machine.node}, ${days.join(', ')}`;
  const cases = summariesOf(lines).map(caseOf);
  return [`### ${bench}`, where, `![${bench}](performance/${bench}.svg)`, ...cases].join('\n\n');
}

function caseOf(summary: Summary): string {
  const noise = Math.max(...summary.results.map(({ foreignCpuPercent }) => foreignCpuPercent));
  const warning =
    noise > QUIET_PERCENT_MAX
      ? [
          `**Preliminary: others took up to ${Math.round(noise)} % of the machine meanwhile. ` +
            'Times mean nothing, CPU figures little.**',
        ]
      : [];
  return [`#### ${titleOf(summary)}`, ...warning, markdown(cellsOf(summary))].join('\n\n');
}

function markdown([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = line(head.map((_, column) => (column === 0 ? '---' : '---:')));
  return [line(head), rule, ...rows.map(line)].join('\n');
}
