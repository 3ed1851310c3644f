/** How long requests took. Every request is counted here, so finding its cell is all that it costs. */
import { Histogram, type HistogramCell } from './histogram.ts';

const HISTOGRAM = {
  name: 'http_server_request_duration_seconds',
  help: 'Time from the request to its answer',
  bucketsS: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
};

export class RequestTimes {
  readonly #histogram = new Histogram(HISTOGRAM);
  /** By route, method and status: all of them few. */
  readonly #cells = new Map<string, Map<string, Map<number, HistogramCell>>>();

  observe(route: string, method: string, status: number, durationMs: number): void {
    const cell =
      this.#cells.get(route)?.get(method)?.get(status) ?? this.#add(route, method, status);
    cell.observe(durationMs);
  }

  text(): string {
    return this.#histogram.text();
  }

  #add(route: string, method: string, status: number): HistogramCell {
    const methods = this.#cells.get(route) ?? new Map<string, Map<number, HistogramCell>>();
    const statuses = methods.get(method) ?? new Map<number, HistogramCell>();
    const cell = this.#histogram.cell({
      http_request_method: method,
      http_route: route,
      http_response_status_code: status,
    });
    this.#cells.set(route, methods.set(method, statuses.set(status, cell)));
    return cell;
  }
}
