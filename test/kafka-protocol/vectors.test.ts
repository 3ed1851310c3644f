/** Every API at every version against the bytes of Kafka's own serializers (see the file's source note). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { allApis } from '../../kafka/protocol/apis.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../kafka/protocol/codec.ts';

interface Vector {
  readonly api: string;
  readonly direction: 'request' | 'response';
  readonly version: number;
  readonly value: object;
  readonly bytes: string;
}

const { messages } = JSON.parse(
  readFileSync(new URL('../vectors/kafka-protocol.json', import.meta.url), 'utf8'),
) as { messages: Vector[] };

/** The vectors' form of a value: bytes as hex. */
function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

describe.each(allApis.map((api) => [api.name, api] as const))('%s', (name, api) => {
  const vectors = messages.filter((vector) => vector.api === name);

  test('both directions are there at every version', () => {
    const versions = Array.from(
      { length: api.maxVersion - api.minVersion + 1 },
      (_, index) => api.minVersion + index,
    );
    for (const direction of ['request', 'response']) {
      const covered = vectors.filter((vector) => vector.direction === direction);
      expect(covered.map((vector) => vector.version)).toEqual(versions);
    }
  });

  test("Kafka's bytes are read as Kafka's values, and written back as the same bytes", () => {
    for (const { direction, version, value, bytes } of vectors) {
      const decode = direction === 'request' ? decodeRequest : decodeResponse;
      const encode = direction === 'request' ? encodeRequest : encodeResponse;
      const decoded = decode(api, version, Buffer.from(bytes, 'hex'));
      expect(plain(decoded), `${direction} v${version}`).toMatchObject(value);
      expect(encode(api, version, decoded).toString('hex')).toBe(bytes);
    }
  });
});
