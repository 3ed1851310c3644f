/** The one way in which this folder fails: bytes, or values, that do not fit Kafka's protocol. */
import { MillraceError } from '../../base/errors.ts';

export function protocolError(
  message: string,
  facts: Readonly<Record<string, string | number>> = {},
): MillraceError {
  return new MillraceError('KAFKA_PROTOCOL', message, { facts });
}

/** A value that does not fit its type, short enough for a message. */
export function misfit(type: string, value: unknown): MillraceError {
  const shown = typeof value === 'number' || typeof value === 'string' ? value : typeof value;
  return protocolError(`Not a value of type ${type}: ${shown}`);
}
