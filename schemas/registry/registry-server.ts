/**
 * Confluent's REST API over the registry service: connection, body, answer. What may be asked stands
 * in registry-operations.ts, what is decided is decided in schema-registry-service.ts.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { MillraceError } from '../../base/errors.ts';
import { OPERATIONS } from './registry-operations.ts';
import { RegistryError, type SchemaRegistryService } from './schema-registry-service.ts';

const BODY_BYTES_MAX = 1_048_576;
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

const COMPILED = OPERATIONS.map(([method, path, handle]) => ({
  method,
  pattern: new RegExp(`^${path.replace(/\*/g, '([^/]+)')}/?$`),
  handle,
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
    if (status === 405) response.setHeader('Allow', methodsAt(request.url ?? '/').join(', '));
    // What is left of a refused body is not read.
    if (status === 413) response.setHeader('Connection', 'close');
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
  const target = request.url ?? '/';
  const cut = target.indexOf('?');
  const path = cut < 0 ? target : target.slice(0, cut);
  for (const { method, pattern, handle } of COMPILED) {
    if (method !== request.method) continue;
    const match = pattern.exec(path);
    if (match === null) continue;
    const parts = match.slice(1).map(decodePart);
    const query = new URLSearchParams(cut < 0 ? '' : target.slice(cut));
    return handle(service, { parts, query, body: await readBody(request) });
  }
  if (methodsAt(target).length > 0)
    throw new RegistryError(405, 405, 'HTTP 405 Method Not Allowed');
  throw new RegistryError(404, 404, 'HTTP 404 Not Found');
}

function methodsAt(target: string): string[] {
  const path = target.replace(/\?.*$/s, '');
  return COMPILED.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
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
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below.
  }
  throw new RegistryError(400, 400, 'the body is not a JSON object');
}

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): MillraceError {
  const taken = cause.code === 'EADDRINUSE';
  const message = `the schema registry cannot listen on ${host}:${port}: ${cause.code}`;
  return new MillraceError(taken ? 'PORT_TAKEN' : 'CONFIG_INVALID', message, {
    cause,
    hint: taken
      ? 'Another process has the port: set EMBEDDED_REGISTRY_PORT to a free one.'
      : 'Check EMBEDDED_REGISTRY_HOST and EMBEDDED_REGISTRY_PORT.',
  });
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
