/** The key that makes a repeated request the same one. */
import { Problem } from '../../interactive-queries/http/problem.ts';
import type { RouteRequest } from '../../interactive-queries/http/route.ts';

/** A structured-field string, or the bare characters that many clients send. */
const IDEMPOTENCY_KEY =
  /^(?:"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;

/** Throws 400 for a request without one, or with one that cannot be read. */
export function idempotencyKeyOf(request: RouteRequest): string {
  const header = request.headers['idempotency-key'];
  if (header === undefined) throw new Problem('idempotency-key-missing');
  const match = typeof header === 'string' ? IDEMPOTENCY_KEY.exec(header) : null;
  if (match === null) {
    throw new Problem('malformed-request', {
      detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters',
    });
  }
  return match[1] ?? match[2]!;
}
