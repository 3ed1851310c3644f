/** Confluent's API as our server speaks it: by their library's client, by our own, and call by call. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import {
  SchemaRegistry as Client,
  COMPATIBILITY,
  SchemaType,
} from '@kafkajs/confluent-schema-registry';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { avroSerde } from '../../schemas/avro-serde.ts';
import { confluentRegistryClient } from '../../schemas/confluent-registry-client.ts';
import {
  type RegistryServer,
  startRegistryServer,
} from '../../schemas/registry/registry-server.ts';
import { SchemaRegistryService } from '../../schemas/registry/schema-registry-service.ts';
import { fromBytes, toBytes } from '../../schemas/serde.ts';
import { SharedSchemaLog } from './shared-schema-log.ts';

const field = (name: string, more: object = {}) => ({ name, type: 'string', ...more });
const record = (...fields: object[]) => ({ type: 'record', name: 'R', namespace: 'x', fields });
const v1 = record(field('a'));
const v2 = record(field('a'), field('b', { default: '' }));
const incompatible = record(field('a'), field('c'));

let log: SharedSchemaLog;
let server: RegistryServer;

beforeEach(async () => {
  log = new SharedSchemaLog();
  const service = new SchemaRegistryService(log.open());
  await service.start();
  server = await startRegistryServer(service, '127.0.0.1', 0);
});

afterEach(() => server.close());

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await fetch(`${server.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: text }),
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
  });
  return { status: answer.status, body: await answer.json(), headers: answer.headers };
}

const schemaBody = (schema: object) => ({ schema: JSON.stringify(schema) });
const register = (subject: string, schema: object) =>
  call('POST', `/subjects/${subject}/versions`, schemaBody(schema));

async function codeOf(answer: Promise<Answer>): Promise<readonly [number, unknown]> {
  const { status, body } = await answer;
  expect((body as { message?: unknown }).message).toBeTypeOf('string');
  return [status, (body as { error_code?: unknown }).error_code];
}

describe("the library's client", () => {
  test('registers and encodes, and another client decodes', async () => {
    const producer = new Client({ host: server.url });
    const { id } = await producer.register(
      { type: SchemaType.AVRO, schema: JSON.stringify(v1) },
      { subject: 'topic-value' },
    );
    const bytes = await producer.encode(id, { a: 'hello' });
    const consumer = new Client({ host: server.url });
    expect({ ...(await consumer.decode(bytes)) }).toEqual({ a: 'hello' });
    expect(await consumer.getLatestSchemaId('topic-value')).toBe(id);
    expect(await consumer.getRegistryId('topic-value', 1)).toBe(id);
    expect(
      await consumer.getRegistryIdBySchema('topic-value', {
        type: SchemaType.AVRO,
        schema: JSON.stringify(v1),
      }),
    ).toBe(id);
  });

  test('gets a second version, and is refused an incompatible one with 409', async () => {
    const client = new Client({ host: server.url });
    const confluent = (schema: object) => ({
      type: SchemaType.AVRO as const,
      schema: JSON.stringify(schema),
    });
    const options = { subject: 'topic-value', compatibility: COMPATIBILITY.BACKWARD };
    const first = await client.register(confluent(v1), options);
    const second = await client.register(confluent(v2), options);
    expect(second.id).toBe(first.id + 1);
    await expect(client.register(confluent(incompatible), options)).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('the field "c" is missing'),
    });
  });

  test('reads what our serde wrote, and our serde reads what it wrote', async () => {
    const serde = avroSerde<{ a: string }>({
      schema: v1,
      registry: confluentRegistryClient({ url: server.url }),
    });
    await serde.prepare?.('topic', 'value');
    const client = new Client({ host: server.url });
    expect({ ...(await client.decode(toBytes(serde, { a: 'ours' }))) }).toEqual({ a: 'ours' });
    const { id } = await client.register(
      { type: SchemaType.AVRO, schema: JSON.stringify(v2) },
      { subject: 'topic-value' },
    );
    const bytes = await client.encode(id, { a: 'theirs', b: 'more' });
    await serde.resolve?.(id);
    expect({ ...fromBytes(serde, bytes) }).toEqual({ a: 'theirs' });
  });
});

describe('registering', () => {
  test('the same schema again has the same id, also under another subject', async () => {
    const { body } = await register('s', v1);
    expect((await register('s', v1)).body).toEqual(body);
    expect((await register('t', v1)).body).toEqual(body);
    expect((await call('GET', '/schemas/ids/1/versions')).body).toEqual([
      { subject: 's', version: 1 },
      { subject: 't', version: 1 },
    ]);
  });

  test.each([
    ['what is no schema', { schema: '{"type":"nonsense"}' }],
    ['what is not JSON', { schema: '{' }],
    ['nothing', {}],
    ['an empty schema', { schema: '' }],
    ['another kind of schema', { schema: 'syntax', schemaType: 'PROTOBUF' }],
    ['references', { ...schemaBody(v1), references: [{ name: 'x', subject: 's', version: 1 }] }],
    [
      'a schema nested too deeply',
      { schema: `${'{"type":"array","items":'.repeat(20_000)}"int"${'}'.repeat(20_000)}` },
    ],
  ])('%s is refused with 42201', async (_, body) => {
    expect(await codeOf(call('POST', '/subjects/s/versions', body))).toEqual([422, 42201]);
  });

  test('an incompatible schema is refused with 409, which says why and where', async () => {
    await register('s', v1);
    const { status, body } = await register('s', incompatible);
    expect(status).toBe(409);
    expect(body).toEqual({
      error_code: 409,
      message: expect.stringMatching(
        /incompatible with an earlier schema for subject "s".*"c".*\/fields\/1/,
      ),
    });
  });

  test('a subject with slashes, spaces and other letters is a subject like any other', async () => {
    const subject = 'a/b c-ü%';
    expect((await register(encodeURIComponent(subject), v1)).status).toBe(200);
    expect((await call('GET', '/subjects')).body).toEqual([subject]);
  });

  test('what was registered survives in the log', async () => {
    await register('s', v1);
    await register('s', v2);
    const second = new SchemaRegistryService(log.open());
    await second.start();
    expect(second.state.versions('s').map(({ id }) => id)).toEqual([1, 2]);
  });
});

describe('reading', () => {
  beforeEach(async () => {
    await register('s', v1);
    await register('s', v2);
    await register('t', v1);
  });

  const versionOne = {
    subject: 's',
    version: 1,
    id: 1,
    schemaType: 'AVRO',
    schema: JSON.stringify(v1),
  };

  test.each([
    ['/', {}],
    ['/subjects', ['s', 't']],
    ['/subjects?subjectPrefix=t', ['t']],
    ['/subjects/s/versions', [1, 2]],
    ['/subjects/s/versions/1', versionOne],
    [
      '/subjects/s/versions/latest',
      { ...versionOne, version: 2, id: 2, schema: JSON.stringify(v2) },
    ],
    ['/subjects/s/versions/-1', { ...versionOne, version: 2, id: 2, schema: JSON.stringify(v2) }],
    ['/subjects/s/versions/1/schema', v1],
    ['/subjects/s/versions/1/referencedby', []],
    ['/schemas/types', ['AVRO']],
    ['/schemas/ids/1', { schema: JSON.stringify(v1) }],
    ['/schemas/ids/1/schema', v1],
    ['/schemas/ids/1/subjects', ['s', 't']],
    ['/schemas?subjectPrefix=t', [{ ...versionOne, subject: 't' }]],
    [
      '/schemas?latestOnly=true&subjectPrefix=s',
      [{ ...versionOne, version: 2, id: 2, schema: JSON.stringify(v2) }],
    ],
    ['/config', { compatibilityLevel: 'BACKWARD' }],
    ['/config/s?defaultToGlobal=true', { compatibilityLevel: 'BACKWARD' }],
    ['/mode', { mode: 'READWRITE' }],
    ['/mode/s?defaultToGlobal=true', { mode: 'READWRITE' }],
    ['/contexts', ['.']],
  ])('GET %s', async (path, body) => {
    const answer = await call('GET', path);
    expect([answer.status, answer.body]).toEqual([200, body]);
    expect(answer.headers.get('content-type')).toBe('application/vnd.schemaregistry.v1+json');
  });

  test.each([
    ['GET', '/subjects/none/versions', 404, 40401],
    ['GET', '/subjects/none/versions/1', 404, 40401],
    ['GET', '/subjects/none/versions/latest', 404, 40401],
    ['GET', '/subjects/s/versions/9', 404, 40402],
    ['GET', '/subjects/s/versions/zero', 422, 42202],
    ['GET', '/subjects/s/versions/0', 422, 42202],
    ['GET', '/subjects/s/versions/2147483648', 422, 42202],
    ['GET', '/subjects/s/versions/-2', 422, 42202],
    ['GET', '/schemas/ids/99', 404, 40403],
    ['GET', '/schemas/ids/x', 404, 40403],
    ['GET', '/schemas/ids/99/subjects', 404, 40403],
    ['GET', '/config/s', 404, 40408],
    ['GET', '/mode/s', 404, 40409],
    ['DELETE', '/subjects/none', 404, 40401],
    ['DELETE', '/subjects/none/versions/1', 404, 40401],
    ['DELETE', '/subjects/s/versions/9', 404, 40402],
    ['DELETE', '/subjects/s/versions/x', 422, 42202],
    ['DELETE', '/config/none', 404, 40401],
    ['DELETE', '/mode/none', 404, 40401],
    ['PUT', '/config', 422, 42203],
    ['PUT', '/config/s', 422, 42203],
    ['PUT', '/mode', 422, 42204],
    ['POST', '/subjects/none', 404, 40401],
    ['PATCH', '/subjects', 405, 405],
    ['DELETE', '/schemas/ids/1', 405, 405],
    ['GET', '/nowhere', 404, 404],
    ['GET', '/subjects/%zz/versions', 400, 400],
  ])('%s %s is refused with %i and %i', async (method, path, status, code) => {
    expect(await codeOf(call(method, path, method === 'GET' ? undefined : {}))).toEqual([
      status,
      code,
    ]);
  });

  test('405 tells the methods', async () => {
    expect((await call('PATCH', '/config/s')).headers.get('allow')).toBe('GET, PUT, DELETE');
  });

  test('a schema is looked up under its subject', async () => {
    expect((await call('POST', '/subjects/s', schemaBody(v1))).body).toEqual(versionOne);
    expect(await codeOf(call('POST', '/subjects/t', schemaBody(v2)))).toEqual([404, 40403]);
    expect(await codeOf(call('POST', '/subjects/t', { schema: '{' }))).toEqual([422, 42201]);
  });
});

describe('levels', () => {
  test('the level of a subject goes before the global one, which comes back when it is deleted', async () => {
    await register('s', v1);
    expect((await call('PUT', '/config/s', { compatibility: 'none' })).body).toEqual({
      compatibility: 'NONE',
    });
    expect((await call('GET', '/config/s')).body).toEqual({ compatibilityLevel: 'NONE' });
    expect((await register('s', incompatible)).status).toBe(200);
    expect((await call('DELETE', '/config/s')).body).toEqual({ compatibilityLevel: 'NONE' });
    expect(await codeOf(call('GET', '/config/s'))).toEqual([404, 40408]);
    expect((await register('s', record(field('d')))).status).toBe(409);
  });

  test('the global level counts for all others', async () => {
    await register('s', v2);
    await call('PUT', '/config', { compatibility: 'FORWARD' });
    expect((await call('GET', '/config')).body).toEqual({ compatibilityLevel: 'FORWARD' });
    expect((await register('s', record())).status).toBe(409);
    expect((await call('DELETE', '/config')).status).toBe(200);
    expect((await register('s', record())).status).toBe(200);
  });

  test('a candidate is judged without being registered, with reasons on request', async () => {
    await register('s', v1);
    const path = '/compatibility/subjects/s/versions';
    expect((await call('POST', `${path}/latest`, schemaBody(v2))).body).toEqual({
      is_compatible: true,
    });
    expect((await call('POST', `${path}/1`, schemaBody(incompatible))).body).toEqual({
      is_compatible: false,
    });
    expect((await call('POST', `${path}?verbose=true`, schemaBody(incompatible))).body).toEqual({
      is_compatible: false,
      messages: [expect.stringContaining('/fields/1')],
    });
    expect((await call('GET', '/subjects/s/versions')).body).toEqual([1]);
    expect(await codeOf(call('POST', `${path}/9`, schemaBody(v2)))).toEqual([404, 40402]);
    expect(await codeOf(call('POST', `${path}/x`, schemaBody(v2)))).toEqual([422, 42202]);
    expect(await codeOf(call('POST', `${path}/latest`, { schema: '[' }))).toEqual([422, 42201]);
  });

  test('whatever is first in a subject is compatible', async () => {
    const path = '/compatibility/subjects/new/versions/latest';
    expect((await call('POST', path, schemaBody(v1))).body).toEqual({ is_compatible: true });
  });

  test('read-only refuses what changes, and still knows what is there', async () => {
    await register('s', v1);
    expect((await call('PUT', '/mode/s', { mode: 'READONLY' })).body).toEqual({ mode: 'READONLY' });
    expect(await codeOf(register('s', v2))).toEqual([422, 42205]);
    expect(await codeOf(call('DELETE', '/subjects/s'))).toEqual([422, 42205]);
    expect(await codeOf(call('DELETE', '/subjects/s/versions/1'))).toEqual([422, 42205]);
    expect((await register('s', v1)).status).toBe(200);
    expect((await call('DELETE', '/mode/s')).body).toEqual({ mode: 'READONLY' });
    expect((await register('s', v2)).status).toBe(200);
  });
});

describe('deleting', () => {
  beforeEach(async () => {
    await register('s', v1);
    await register('s', v2);
  });

  test('a version goes softly first, then for good', async () => {
    const path = '/subjects/s/versions/1';
    expect(await codeOf(call('DELETE', `${path}?permanent=true`))).toEqual([404, 40407]);
    expect((await call('DELETE', path)).body).toBe(1);
    expect(await codeOf(call('GET', path))).toEqual([404, 40402]);
    expect((await call('GET', `${path}?deleted=true`)).status).toBe(200);
    expect((await call('GET', '/subjects/s/versions')).body).toEqual([2]);
    expect((await call('GET', '/subjects/s/versions?deleted=true')).body).toEqual([1, 2]);
    expect(await codeOf(call('DELETE', path))).toEqual([404, 40406]);
    expect((await call('GET', '/schemas/ids/1')).status).toBe(200);
    expect((await call('DELETE', `${path}?permanent=true`)).body).toBe(1);
    expect((await call('GET', '/subjects/s/versions?deleted=true')).body).toEqual([2]);
  });

  test('the latest version is the latest that is not deleted', async () => {
    expect((await call('DELETE', '/subjects/s/versions/latest')).body).toBe(2);
    expect((await call('DELETE', '/subjects/s/versions/latest')).body).toBe(1);
    expect(await codeOf(call('DELETE', '/subjects/s/versions/latest'))).toEqual([404, 40401]);
  });

  test('a subject goes softly first, then for good', async () => {
    expect(await codeOf(call('DELETE', '/subjects/s?permanent=true'))).toEqual([404, 40405]);
    expect((await call('DELETE', '/subjects/s')).body).toEqual([1, 2]);
    expect((await call('GET', '/subjects')).body).toEqual([]);
    expect((await call('GET', '/subjects?deleted=true')).body).toEqual(['s']);
    expect((await call('GET', '/subjects?deletedOnly=true')).body).toEqual(['s']);
    expect(await codeOf(call('DELETE', '/subjects/s'))).toEqual([404, 40404]);
    expect((await call('DELETE', '/subjects/s?permanent=true')).body).toEqual([1, 2]);
    expect(await codeOf(call('DELETE', '/subjects/s'))).toEqual([404, 40401]);
  });

  test('a schema that was deleted softly comes back as a new version under its old id', async () => {
    await call('DELETE', '/subjects/s');
    expect((await register('s', v1)).body).toEqual({ id: 1 });
    expect((await call('GET', '/subjects/s/versions')).body).toEqual([3]);
    expect((await call('POST', '/subjects/s?deleted=true', schemaBody(v2))).status).toBe(200);
    expect(await codeOf(call('POST', '/subjects/s', schemaBody(v2)))).toEqual([404, 40403]);
  });
});

describe('bad requests', () => {
  test.each([
    ['not JSON', '{'],
    ['an array', '[]'],
    ['null', 'null'],
  ])('a body that is %s is refused with 400', async (_, body) => {
    expect(await codeOf(call('POST', '/subjects/s/versions', body))).toEqual([400, 400]);
  });

  test('a body over the limit is refused with 413, and the server goes on', async () => {
    expect(await codeOf(call('POST', '/subjects/s/versions', 'x'.repeat(2_000_000)))).toEqual([
      413, 413,
    ]);
    expect((await call('GET', '/subjects')).status).toBe(200);
  });

  test('a client that leaves in the middle of its body disturbs nobody', async () => {
    const { port } = new URL(server.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(
          'POST /subjects/s/versions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"sch',
        );
        socket.destroySoon();
      });
      socket.once('close', () => resolve());
    });
    expect((await call('GET', '/subjects')).body).toEqual([]);
  });

  test('a log that cannot be written is 500 with 50001, and for the app: registry unavailable', async () => {
    const broken = new SharedSchemaLog();
    const service = new SchemaRegistryService(
      broken.open({ beforeAppend: () => Promise.reject(new Error('Kafka is away')) }),
    );
    await service.start();
    await expect(service.register('s', v1)).rejects.toMatchObject({
      code: 'SCHEMA_REGISTRY_UNAVAILABLE',
      message: expect.stringContaining('Kafka is away'),
    });
    await expect(service.registerText('s', JSON.stringify(v1))).rejects.toMatchObject({
      status: 500,
      errorCode: 50001,
    });
  });

  test('a port that is taken is named, with the setting to change', async () => {
    const { port } = new URL(server.url);
    const service = new SchemaRegistryService(log.open());
    await expect(startRegistryServer(service, '127.0.0.1', Number(port))).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      hint: expect.stringContaining('EMBEDDED_REGISTRY_PORT'),
    });
  });
});

describe('our client', () => {
  test('registers, finds by id, and tells an incompatible schema from an unknown id', async () => {
    const client = confluentRegistryClient({ url: server.url });
    const id = await client.register('s', v1);
    expect(await client.register('s', v1)).toBe(id);
    expect(await client.schemaById(id)).toMatchObject({ name: 'x.R', type: 'record' });
    await expect(client.register('s', incompatible)).rejects.toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
      message: expect.stringContaining('"c"'),
    });
    await expect(client.register('s', { type: 'nonsense' })).rejects.toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
    });
    await expect(client.schemaById(99)).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
  });

  test('registers schemas without a name, and leaves the level of the subject as it is', async () => {
    const client = confluentRegistryClient({ url: server.url });
    await call('PUT', '/config', { compatibility: 'FULL' });
    expect(await client.register('key', 'string')).toBe(1);
    await call('PUT', '/config/s', { compatibility: 'NONE' });
    await client.register('s', v1);
    await client.register('s', incompatible);
    expect((await call('GET', '/config/s')).body).toEqual({ compatibilityLevel: 'NONE' });
    expect(await codeOf(call('GET', '/config/key'))).toEqual([404, 40408]);
  });

  test('needs no right to write where the schema is registered already', async () => {
    await register('s', v1);
    await call('PUT', '/mode', { mode: 'READONLY' });
    expect(await confluentRegistryClient({ url: server.url }).register('s', v1)).toBe(1);
  });

  const away = {
    code: 'SCHEMA_REGISTRY_UNAVAILABLE',
    hint: expect.stringContaining('SCHEMA_REGISTRY_URL'),
  };

  async function against(
    listener: RequestListener,
    check: (url: string) => Promise<void>,
  ): Promise<void> {
    const other: Server = createServer(listener);
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    try {
      await check(`http://127.0.0.1:${port}`);
    } finally {
      other.closeAllConnections();
      other.close();
    }
  }

  async function expectAway(url: string): Promise<void> {
    const client = confluentRegistryClient({ url, timeoutMs: 100 });
    await expect(client.register('s', v1)).rejects.toMatchObject(away);
    await expect(client.schemaById(1)).rejects.toMatchObject(away);
  }

  test('says that nobody answers when nobody listens', async () => {
    const { url } = server;
    await server.close();
    await expectAway(url);
  });

  test('says so when somebody listens and never answers', () => against(() => {}, expectAway));

  test.each([
    [401, 'application/json', '{"error_code":401,"message":"Unauthorized"}'],
    [403, 'application/json', '{"error_code":403,"message":"Forbidden"}'],
    [404, 'text/html', '<html>default backend</html>'],
    [500, 'application/json', '{"error_code":50001,"message":"store"}'],
    [502, 'text/html', '<html>bad gateway</html>'],
    [200, 'text/html', '<html>log in</html>'],
  ])('takes an answer of %i %s for "not available", not for a verdict', (status, type, body) =>
    against(
      (_, response) => response.writeHead(status, { 'content-type': type }).end(body),
      expectAway,
    ),
  );

  test('knows that a schema of another kind can never be read', () =>
    against(
      (_, response) =>
        response
          .writeHead(200, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
          .end('{"schemaType":"PROTOBUF","schema":"syntax = \\"proto3\\"; message A {}"}'),
      async (url) => {
        const client = confluentRegistryClient({ url });
        await expect(client.schemaById(1)).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
      },
    ));

  test('sends its credentials with every request', async () => {
    const seen: (string | undefined)[] = [];
    await against(
      ({ headers }, response) => {
        seen.push(headers.authorization);
        response
          .writeHead(404, { 'content-type': 'application/json' })
          .end('{"error_code":40401,"message":"Subject not found"}');
      },
      async (url) => {
        const client = confluentRegistryClient({ url, basicAuth: 'me:se:cret' });
        await client.register('s', v1).catch(() => {});
        await client.schemaById(1).catch(() => {});
      },
    );
    expect(new Set(seen)).toEqual(new Set([`Basic ${btoa('me:se:cret')}`]));
    expect(seen).toHaveLength(3);
  });
});
