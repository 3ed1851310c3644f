/**
 * Confluent's REST API over the registry service: paths, media types, status and error codes.
 * A thin shell; everything that is decided is decided in schema-registry-service.ts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { MillraceError } from '../../base/errors.ts';
import {
  COMPATIBILITY_LEVELS,
  type CompatibilityLevel,
  MODES,
  type Mode,
  type SchemaVersion,
} from './registry-state.ts';
import { RegistryError, type SchemaRegistryService } from './schema-registry-service.ts';

const BODY_BYTES_MAX = 1_048_576;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

interface Call {
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
}

type Handler = (service: SchemaRegistryService, call: Call) => unknown;

/** Method and path, `*` for a variable part, which handlers get in order. */
const OPERATIONS: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ['GET', '/', () => ({})],
  [
    'GET',
    '/subjects',
    (service, { query }) =>
      service.state
        .subjects(isTrue(query, 'deleted'))
        .filter((subject) => subject.startsWith(query.get('subjectPrefix') ?? '')),
  ],
  [
    'GET',
    '/subjects/*/versions',
    (service, { parts, query }) =>
      knownVersions(service, parts[0]!, isTrue(query, 'deleted')).map(({ version }) => version),
  ],
  [
    'POST',
    '/subjects/*/versions',
    async (service, { parts, body }) => ({
      id: (await service.registerText(parts[0]!, schemaOf(body))).id,
    }),
  ],
  [
    'GET',
    '/subjects/*/versions/*',
    (service, { parts, query }) =>
      versionView(versionOf(service, parts[0]!, parts[1]!, isTrue(query, 'deleted'))),
  ],
  [
    'GET',
    '/subjects/*/versions/*/schema',
    (service, { parts }) => JSON.parse(versionOf(service, parts[0]!, parts[1]!).schema),
  ],
  ['GET', '/subjects/*/versions/*/referencedby', () => []],
  ['DELETE', '/subjects/*/versions/*', deleteVersion],
  ['POST', '/subjects/*', lookUp],
  ['DELETE', '/subjects/*', deleteSubject],
  [
    'GET',
    '/schemas',
    (service, { query }) =>
      service.state
        .subjects(isTrue(query, 'deleted'))
        .flatMap((subject) =>
          service.state.versions(subject, isTrue(query, 'deleted')).map(versionView),
        ),
  ],
  ['GET', '/schemas/types', () => ['AVRO']],
  ['GET', '/schemas/ids/*', (service, { parts }) => ({ schema: textById(service, parts[0]!) })],
  [
    'GET',
    '/schemas/ids/*/schema',
    (service, { parts }) => JSON.parse(textById(service, parts[0]!)),
  ],
  [
    'GET',
    '/schemas/ids/*/subjects',
    (service, { parts, query }) => usesOf(service, parts[0]!, query).map(({ subject }) => subject),
  ],
  [
    'GET',
    '/schemas/ids/*/versions',
    (service, { parts, query }) =>
      usesOf(service, parts[0]!, query).map(({ subject, version }) => ({ subject, version })),
  ],
  ['POST', '/compatibility/subjects/*/versions', (service, call) => compatibility(service, call)],
  [
    'POST',
    '/compatibility/subjects/*/versions/*',
    (service, call) =>
      compatibility(service, call, versionOf(service, call.parts[0]!, call.parts[1]!)),
  ],
  [
    'GET',
    '/config',
    (service) => ({ compatibilityLevel: service.state.effectiveCompatibility('') }),
  ],
  ['PUT', '/config', (service, { body }) => putConfig(service, '', body)],
  ['DELETE', '/config', (service) => deleteConfig(service, '')],
  ['GET', '/config/*', getSubjectConfig],
  ['PUT', '/config/*', (service, { parts, body }) => putConfig(service, parts[0]!, body)],
  ['DELETE', '/config/*', (service, { parts }) => deleteConfig(service, parts[0]!)],
  ['GET', '/mode', (service) => ({ mode: service.state.effectiveMode('') })],
  ['PUT', '/mode', (service, { body }) => putMode(service, '', body)],
  ['GET', '/mode/*', getSubjectMode],
  ['PUT', '/mode/*', (service, { parts, body }) => putMode(service, parts[0]!, body)],
  ['GET', '/contexts', () => ['.']],
  ['GET', '/v1/metadata/id', () => ({ scope: { path: [], clusters: {} }, id: '' })],
];

