/**
 * How long requests took, as a histogram in Prometheus' text format. Every request is counted here,
 * so finding its cell and adding to it is all that it costs; the text is made when it is asked for.
 */

const NAME = 'http_server_request_duration_seconds';
const HELP = 'Time from the request to its answer';
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Cell {
  readonly labels: string;
  /** Not cumulative; the last one is for all that is longer. */
  readonly counts: number[];
  sumS: number;
}

export class RequestTimes {
  /** By route, method and status: all of them few. */
  readonly #cells = new Map<string, Map<string, Map<number, Cell>>>();

  observe(route: string, method: string, status: number, durationMs: number): void {
    const cell =
      this.#cells.get(route)?.get(method)?.get(status) ?? this.#add(route, method, status);
    const seconds = durationMs / 1_000;
    let bucket = 0;
    while (bucket < BUCKETS_S.length && seconds > BUCKETS_S[bucket]!) bucket++;
    cell.counts[bucket]!++;
    cell.sumS += seconds;
  }

  text(): string {
    const lines = [`# HELP ${NAME} ${HELP}`, `# TYPE ${NAME} histogram`];
    for (const methods of this.#cells.values()) {
      for (const statuses of methods.values()) {
        for (const cell of statuses.values()) addLines(lines, cell);
      }
    }
    return `${lines.join('\n')}\n`;
  }

  #add(route: string, method: string, status: number): Cell {
    const methods = this.#cells.get(route) ?? new Map<string, Map<number, Cell>>();
    const statuses = methods.get(method) ?? new Map<number, Cell>();
    const named = { http_request_method: method, http_route: route };
    const texts = Object.entries({ ...named, http_response_status_code: status });
    const labels = texts.map(([name, value]) => `${name}="${value}"`).join(',');
    const cell = { labels, counts: new Array(BUCKETS_S.length + 1).fill(0), sumS: 0 };
    this.#cells.set(route, methods.set(method, statuses.set(status, cell)));
    return cell;
  }
}

function addLines(lines: string[], { labels, counts, sumS }: Cell): void {
  let count = 0;
  for (const [index, inBucket] of counts.entries()) {
    count += inBucket;
    lines.push(`${NAME}_bucket{le="${BUCKETS_S[index] ?? '+Inf'}",${labels}} ${count}`);
  }
  lines.push(`${NAME}_sum{${labels}} ${sumS}`, `${NAME}_count{${labels}} ${count}`);
}
