/**
 * Signatures of HTTP bodies between us and others: payment callbacks in, webhooks out.
 *
 *   Millrace-Signature: t=<unix seconds>,v1=<hex of HMAC-SHA256(secret, "<t>.<body>")>[,v1=…]
 *
 * The time is signed, so an old request cannot be sent again later; several v1 are there while a
 * secret is being changed.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export const SIGNATURE_HEADER = 'millrace-signature';

/** How far the signed time may be off, either way. */
export const SIGNATURE_AGE_MAX_MS = 5 * 60 * 1000;

/** Headers are short; more would only be work for us. */
const SIGNATURES_MAX = 8;

/** The header's value, signed with every secret that is given. */
export function sign(secrets: readonly string[], body: Buffer | string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  const signatures = secrets.map((secret) => `v1=${digest(secret, seconds, body).toString('hex')}`);
  return [`t=${seconds}`, ...signatures].join(',');
}

export type SignatureVerdict = 'good' | 'missing' | 'malformed' | 'too-old' | 'wrong';

/** Whether one of the signatures was made with one of the secrets, lately. In constant time per pair. */
export function verify(
  header: string | undefined,
  secrets: readonly string[],
  body: Buffer,
  nowMs: number,
): SignatureVerdict {
  if (header === undefined) return 'missing';
  const parsed = parse(header);
  if (parsed === undefined) return 'malformed';
  const expected = secrets.map((secret) => digest(secret, parsed.seconds, body));
  let isGood = false;
  for (const given of parsed.signatures) {
    for (const ours of expected) isGood = timingSafeEqual(given, ours) || isGood;
  }
  // Strangers learn nothing of our clock.
  if (!isGood) return 'wrong';
  const ageMs = Math.abs(nowMs - parsed.seconds * 1000);
  return ageMs <= SIGNATURE_AGE_MAX_MS ? 'good' : 'too-old';
}

interface Parsed {
  /** As it was signed: its digits. */
  readonly seconds: number;
  readonly signatures: readonly Buffer[];
}

/** Unknown parts are left out: later versions may add some. */
function parse(header: string): Parsed | undefined {
  let seconds: number | undefined;
  const signatures: Buffer[] = [];
  for (const part of header.split(',', SIGNATURES_MAX + 2)) {
    const [name, value = ''] = part.trim().split('=', 2);
    if (name === 't') {
      if (seconds !== undefined || !/^[1-9]\d{0,11}$/.test(value)) return undefined;
      seconds = Number(value);
    } else if (name === 'v1') {
      if (!/^[0-9a-f]{64}$/.test(value) || signatures.length === SIGNATURES_MAX) return undefined;
      signatures.push(Buffer.from(value, 'hex'));
    }
  }
  return seconds === undefined || signatures.length === 0 ? undefined : { seconds, signatures };
}

function digest(secret: string, seconds: number, body: Buffer | string): Buffer {
  return createHmac('sha256', secret).update(`${seconds}.`).update(body).digest();
}