const COMPILED = OPERATIONS.map(([method, path, handler]) => ({
  method,
  pattern: new RegExp(`^${path.replace(/\*/g, '([^/]+)')}/?$`),
  handler,
}));

export interface RegistryServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Rejects PORT_TAKEN. */
export function startRegistryServer(
  service: SchemaRegistryService,
  host: string,
  port: number,
): Promise<RegistryServer> {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000 },
    (request, response) => {
      void respond(service, request, response);
    },
  );
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(host, port, cause)));
    server.listen(port, host, () =>
      resolve({ url: urlOf(server, host), close: () => close(server) }),
    );
  });
}

async function respond(
  service: SchemaRegistryService,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let status = 200;
  let body: unknown;
  try {
    body = await dispatch(service, request);
  } catch (error) {
    const known =
      error instanceof RegistryError
        ? error
        : new RegistryError(500, 50001, (error as Error).message);
    status = known.status;
    body = { error_code: known.errorCode, message: known.message };
  }
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': MEDIA_TYPE,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

async function dispatch(
  service: SchemaRegistryService,
  request: IncomingMessage,
): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://registry');
  let known = false;
  for (const { method, pattern, handler } of COMPILED) {
    const match = pattern.exec(url.pathname);
    if (match === null) continue;
    known = true;
    if (method !== request.method) continue;
    const parts = match.slice(1).map(decodePart);
    return handler(service, { parts, query: url.searchParams, body: await readBody(request) });
  }
  throw known
    ? new RegistryError(405, 405, 'HTTP 405 Method Not Allowed')
    : new RegistryError(404, 404, 'HTTP 404 Not Found');
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RegistryError(400, 400, 'the path is not properly encoded');
  }
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_BYTES_MAX) throw new RegistryError(413, 413, 'the body is too large');
    chunks.push(chunk);
  }
  if (sizeBytes === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new RegistryError(400, 400, 'the body is not a JSON object');
}

// ── Handlers ──

async function lookUp(
  service: SchemaRegistryService,
  { parts, query, body }: Call,
): Promise<unknown> {
  knownVersions(service, parts[0]!, true);
  const found = service.state.findBySchema(parts[0]!, schemaOf(body), isTrue(query, 'deleted'));
  if (found === undefined) throw new RegistryError(404, 40403, 'Schema not found');
  return versionView(found);
}

async function deleteVersion(
  service: SchemaRegistryService,
  { parts, query }: Call,
): Promise<unknown> {
  const permanently = isTrue(query, 'permanent');
  const version = versionOf(service, parts[0]!, parts[1]!, permanently);
  if (permanently && !version.deleted) {
    throw new RegistryError(
      404,
      40407,
      `Subject '${version.subject}' Version ${version.version} was not deleted first before being permanently deleted`,
    );
  }
  await service.deleteVersion(version, permanently);
  return version.version;
}

async function deleteSubject(
  service: SchemaRegistryService,
  { parts, query }: Call,
): Promise<unknown> {
  const permanently = isTrue(query, 'permanent');
  const subject = parts[0]!;
  if (service.state.versions(subject, permanently).length === 0) throw unknownSubject(subject);
  if (permanently && service.state.versions(subject).length > 0) {
    throw new RegistryError(
      404,
      40405,
      `Subject '${subject}' was not deleted first before being permanently deleted`,
    );
  }
  return service.deleteSubject(subject, permanently);
}

function compatibility(
  service: SchemaRegistryService,
  { parts, query, body }: Call,
  against?: SchemaVersion,
): unknown {
  const messages = service.checkCompatibility(parts[0]!, schemaOf(body), against);
  return {
    is_compatible: messages.length === 0,
    ...(isTrue(query, 'verbose') ? { messages } : {}),
  };
}

function getSubjectConfig(service: SchemaRegistryService, { parts, query }: Call): unknown {
  const level = service.state.compatibilityOf(parts[0]!);
  if (level === undefined && !isTrue(query, 'defaultToGlobal')) {
    throw new RegistryError(
      404,
      40408,
      `Subject '${parts[0]}' does not have subject-level compatibility configured`,
    );
  }
  return { compatibilityLevel: level ?? service.state.effectiveCompatibility('') };
}

