/**
 * Bearer tokens (RFC 6750, RFC 9068) verified against the issuer's key set. The only file that names
 * jose, and the only place where a token becomes a caller.
 *
 * J1. Nothing of a token is believed before its signature, and nothing of its header at all but the
 *     algorithm (if it is on our list) and the name of the key (if the key set has it).
 * J2. Without keys nobody gets in: 503 while the key set cannot be had, never open.
 * J3. A token, or what it says, is in no message, cause or log.
 */
import { readFile } from 'node:fs/promises';
import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { Problem, retryAfter } from '../http/problem.ts';
import type { Authenticate } from './access.ts';

export interface JwtOptions {
  /** http(s): or file:. */
  readonly jwksUrl: URL;
  readonly issuer: string;
  readonly audience: string;
  /** A claim, or the way to one inside others: `realm_access.roles`. */
  readonly rolesClaim: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** No secret of ours is in them all: a public key cannot be turned into a shared one. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const CLOCK_TOLERANCE_S = 30;
const FETCH_TIMEOUT_MS = 5_000;
/** An unknown key name is looked up anew at most this often: forged names must not become load. */
const COOLDOWN_MS = 30_000;
/** A key that its issuer took back is refused after so long. */
const CACHE_MAX_MS = 600_000;
/** A key set that could not be had is not asked for again before. */
const PAUSE_AFTER_FAILURE_MS = 1_000;

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;
/** Access tokens, as header and payload name them; ID, refresh and logout tokens are something else. */
const HEADER_TYPES: ReadonlySet<unknown> = new Set([
  undefined,
  'jwt',
  'at+jwt',
  'application/at+jwt',
]);
const PAYLOAD_TYPES: ReadonlySet<unknown> = new Set([undefined, 'bearer']);

export function jwtAuthenticator(options: JwtOptions): Authenticate {
  const { issuer, audience, rolesClaim, clock } = options;
  const keyFor = keySet(options);
  const rules = {
    issuer,
    audience,
    algorithms: ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_S,
    requiredClaims: ['exp', 'sub'],
  };
  return async (authorization) => {
    const token = tokenOf(authorization);
    const currentDate = new Date(clock.nowMs());
    const { payload, protectedHeader } = await jwtVerify(token, keyFor, {
      ...rules,
      currentDate,
    }).catch((error: unknown) => {
      throw error instanceof errors.JOSEError ? invalidToken(reasonOf(error)) : error;
    });
    const isAccessToken =
      HEADER_TYPES.has(lowerCase(protectedHeader.typ)) &&
      PAYLOAD_TYPES.has(lowerCase(payload['typ']));
    if (!isAccessToken) throw invalidToken('it is not an access token');
    const { sub } = payload;
    if (typeof sub !== 'string' || sub === '') throw invalidToken('sub is not a name');
    return { kind: 'known', subject: sub, roles: rolesOf(payload, rolesClaim) };
  };
}

/** Throws 401: without a word on what is wrong where nothing was shown (RFC 6750, 3.1). */
function tokenOf(authorization: string | undefined): string {
  if (authorization === undefined || !/^Bearer\b/i.test(authorization)) {
    const headers = { 'WWW-Authenticate': 'Bearer realm="millrace"' };
    throw new Problem('unauthenticated', { detail: 'send Authorization: Bearer …', headers });
  }
  const token = BEARER.exec(authorization)?.[1];
  if (token === undefined) throw invalidToken('it is not a bearer token');
  return token;
}

/** The issuer's keys, by the names that tokens give. Rejects with 503 while they cannot be had. */
function keySet({ jwksUrl, clock, log }: JwtOptions): JWTVerifyGetKey {
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  const keys = createRemoteJWKSet(jwksUrl, {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: CACHE_MAX_MS,
    [customFetch]: async (url, request) => {
      if (clock.monotonicMs() < notBeforeMs) throw new Error('it could not be had a moment ago');
      return jwksUrl.protocol === 'file:'
        ? new Response(await readFile(jwksUrl))
        : fetch(url, request);
    },
  });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (isTokensFault(cause)) throw cause;
      if (clock.monotonicMs() >= notBeforeMs) {
        notBeforeMs = clock.monotonicMs() + PAUSE_AFTER_FAILURE_MS;
        log.warn({ cause, url: jwksUrl.href }, 'the key set cannot be had: nobody gets in');
      }
      throw new Problem('auth-unavailable', { ...retryAfter(2), cause });
    }
  };
}

/** Of what can go wrong with a key, the part that a token brings about. */
function isTokensFault(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

/** In our words: a library's may quote what it was given. */
function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const known = ['iss', 'aud', 'sub', 'exp', 'nbf', 'iat'].find((name) => name === error.claim);
    return known === undefined ? 'a claim is wrong' : `the claim ${known} is missing or wrong`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong';
  if (error instanceof errors.JWKSNoMatchingKey) return 'its key is not of the issuer';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'it does not say which key';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its algorithm is not allowed';
  return 'it cannot be read';
}

function invalidToken(reason: string): Problem {
  const challenge = `Bearer realm="millrace", error="invalid_token", error_description="${reason}"`;
  const detail = `the token is not accepted: ${reason}`;
  return new Problem('unauthenticated', { detail, headers: { 'WWW-Authenticate': challenge } });
}

/** A list of names, or names in one text; anything else gives none. */
function rolesOf(payload: JWTPayload, claim: string): ReadonlySet<string> {
  const value = claimOf(payload, claim);
  if (typeof value === 'string') return new Set(value.split(' ').filter((role) => role !== ''));
  if (!Array.isArray(value)) return new Set();
  return new Set(value.filter((role): role is string => typeof role === 'string'));
}

/** By its whole name first: names that are URLs have dots, too. */
function claimOf(payload: JWTPayload, claim: string): unknown {
  if (Object.hasOwn(payload, claim)) return payload[claim];
  let value: unknown = payload;
  for (const name of claim.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function lowerCase(value: unknown): unknown {
  return typeof value === 'string' ? value.toLowerCase() : value;
}
