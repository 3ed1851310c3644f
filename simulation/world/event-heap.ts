/** The events to come: a binary heap by time, then by creation. */
import type { Process } from './process.ts';

export interface ScheduledEvent {
  readonly atMs: number;
  readonly order: number;
  readonly process: Process;
  readonly callback: () => void;
  readonly label: string;
  isCancelled: boolean;
}

export class EventHeap {
  readonly #events: ScheduledEvent[] = [];

  push(event: ScheduledEvent): void {
    const events = this.#events;
    let at = events.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, events[parent]!)) break;
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = event;
  }

  pop(): ScheduledEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let at = 0;
    for (;;) {
      const right = 2 * at + 2;
      const left = right - 1;
      if (left >= events.length) break;
      const child = right < events.length && isBefore(events[right]!, events[left]!) ? right : left;
      if (!isBefore(events[child]!, last)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = last;
    return first;
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
