import { describe, expect, test } from 'vitest';
import { isMillraceError } from '../../base/errors.ts';
import { ZERO_UUID } from '../../kafka/protocol/api.ts';
import {
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  decodeResponseHeader,
  encodeRequest,
  encodeRequestFrame,
  encodeRequestHeader,
  encodeResponse,
  encodeResponseFrame,
  encodeResponseHeader,
} from '../../kafka/protocol/codec.ts';
import { Errors, errorName, isRetriable } from '../../kafka/protocol/error-codes.ts';
import { apiVersionsApi } from '../../kafka/protocol/messages/api-versions.ts';
import { fetchApi } from '../../kafka/protocol/messages/fetch.ts';
import { metadataApi } from '../../kafka/protocol/messages/metadata.ts';
import { saslHandshakeApi } from '../../kafka/protocol/messages/sasl-handshake.ts';

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isMillraceError(error, 'KAFKA_PROTOCOL')) return error.message;
    throw error;
  }
  return 'nothing was thrown';
}

describe('headers', () => {
  test('a request header names API, version, correlation and client', () => {
    const header = { apiKey: 3, apiVersion: 1, correlationId: 7, clientId: 'me', flexible: false };
    expect(encodeRequestHeader(header).toString('hex')).toBe('0003000100000007' + '00026d65');
    expect(encodeRequestHeader({ ...header, flexible: true }).at(-1)).toBe(0);
  });

  test('what was written is read, with the API and where its body begins', () => {
    for (const [apiVersion, flexible] of [
      [1, false],
      [9, true],
    ] as const) {
      const header = { apiKey: 3, apiVersion, correlationId: -7, clientId: null, flexible };
      const encoded = encodeRequestHeader(header);
      expect(decodeRequestHeader(encoded)).toEqual({
        ...header,
        api: metadataApi,
        bodyAt: encoded.length,
      });
    }
  });

  test('tagged fields of a header are skipped', () => {
    const frame = Buffer.from(
      '0003' + '0009' + '00000001' + 'ffff' + '01' + '05' + '02abcd',
      'hex',
    );
    expect(decodeRequestHeader(frame)).toMatchObject({ apiVersion: 9, bodyAt: frame.length });
  });

  test('of an API that we do not know, key, version and correlation are still told', () => {
    const frame = Buffer.from('0fff' + '0002' + '0000002a' + 'ffffffff', 'hex');
    expect(decodeRequestHeader(frame)).toMatchObject({
      apiKey: 0xfff,
      apiVersion: 2,
      correlationId: 42,
      api: undefined,
    });
  });

  test('a version newer than ours is told, so that ApiVersions can be answered', () => {
    const header = { apiKey: 18, apiVersion: 99, correlationId: 1, clientId: 'c', flexible: true };
    expect(decodeRequestHeader(encodeRequestHeader(header))).toMatchObject({
      apiVersion: 99,
      clientId: 'c',
      api: apiVersionsApi,
    });
  });

  test('a flexible response has tagged fields in its header, but not that of ApiVersions', () => {
    const metadata = { apiKey: 3, flexible: true, correlationId: 5 };
    const apiVersions = { apiKey: 18, flexible: true, correlationId: 5 };
    expect(encodeResponseHeader(metadata).toString('hex')).toBe('0000000500');
    expect(encodeResponseHeader(apiVersions).toString('hex')).toBe('00000005');
    for (const request of [metadata, apiVersions, { ...metadata, flexible: false }]) {
      const encoded = encodeResponseHeader(request);
      const header = decodeResponseHeader(encoded, request);
      expect(header).toEqual({ correlationId: 5, bodyAt: encoded.length });
    }
  });

  test('a header that ends early is refused', () => {
    for (const hex of ['', '0003', '000300090000000100', '00030009000000010002']) {
      expect(messageOf(() => decodeRequestHeader(Buffer.from(hex, 'hex')))).toMatch(/too early/);
    }
  });

  test('a client id of negative length is refused', () => {
    const frame = Buffer.from('0003' + '0001' + '00000001' + 'fffe', 'hex');
    expect(messageOf(() => decodeRequestHeader(frame))).toMatch(/wanted/);
  });
});

describe('frames', () => {
  test('a request frame is size, header and body', () => {
    const frame = encodeRequestFrame(
      saslHandshakeApi,
      1,
      { correlationId: 2, clientId: 'c' },
      { mechanism: 'PLAIN' },
    );
    const body = '0005504c41494e';
    const header = '0011' + '0001' + '00000002' + '000163';
    expect(frame.toString('hex')).toBe(`00000012${header}${body}`);
  });

  test('a response frame is size, header and body', () => {
    const frame = encodeResponseFrame(apiVersionsApi, 3, 9, { errorCode: 35, apiKeys: [] });
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
    const { bodyAt } = decodeResponseHeader(frame.subarray(4), { apiKey: 18, flexible: true });
    const answer = decodeResponse(apiVersionsApi, 3, frame.subarray(4), bodyAt);
    expect(answer.errorCode).toBe(Errors.UNSUPPORTED_VERSION);
  });
});

