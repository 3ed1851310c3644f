/** Times as the API takes them: RFC 3339. */

export const TIME_PATTERN =
  '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,3})?)?(Z|[+-]\\d{2}:\\d{2})$';

/** Undefined for a time that does not exist: Date.parse takes 30 February for 2 March. */
export function parseTime(text: string): number | undefined {
  const timeMs = Date.parse(text);
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number];
  const isDay = day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
  return isDay && !Number.isNaN(timeMs) ? timeMs : undefined;
}
