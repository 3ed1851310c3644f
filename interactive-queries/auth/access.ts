/**
 * Who asks, and what a route asks of him. Pure: how a caller is known is decided in
 * jwt-authenticator.ts, what his roles may do by the routes themselves.
 */
import { Problem } from '../http/problem.ts';

/** What a route needs: nothing, or a caller with one of these roles. */
export type Access = 'open' | readonly string[];

export type Caller =
  /** AUTH=none: whoever gets here may do everything. */
  | { readonly kind: 'trusted' }
  /** An open route: nobody was asked who he is, so nothing may depend on it. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'known'; readonly subject: string; readonly roles: ReadonlySet<string> };

/**
 * Says who sent an Authorization header. Rejects with a Problem: 401 where there is no valid token,
 * 503 where that cannot be told now.
 */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

export const TRUSTED: Caller = { kind: 'trusted' };
export const UNKNOWN: Caller = { kind: 'unknown' };

export function hasRole(caller: Caller, roles: readonly string[]): boolean {
  switch (caller.kind) {
    case 'trusted':
      return true;
    case 'unknown':
      return false;
    case 'known':
      return roles.some((role) => caller.roles.has(role));
  }
}

/** Throws 403 unless the caller has one of the roles. */
export function requireRole(caller: Caller, roles: readonly string[]): void {
  if (!hasRole(caller, roles)) throw forbidden(`this needs the role ${roles.join(' or ')}`);
}

/** A token that is valid, but not for this (RFC 6750). */
export function forbidden(detail: string): Problem {
  const headers = { 'WWW-Authenticate': 'Bearer realm="millrace", error="insufficient_scope"' };
  return new Problem('forbidden', { detail, headers });
}
