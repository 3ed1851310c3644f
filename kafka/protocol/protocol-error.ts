/** The one way in which this folder fails: bytes, or values, that do not fit Kafka's protocol. */
import { MillraceError } from '../../base/errors.ts';

export function protocolError(
  message: string,
  facts: Readonly<Record<string, string | number>> = {},
): MillraceError {
  return new MillraceError('KAFKA_PROTOCOL', message, { facts });
}
