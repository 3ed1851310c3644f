/** What a disk says when it fails, in the project's own codes. */
import { isMillraceError, MillraceError } from '../../base/errors.ts';

const FULL_CODES = new Set(['ENOSPC', 'EDQUOT']);

/** Wraps an error of the operating system as STORE_DISK_FULL or STORE_IO; ours pass through. */
export function diskError(error: unknown, doing: string): MillraceError {
  if (isMillraceError(error)) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (FULL_CODES.has(code)) {
    return new MillraceError('STORE_DISK_FULL', `disk full while ${doing}`, {
      cause: error,
      hint: 'free space on the disk of the broker; what was not acknowledged is sent again',
    });
  }
  return new MillraceError('STORE_IO', `disk failed (${code}) while ${doing}`, { cause: error });
}