async function putConfig(
  service: SchemaRegistryService,
  subject: string,
  body: Record<string, unknown>,
): Promise<unknown> {
  const level = COMPATIBILITY_LEVELS.find(
    (candidate) => candidate === String(body['compatibility']).toUpperCase(),
  );
  if (level === undefined) {
    throw new RegistryError(
      422,
      42203,
      `Invalid compatibility level. Valid values are ${COMPATIBILITY_LEVELS.join(', ')}`,
    );
  }
  await service.setCompatibility(subject, level);
  return { compatibility: level };
}

async function deleteConfig(service: SchemaRegistryService, subject: string): Promise<unknown> {
  const level: CompatibilityLevel = service.state.effectiveCompatibility(subject);
  await service.setCompatibility(subject, undefined);
  return { compatibilityLevel: level };
}

function getSubjectMode(service: SchemaRegistryService, { parts, query }: Call): unknown {
  const mode = service.state.modeOf(parts[0]!);
  if (mode === undefined && !isTrue(query, 'defaultToGlobal')) {
    throw new RegistryError(
      404,
      40409,
      `Subject '${parts[0]}' does not have subject-level mode configured`,
    );
  }
  return { mode: mode ?? service.state.effectiveMode('') };
}

async function putMode(
  service: SchemaRegistryService,
  subject: string,
  body: Record<string, unknown>,
): Promise<unknown> {
  const mode: Mode | undefined = MODES.find(
    (candidate) => candidate === String(body['mode']).toUpperCase(),
  );
  if (mode === undefined)
    throw new RegistryError(422, 42204, `Invalid mode. Valid values are ${MODES.join(', ')}`);
  await service.setMode(subject, mode);
  return { mode };
}

// ── What handlers share ──

function isTrue(query: URLSearchParams, name: string): boolean {
  return query.get(name) === 'true';
}

function schemaOf(body: Record<string, unknown>): string {
  const { schema, schemaType } = body;
  if (schemaType !== undefined && schemaType !== 'AVRO') {
    throw new RegistryError(
      422,
      42201,
      `Invalid schema type ${String(schemaType)}: only AVRO is supported`,
    );
  }
  if (typeof schema !== 'string' || schema === '')
    throw new RegistryError(422, 42201, 'Empty schema');
  return schema;
}

function knownVersions(
  service: SchemaRegistryService,
  subject: string,
  withDeleted: boolean,
): SchemaVersion[] {
  const versions = service.state.versions(subject, withDeleted);
  if (versions.length === 0) throw unknownSubject(subject);
  return versions;
}

function versionOf(
  service: SchemaRegistryService,
  subject: string,
  text: string,
  withDeleted = false,
): SchemaVersion {
  const versions = knownVersions(service, subject, withDeleted);
  if (text === 'latest' || text === '-1') return versions.at(-1)!;
  if (!/^[1-9]\d{0,9}$/.test(text)) {
    throw new RegistryError(
      422,
      42202,
      `The specified version '${text}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`,
    );
  }
  const found = service.state.version(subject, Number(text), withDeleted);
  if (found === undefined) throw new RegistryError(404, 40402, `Version ${text} not found.`);
  return found;
}

function textById(service: SchemaRegistryService, id: string): string {
  const text = /^\d{1,10}$/.test(id) ? service.state.schemaById(Number(id)) : undefined;
  if (text === undefined) throw new RegistryError(404, 40403, `Schema ${id} not found`);
  return text;
}

function usesOf(
  service: SchemaRegistryService,
  id: string,
  query: URLSearchParams,
): SchemaVersion[] {
  textById(service, id);
  return service.state.usesOf(Number(id), isTrue(query, 'deleted'));
}

function versionView({ subject, version, id, schema }: SchemaVersion): object {
  return { subject, version, id, schemaType: 'AVRO', schema };
}

function unknownSubject(subject: string): RegistryError {
  return new RegistryError(404, 40401, `Subject '${subject}' not found.`);
}

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): MillraceError {
  const taken = cause.code === 'EADDRINUSE';
  return new MillraceError(
    taken ? 'PORT_TAKEN' : 'CONFIG_INVALID',
    `the schema registry cannot listen on ${host}:${port}: ${cause.code}`,
    {
      cause,
      hint: taken
        ? 'Another process has the port: set EMBEDDED_REGISTRY_PORT to a free one.'
        : 'Check EMBEDDED_REGISTRY_HOST and EMBEDDED_REGISTRY_PORT.',
    },
  );
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
