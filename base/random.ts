import { randomBytes, randomUUID } from 'node:crypto';

/** The randomness port: a simulation gives a seeded one. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  bytes(count: number): Buffer;
  /** RFC 9562 version 4, lower case. */
  uuid(): string;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => randomBytes(count),
  uuid: () => randomUUID(),
};

/** mulberry32 (Tommy Ettinger, public domain): small, fast, good enough to drive a simulation. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const bytes = (count: number) => {
    const out = Buffer.allocUnsafe(count);
    for (let index = 0; index < count; index++) out[index] = Math.floor(next() * 256);
    return out;
  };
  const uuid = () => {
    const raw = bytes(16);
    raw[6] = (raw[6]! & 0x0f) | 0x40;
    raw[8] = (raw[8]! & 0x3f) | 0x80;
    const hex = raw.toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
  return { next, bytes, uuid };
}
