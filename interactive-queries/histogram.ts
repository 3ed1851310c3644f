/**
 * Durations as a histogram in Prometheus' text format. To observe one is to add to its cell; the text
 * is made when it is asked for.
 */
export type HistogramLabels = Readonly<Record<string, string | number>>;

export interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, ascending; longer ones are counted all the same. */
  readonly bucketsS: readonly number[];
}

export class Histogram {
  readonly #options: HistogramOptions;
  readonly #cells: HistogramCell[] = [];

  constructor(options: HistogramOptions) {
    this.#options = options;
  }

  /** For these labels; whoever observes keeps it. */
  cell(labels: HistogramLabels): HistogramCell {
    const cell = new HistogramCell(labels, this.#options);
    this.#cells.push(cell);
    return cell;
  }

  text(): string {
    const { name, help } = this.#options;
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
    for (const cell of this.#cells) lines.push(...cell.lines());
    return `${lines.join('\n')}\n`;
  }
}

export class HistogramCell {
  readonly #labels: string;
  readonly #options: HistogramOptions;
  /** Not cumulative; the last one is for all that is longer. */
  readonly #counts: number[];
  #sumS = 0;

  constructor(labels: HistogramLabels, options: HistogramOptions) {
    const texts = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    this.#labels = texts.join(',');
    this.#options = options;
    this.#counts = new Array(options.bucketsS.length + 1).fill(0);
  }

  observe(durationMs: number): void {
    const { bucketsS } = this.#options;
    const seconds = durationMs / 1_000;
    let bucket = 0;
    while (bucket < bucketsS.length && seconds > bucketsS[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sumS += seconds;
  }

  lines(): string[] {
    const { name, bucketsS } = this.#options;
    const lines: string[] = [];
    let count = 0;
    for (const [index, inBucket] of this.#counts.entries()) {
      count += inBucket;
      lines.push(`${name}_bucket{le="${bucketsS[index] ?? '+Inf'}",${this.#labels}} ${count}`);
    }
    const labels = `{${this.#labels}}`;
    return [...lines, `${name}_sum${labels} ${this.#sumS}`, `${name}_count${labels} ${count}`];
  }
}