describe('bodies', () => {
  test('fields that a version does not have are skipped when written and defaults when read', () => {
    const encoded = encodeRequest(fetchApi, 4, {
      maxWaitMs: 1,
      minBytes: 1,
      topics: [],
      rackId: 'not in v4',
    });
    const read = decodeRequest(fetchApi, 4, encoded);
    expect(read).toMatchObject({ rackId: '', sessionEpoch: -1, forgottenTopicsData: [] });
    expect(read.replicaState).toEqual({ replicaId: -1, replicaEpoch: -1 });
    expect(read.maxBytes).toBe(2 ** 31 - 1);
  });

  test('defaults that are objects are not shared between messages', () => {
    const empty = encodeRequest(fetchApi, 4, { maxWaitMs: 1, minBytes: 1, topics: [] });
    const first = decodeRequest(fetchApi, 4, empty);
    first.replicaState.replicaId = 5;
    first.forgottenTopicsData.push({ topic: 'a', topicId: ZERO_UUID, partitions: [] });
    const second = decodeRequest(fetchApi, 4, empty);
    expect(second.replicaState.replicaId).toBe(-1);
    expect(second.forgottenTopicsData).toEqual([]);
  });

  test('unknown tagged fields are skipped', () => {
    const body = encodeRequest(metadataApi, 9, { topics: [] });
    const tagged = Buffer.concat([body.subarray(0, -1), Buffer.from('017f03aabbcc', 'hex')]);
    expect(decodeRequest(metadataApi, 9, tagged)).toEqual(decodeRequest(metadataApi, 9, body));
  });

  test('a known tag that says more bytes than its value has is refused', () => {
    const body = encodeResponse(apiVersionsApi, 3, { errorCode: 0, apiKeys: [] });
    const lying = Buffer.concat([
      body.subarray(0, -1),
      Buffer.from('01' + '03' + '02' + '0100', 'hex'),
    ]);
    expect(messageOf(() => decodeResponse(apiVersionsApi, 3, lying))).toMatch(/left over/);
  });

  test('bytes behind an answer are refused', () => {
    const body = Buffer.concat([
      encodeResponse(apiVersionsApi, 0, { errorCode: 0, apiKeys: [] }),
      Buffer.alloc(1),
    ]);
    expect(messageOf(() => decodeResponse(apiVersionsApi, 0, body))).toBe(
      'ApiVersions v0 response: 1 bytes are left over',
    );
  });

  test('bytes behind a request are ignored: librdkafka leaves three when it asks for all topics', () => {
    const sent = Buffer.from('0003000d00000003000772646b61666b610000000000010000', 'hex');
    const { apiVersion, bodyAt } = decodeRequestHeader(sent);
    expect(decodeRequest(metadataApi, apiVersion, sent, bodyAt)).toEqual({
      topics: null,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    });
  });

  test('a body is read from where it begins', () => {
    const body = encodeRequest(metadataApi, 1, { topics: [{ name: 'a' }] });
    const frame = Buffer.concat([Buffer.alloc(3), body]);
    expect(decodeRequest(metadataApi, 1, frame, 3).topics).toMatchObject([{ name: 'a' }]);
  });

  test('null is refused where the version has none', () => {
    expect(messageOf(() => encodeRequest(metadataApi, 0, { topics: null }))).toMatch(/Null/);
    const nullTopics = Buffer.from('ffffffff', 'hex');
    expect(messageOf(() => decodeRequest(metadataApi, 0, nullTopics))).toMatch(/Null/);
    expect(decodeRequest(metadataApi, 1, nullTopics).topics).toBeNull();
  });

  test('a length below -1 is refused', () => {
    const bytes = Buffer.from('fffffffe', 'hex');
    expect(messageOf(() => decodeRequest(metadataApi, 1, bytes))).toMatch(/length of -2/);
  });

  test('a version that is not defined is refused', () => {
    expect(messageOf(() => encodeRequest(metadataApi, 99, { topics: [] }))).toMatch(/0 to 13/);
    expect(messageOf(() => decodeRequest(fetchApi, 3, Buffer.alloc(0)))).toMatch(/4 to 18/);
  });

  test('a failed encoding leaves nothing behind for the next one', () => {
    const good = encodeRequest(metadataApi, 1, { topics: [{ name: 'a' }] });
    messageOf(() => encodeRequest(metadataApi, 1, { topics: [{ name: 'a' }, { name: null }] }));
    expect(encodeRequest(metadataApi, 1, { topics: [{ name: 'a' }] })).toEqual(good);
  });

  test.each([
    ['bool', { topics: [], allowAutoTopicCreation: 'yes' }],
    ['string', { topics: [{ name: 7 }] }],
    ['array', { topics: 'a' }],
    ['struct', { topics: ['a'] }],
    ['struct', 'nothing of the kind'],
  ])('%s is asked for by name when something else is given', (expected, value) => {
    // What only JavaScript callers can do.
    const act = () => encodeRequest(metadataApi, 4, value as never);
    expect(messageOf(act)).toContain(`Not a value of type ${expected}: `);
  });

  test('a field without default must be given', () => {
    const act = () => encodeRequest(metadataApi, 1, {} as never);
    expect(messageOf(act)).toContain('topics is missing');
  });
});

test('error codes have names, and say whether to try again', () => {
  expect(errorName(Errors.NOT_COORDINATOR)).toBe('NOT_COORDINATOR');
  expect(errorName(-1)).toBe('UNKNOWN_SERVER_ERROR');
  expect(errorName(9999)).toBe('ERROR_9999');
  expect(isRetriable(Errors.NOT_LEADER_OR_FOLLOWER)).toBe(true);
  expect(isRetriable(Errors.INVALID_PRODUCER_EPOCH)).toBe(false);
  expect(isRetriable(9999)).toBe(false);
});
