/** Server-sent events as text (the HTML standard's `text/event-stream`). Pure. */

export const EVENT_STREAM = 'text/event-stream';

export const EVENT_STREAM_HEADERS = {
  'Content-Type': EVENT_STREAM,
  'Cache-Control': 'no-store',
  // Proxies of the nginx family would hold events back to fill a buffer.
  'X-Accel-Buffering': 'no',
  // Nothing follows on this connection: it goes when the stream does.
  Connection: 'close',
} as const;

/** Tells the client to come again so soon when the stream ends. Opens the stream: proxies pass on the head. */
export const OPENING = 'retry: 2000\n\n';
/** A comment, now and then, keeps the connection from being taken for dead. */
export const HEARTBEAT = ':\n\n';
export const HEARTBEAT_MS = 15_000;

/** JSON has no line breaks of its own: one line of data. `id` must have none either. */
export function serverSentEvent(event: string, id: string, data: unknown): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}
