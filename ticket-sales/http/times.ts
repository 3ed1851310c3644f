/** Times as the API takes them: RFC 3339. */
import Type from 'typebox';
import { Problem } from '../../interactive-queries/http/problem.ts';

export const TIME_PATTERN =
  '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,3})?)?(Z|[+-]\\d{2}:\\d{2})$';

export const writtenTimeSchema = Type.String({ pattern: TIME_PATTERN });

/** Undefined for a time that does not exist: Date.parse takes 30 February for 2 March. */
export function parseTime(text: string): number | undefined {
  const timeMs = Date.parse(text);
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number];
  const isDay = day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
  return isDay && !Number.isNaN(timeMs) ? timeMs : undefined;
}

/** Of a member that may be left out, or null. Throws 422 for a time that does not exist. */
export function timeOrNull(text: string | null | undefined, pointer: string): number | null {
  if (text === undefined || text === null) return null;
  const timeMs = parseTime(text);
  if (timeMs !== undefined) return timeMs;
  throw new Problem('validation-failed', { errors: [{ pointer, detail: 'is not a time' }] });
}
