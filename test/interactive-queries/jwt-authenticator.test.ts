/** Tokens as attackers and careless issuers make them: only the good ones become a caller. */
import { createHmac, KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EncryptJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../base/log.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import type { Authenticate } from '../../interactive-queries/auth/access.ts';
import { jwtAuthenticator } from '../../interactive-queries/auth/jwt-authenticator.ts';
import { Problem } from '../../interactive-queries/http/problem.ts';
import { AUDIENCE, ISSUER, makeKey, TokenIssuer, type TokenWishes } from '../kit/token-issuer.ts';

let issuer: TokenIssuer;
let clock: ManualClock;
let authenticate: Authenticate;

beforeEach(async () => {
  issuer = await TokenIssuer.start();
  clock = new ManualClock(Date.now());
  authenticate = trusting({});
});

afterEach(() => issuer.stop());

function trusting({ jwksUrl = issuer.jwksUrl, rolesClaim = 'roles' }): Authenticate {
  return jwtAuthenticator({
    jwksUrl: new URL(jwksUrl),
    issuer: ISSUER,
    audience: AUDIENCE,
    rolesClaim,
    clock,
    log: silentLog,
  });
}

/** What becomes of a token: its subject and roles, or the problem. */
async function fate(token: string, by = authenticate): Promise<unknown> {
  try {
    const caller = await by(`Bearer ${token}`);
    return caller.kind === 'known' ? [caller.subject, ...caller.roles] : caller;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect(JSON.stringify([error.message, error.document('/')])).not.toContain(token);
    return error.slug;
  }
}

const ada = (wishes: TokenWishes = {}) => issuer.token('ada', ['buyer'], wishes);
const ADA = ['ada', 'buyer'];

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** With a header that a library would not write. */
async function signedByHand(header: object): Promise<string> {
  const [, payload] = (await ada()).split('.');
  const signed = `${base64url(header)}.${payload}`;
  const key = KeyObject.from(issuer.keys[0]!.secret as never);
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

describe('a good token', () => {
  test.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('may be signed with %s', async (alg) => {
    issuer.keys = [await makeKey(alg, 'k')];
    expect(await fate(await ada())).toEqual(ADA);
  });

  test.each([
    ['a list of audiences', { claims: { aud: ['others', AUDIENCE] } }],
    ['the type of access tokens in its header', { header: { typ: 'at+jwt' } }],
    ['the type of its payload as Keycloak writes it', { claims: { typ: 'Bearer' } }],
    ['an end less than 30 s ago', { claims: { exp: Math.floor(Date.now() / 1_000) - 20 } }],
  ])('may have %s', async (_, wishes) => {
    expect(await fate(await ada(wishes))).toEqual(ADA);
  });

  test('is taken whatever the case of the scheme', async () => {
    expect(await authenticate(`bearer ${await ada()}`)).toHaveProperty('subject', 'ada');
  });
});

describe('roles', () => {
  test.each([
    ['roles', { roles: 'buyer operator' }, ['buyer', 'operator']],
    ['realm_access.roles', { realm_access: { roles: ['admin'] } }, ['admin']],
    ['https://sale.test/roles', { 'https://sale.test/roles': ['buyer'] }, ['buyer']],
    ['roles', { roles: [1, null, ['admin'], 'buyer'] }, ['buyer']],
    ['roles', { roles: { admin: true } }, []],
    ['realm_access.roles', { realm_access: null }, []],
    ['constructor.name', {}, []],
  ])('are read from %s of %j as %j', async (rolesClaim, claims, roles) => {
    const token = await ada({ claims });
    expect(await fate(token, trusting({ rolesClaim }))).toEqual(['ada', ...roles]);
  });
});

describe('a token is refused', () => {
  const nowS = Math.floor(Date.now() / 1_000);
  test.each<[string, TokenWishes]>([
    ['of another issuer', { claims: { iss: 'https://other.test' } }],
    ['without issuer', { claims: { iss: undefined } }],
    ['for another audience', { claims: { aud: 'others' } }],
    ['without audience', { claims: { aud: undefined } }],
    ['that has expired', { claims: { exp: nowS - 31 } }],
    ['that never expires', { claims: { exp: undefined } }],
    ['that expires at a text', { claims: { exp: 'tomorrow' } }],
    ['that is not valid yet', { claims: { nbf: nowS + 60 } }],
    ['of nobody', { claims: { sub: undefined } }],
    ['of an empty name', { claims: { sub: '' } }],
    ['of a number', { claims: { sub: 7 } }],
    ['that is an ID token', { claims: { typ: 'ID' } }],
    ['that is a refresh token', { claims: { typ: 'Refresh' } }],
    ['that is a logout token', { header: { typ: 'logout+jwt' } }],
    ['with a key name that is a path', { header: { kid: '../../../etc/passwd' } }],
    ['with a key name that is a query', { header: { kid: "' OR 1=1 --" } }],
    ['with a key name of 10 kB', { header: { kid: 'k'.repeat(10_000) } }],
  ])('%s', async (_, wishes) => {
    expect(await fate(await ada(wishes))).toBe('unauthenticated');
  });

  test('with an extension that must be understood', async () => {
    const header = { alg: 'ES256', kid: 'first' };
    expect(await fate(await signedByHand(header))).toEqual(ADA);
    expect(await fate(await signedByHand({ ...header, crit: ['x'], x: 1 }))).toBe(
      'unauthenticated',
    );
  });

  test.each(['none', 'None', 'NONE', 'HS256', 'RS512', 'RSA-OAEP', ''])(
    'with the algorithm %j, whatever stands for its signature',
    async (alg) => {
      const [, payload, signature] = (await ada()).split('.');
      const header = base64url({ alg, kid: 'first' });
      for (const end of ['', signature]) {
        expect(await fate(`${header}.${payload}.${end}`)).toBe('unauthenticated');
      }
    },
  );

  test('that is signed with the public key as a shared secret', async () => {
    issuer.keys = [await makeKey('RS256', 'rsa')];
    const [, payload] = (await ada()).split('.');
    const header = base64url({ alg: 'HS256', kid: 'rsa' });
    const signature = createHmac('sha256', JSON.stringify(issuer.keys[0]!.publicJwk))
      .update(`${header}.${payload}`)
      .digest('base64url');
    expect(await fate(`${header}.${payload}.${signature}`)).toBe('unauthenticated');
  });

  test('that names the key of another algorithm', async () => {
    issuer.keys = [await makeKey('RS256', 'rsa'), await makeKey('ES256', 'ec')];
    const token = await ada({ header: { kid: 'rsa' } });
    expect(await fate(token)).toBe('unauthenticated');
  });

  test('that is not signed, or encrypted', async () => {
    expect(await fate(new UnsecuredJWT({ sub: 'ada' }).encode())).toBe('unauthenticated');
    const secret = new Uint8Array(32);
    const encrypted = await new EncryptJWT({ sub: 'ada' })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(secret);
    expect(await fate(encrypted)).toBe('unauthenticated');
  });

  test('that brings its own key, or an address of one, which nobody asks', async () => {
    const asked: string[] = [];
    const sentinel = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('{"keys":[]}');
    });
    await new Promise<void>((resolve) => sentinel.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(sentinel.address() as { port: number }).port}/`;
    const key = await makeKey('ES256', 'theirs');
    for (const header of [{ jku: url }, { x5u: url }, { jwk: key.publicJwk }]) {
      const token = await ada({ key, header: header as NonNullable<TokenWishes['header']> });
      expect(await fate(token)).toBe('unauthenticated');
    }
    expect(asked).toEqual([]);
    sentinel.close();
  });

  test('that is signed with a key for encryption', async () => {
    const rsa = await makeKey('RS256', 'rsa');
    issuer.keys = [{ ...rsa, publicJwk: { ...rsa.publicJwk, use: 'enc' } }];
    expect(await fate(await ada())).toBe('unauthenticated');
  });

  test.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer {}', 'Bearerx y', 'Basic eA==', 'x'])(
    'in the header %j',
    async (header) => {
      await expect(authenticate(header)).rejects.toMatchObject({ slug: 'unauthenticated' });
      expect(issuer.fetches).toBe(0);
    },
  );
});

describe('the key set', () => {
  test('is had once for many tokens', async () => {
    for (let index = 0; index < 20; index++) expect(await fate(await ada())).toEqual(ADA);
    expect(issuer.fetches).toBe(1);
  });

  test('is not asked again for each name that somebody made up', async () => {
    await fate(await ada());
    for (let index = 0; index < 1_000; index++) {
      const key = { ...issuer.keys[0]!, kid: `made-up-${index}` };
      expect(await fate(await ada({ key }))).toBe('unauthenticated');
    }
    expect(issuer.fetches).toBe(1);
  });

  test.each([
    ['an error', { status: 500, body: 'down' }],
    ['a redirect', { status: 302, body: '' }],
    ['nonsense', { status: 200, body: '<html>' }],
    ['something else', { status: 200, body: '{"keys":7}' }],
  ])('that is %s lets nobody in: 503, asked again after a moment', async (_, outage) => {
    issuer.outage = outage;
    const token = await ada();
    for (let index = 0; index < 5; index++) expect(await fate(token)).toBe('auth-unavailable');
    expect(issuer.fetches).toBe(1);
    issuer.outage = undefined;
    clock.advance(1_000);
    expect(await fate(token)).toEqual(ADA);
    expect(issuer.fetches).toBe(2);
  });

  test('that was had goes on without its address', async () => {
    const token = await ada();
    expect(await fate(token)).toEqual(ADA);
    issuer.outage = { status: 500, body: 'down' };
    expect(await fate(token)).toEqual(ADA);
  });

  test('may be a file, which need not be there at the start', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-keys-'));
    const path = join(directory, 'keys.json');
    const byFile = trusting({ jwksUrl: pathToFileURL(path).href });
    const token = await ada();
    expect(await fate(token, byFile)).toBe('auth-unavailable');
    writeFileSync(path, issuer.jwks());
    clock.advance(1_000);
    expect(await fate(token, byFile)).toEqual(ADA);
    expect(issuer.fetches).toBe(0);
    rmSync(directory, { recursive: true });
  });
});
