/** An issuer of tokens on loopback: its keys at an address and in a file, and tokens as a test wants them. */
import { createServer, type Server } from 'node:http';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';

export const AUDIENCE = 'tickets';
export const ISSUER = 'https://issuer.test';

export interface TokenWishes {
  /** Over the claims of a good token; undefined takes one away. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Partial<JWTHeaderParameters>;
  /** Default: the newest one. */
  readonly key?: IssuerKey;
}

export interface IssuerKey {
  readonly alg: string;
  readonly kid: string;
  readonly secret: CryptoKey;
  readonly publicJwk: JWK;
}

export class TokenIssuer {
  /** Published, the newest last. */
  keys: IssuerKey[] = [];
  /** What the address answers instead of the keys. */
  outage: { readonly status: number; readonly body: string } | undefined;
  fetches = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<TokenIssuer> {
    const server = createServer((_, response) => {
      issuer.fetches++;
      const { status, body } = issuer.outage ?? { status: 200, body: issuer.jwks() };
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    const issuer = new TokenIssuer(server);
    issuer.keys = [await makeKey('ES256', 'first')];
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return issuer;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get jwksUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}/keys`;
  }

  /** The key set as JSON. */
  jwks(): string {
    return JSON.stringify({ keys: this.keys.map(({ publicJwk }) => publicJwk) });
  }

  /** Settings of an instance that trusts this issuer. */
  env(): Record<string, string> {
    return {
      AUTH: 'jwt',
      AUTH_JWKS_URL: this.jwksUrl,
      AUTH_ISSUER: ISSUER,
      AUTH_AUDIENCE: AUDIENCE,
    };
  }

  /** Good for an hour, unless the test wishes otherwise. */
  async token(sub: string, roles: readonly string[], wishes: TokenWishes = {}): Promise<string> {
    const { alg, kid, secret } = wishes.key ?? this.keys.at(-1)!;
    const nowS = Math.floor(Date.now() / 1_000);
    const claims = { iss: ISSUER, aud: AUDIENCE, sub, roles, iat: nowS, exp: nowS + 3_600 };
    return new SignJWT({ ...claims, ...wishes.claims })
      .setProtectedHeader({ alg, kid, ...wishes.header })
      .sign(secret);
  }
}

export async function makeKey(alg: string, kid: string): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { alg, kid, secret: privateKey, publicJwk };
}
