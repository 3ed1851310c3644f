/** A certificate authority of the test's own, and certificates by it, made with openssl. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** undefined when openssl is there; else the reason to print beside SKIPPED. */
export function whyNoOpenssl(): string | undefined {
  return spawnSync('openssl', ['version']).status === 0 ? undefined : 'no openssl on the PATH';
}

export interface Certificate {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
}

export class CertificateAuthority {
  readonly #directory: string;
  readonly #name: string;
  readonly cert: string;

  /** Its files lie in `directory`; `name` keeps several apart. */
  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
    const subject = ['-subj', `/CN=${name}`, '-days', '2', '-nodes'];
    const files = ['-keyout', this.#file('key'), '-out', this.#file('crt')];
    openssl(['req', '-x509', '-newkey', 'rsa:2048', ...subject, ...files]);
    this.cert = readFileSync(this.#file('crt'), 'utf8');
  }

  /** A certificate for 127.0.0.1 and localhost, its key in PKCS#8. */
  issue(commonName: string): Certificate {
    const file = (ending: string) => join(this.#directory, `${this.#name}-${commonName}.${ending}`);
    const request = ['-keyout', file('key'), '-out', file('csr'), '-subj', `/CN=${commonName}`];
    openssl(['req', '-newkey', 'rsa:2048', '-nodes', ...request]);
    writeFileSync(file('ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    const signer = ['-CA', this.#file('crt'), '-CAkey', this.#file('key'), '-CAcreateserial'];
    const output = ['-out', file('crt'), '-days', '2', '-extfile', file('ext')];
    openssl(['x509', '-req', '-in', file('csr'), ...signer, ...output]);
    openssl(['pkcs8', '-topk8', '-nocrypt', '-in', file('key'), '-out', file('p8')]);
    return { cert: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('p8'), 'utf8') };
  }

  #file(ending: string): string {
    return join(this.#directory, `${this.#name}.${ending}`);
  }
}

function openssl(args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args[0]} ended with ${status}: ${stderr}`);
}
