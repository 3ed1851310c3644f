import { MillraceError } from './errors.ts';

/** Crashes on what only a bug can break. Never use it for what the outside world can do. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new MillraceError('INTERNAL', `assertion failed: ${message}`);
}

/** Makes a switch exhaustive: a new case stops the build here. */
export function unreachable(value: never): never {
  throw new MillraceError('INTERNAL', `unreachable: ${JSON.stringify(value)}`);
}
