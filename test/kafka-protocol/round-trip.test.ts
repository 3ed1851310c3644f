import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import type { Api } from '../../kafka/protocol/api.ts';
import { allApis, apisByKey } from '../../kafka/protocol/apis.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../kafka/protocol/codec.ts';
import { codecOf } from '../../kafka/protocol/compile.ts';
import { Reader } from '../../kafka/protocol/reader.ts';
import type { AnySchema } from '../../kafka/protocol/schema.ts';
import { messageArbitrary } from './arbitraries.ts';

type AnyApi = Api<unknown, unknown>;

interface Message {
  readonly api: AnyApi;
  readonly version: number;
  readonly schema: AnySchema;
  encode(value: unknown): Buffer;
  decode(buffer: Buffer): unknown;
}

function messagesOf(api: AnyApi): Message[] {
  const messages: Message[] = [];
  for (let version = api.minVersion; version <= api.maxVersion; version += 1) {
    messages.push(
      {
        api,
        version,
        schema: api.request,
        encode: (value) => encodeRequest(api, version, value),
        decode: (buffer) => decodeRequest(api, version, buffer),
      },
      {
        api,
        version,
        schema: api.response,
        encode: (value) => encodeResponse(api, version, value),
        decode: (buffer) => decodeResponse(api, version, buffer),
      },
    );
  }
  return messages;
}

/** Either a value or the protocol error: anything else that is thrown fails the test. */
function decodesOrRefuses(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (!isMillraceError(error, 'KAFKA_PROTOCOL')) throw error;
    return false;
  }
}

test('there is one definition per key, and its versions are in order', () => {
  expect(apisByKey.size).toBe(allApis.length);
  for (const api of allApis) {
    expect(api.minVersion).toBeLessThanOrEqual(api.maxVersion);
    expect(api.flexibleFrom).toBeGreaterThanOrEqual(0);
  }
});

describe.each(allApis.map((api) => [api.name, api] as const))('%s', (_name, api) => {
  test('what is written at any version is what is read', () => {
    for (const { schema, version, encode, decode } of messagesOf(api)) {
      fc.assert(
        fc.property(messageArbitrary(schema, version), (value) => {
          expect(decode(encode(value))).toEqual(value);
        }),
        { numRuns: 20 },
      );
    }
  });

  test('a message that ends early is refused, wherever it is cut', () => {
    for (const { schema, version, encode, decode } of messagesOf(api)) {
      const [value] = fc.sample(messageArbitrary(schema, version), { numRuns: 1, seed: version });
      const encoded = encode(value);
      for (let end = 0; end < encoded.length; end += 1) {
        const cut = encoded.subarray(0, end);
        expect(
          decodesOrRefuses(() => decode(cut)),
          `v${version} cut at ${end}`,
        ).toBe(false);
      }
    }
  });

  test('garbage is refused or read, and nothing else happens', () => {
    for (const { schema, version, encode, decode } of messagesOf(api)) {
      fc.assert(
        fc.property(
          messageArbitrary(schema, version),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
          (value, changes) => {
            const encoded = encode(value);
            for (const [at, byte] of changes) encoded[at % Math.max(1, encoded.length)] = byte;
            decodesOrRefuses(() => decode(encoded));
          },
        ),
        { numRuns: 20 },
      );
    }
  });

  test('no encoding is smaller than the bound that protects arrays', () => {
    for (const { schema, version, encode } of messagesOf(api)) {
      const codec = codecOf(schema, version, version >= api.flexibleFrom);
      fc.assert(
        fc.property(messageArbitrary(schema, version), (value) => {
          expect(encode(value).length).toBeGreaterThanOrEqual(codec.minSizeBytes);
        }),
        { numRuns: 5 },
      );
    }
  });
});

test('an array that claims more elements than bytes are left is refused before it is built', () => {
  const metadata = apisByKey.get(3) as AnyApi;
  const lying = Buffer.from('7fffffff0000', 'hex');
  expect(() => decodeRequest(metadata, 0, lying)).toThrow(/elements do not fit/);
});

test('a read position behind the frame is refused', () => {
  expect(() => new Reader(Buffer.alloc(3), 4)).toThrow(/Cannot read/);
});
