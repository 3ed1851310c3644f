/** The log port over pino: NDJSON on stderr, one event a line. The only file that names pino. */
import pino from 'pino';
import type { Log } from './log.ts';

export function pinoLog(
  level: 'debug' | 'info' | 'warn' | 'error',
  facts: Readonly<Record<string, unknown>> = {},
): Log {
  const options: pino.LoggerOptions = {
    level,
    base: facts,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
    redact: ['password', 'token', 'authorization', '*.password', '*.token'],
  };
  // Synchronous: a process that is about to end must not lose its last words.
  return pino(options, pino.destination({ fd: 2, sync: true }));
}
