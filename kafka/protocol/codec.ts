/**
 * Messages to bytes and back: bodies, and the headers in front of them. Decoding is strict: a body that
 * ends early was misread, and so was an answer with bytes left over. Behind a request they are ignored, as
 * Kafka does. Whatever the bytes are, decoding throws KAFKA_PROTOCOL and nothing else.
 */
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Api } from './api.ts';
import { apisByKey } from './apis.ts';
import { type Codec, codecOf } from './compile.ts';
import { protocolError } from './protocol-error.ts';
import { Reader } from './reader.ts';
import type { AnySchema, Schema } from './schema.ts';
import { Writer } from './writer.ts';

type AnyApi = Api<unknown, unknown>;
type Direction = 'request' | 'response';

export interface RequestFrameHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** Header v2 (tagged fields) instead of v1. */
  readonly flexible: boolean;
}

export interface ReceivedRequestHeader extends RequestFrameHeader {
  /** Undefined: a key that we do not know; then nothing behind the correlation id was read. */
  readonly api: AnyApi | undefined;
  /** Where the body begins in the frame. */
  readonly bodyAt: number;
}

export interface ReceivedResponseHeader {
  readonly correlationId: number;
  readonly bodyAt: number;
}

const API_VERSIONS_KEY = 18;
const FRAME_SIZE_BYTES = 4;

/** Encoding is synchronous, so one buffer serves all of it in this thread. */
const scratch = new Writer();

/** A request's body: what follows the header. */
export function encodeRequest<Request>(
  api: Api<Request, unknown>,
  version: number,
  request: Request,
): Buffer {
  scratch.reset();
  writeBody(scratch, api, version, 'request', request);
  return scratch.take();
}

/**
 * Byte fields of the result are views into `buffer`. Bytes behind the body are ignored: librdkafka leaves
 * some when it asks for all topics (Metadata v13).
 */
export function decodeRequest<Request>(
  api: AnyApi & { readonly request: Schema<Request, never> },
  version: number,
  buffer: Buffer,
  at = 0,
): Request {
  return readBody(api, version, 'request', buffer, at) as Request;
}

/** A response's body: what follows the header. */
export function encodeResponse<Response>(
  api: AnyApi & { readonly response: Schema<unknown, Response> },
  version: number,
  response: Response,
): Buffer {
  scratch.reset();
  writeBody(scratch, api, version, 'response', response);
  return scratch.take();
}

/** Byte fields of the result are views into `buffer`. */
export function decodeResponse<Response>(
  api: Api<never, Response>,
  version: number,
  buffer: Buffer,
  at = 0,
): Response {
  return readBody(api, version, 'response', buffer, at) as Response;
}

export function encodeRequestHeader(header: RequestFrameHeader): Buffer {
  scratch.reset();
  writeRequestHeader(scratch, header);
  return scratch.take();
}

/** `frame` is without its size. */
export function decodeRequestHeader(frame: Buffer): ReceivedRequestHeader {
  const reader = new Reader(frame);
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const api = apisByKey.get(apiKey);
  const flexible = api !== undefined && apiVersion >= api.flexibleFrom;
  const clientId = api === undefined ? null : readClientId(reader);
  if (flexible) skipTags(reader);
  return { apiKey, apiVersion, correlationId, clientId, flexible, api, bodyAt: reader.position };
}

export function encodeResponseHeader(
  request: Pick<RequestFrameHeader, 'apiKey' | 'flexible' | 'correlationId'>,
): Buffer {
  scratch.reset();
  writeResponseHeader(scratch, request);
  return scratch.take();
}

/** `frame` is without its size; `request` is what it answers. */
export function decodeResponseHeader(
  frame: Buffer,
  request: Pick<RequestFrameHeader, 'apiKey' | 'flexible'>,
): ReceivedResponseHeader {
  const reader = new Reader(frame);
  const correlationId = reader.int32();
  if (hasTaggedResponseHeader(request)) skipTags(reader);
  return { correlationId, bodyAt: reader.position };
}

/** Size, header and body of a request in one buffer: what goes into a socket. */
export function encodeRequestFrame<Request>(
  api: Api<Request, unknown>,
  version: number,
  { correlationId, clientId }: Pick<RequestFrameHeader, 'correlationId' | 'clientId'>,
  request: Request,
): Buffer {
  const flexible = version >= api.flexibleFrom;
  scratch.reset();
  scratch.int32(0);
  writeRequestHeader(scratch, {
    apiKey: api.key,
    apiVersion: version,
    correlationId,
    clientId,
    flexible,
  });
  writeBody(scratch, api, version, 'request', request);
  return takeFrame(scratch);
}

/** Size, header and body of a response in one buffer: what goes into a socket. */
export function encodeResponseFrame<Response>(
  api: AnyApi & { readonly response: Schema<unknown, Response> },
  version: number,
  correlationId: number,
  response: Response,
): Buffer {
  scratch.reset();
  scratch.int32(0);
  const flexible = version >= api.flexibleFrom;
  writeResponseHeader(scratch, { apiKey: api.key, flexible, correlationId });
  writeBody(scratch, api, version, 'response', response);
  return takeFrame(scratch);
}

function writeBody(
  writer: Writer,
  api: AnyApi | Api<never, unknown>,
  version: number,
  direction: Direction,
  value: unknown,
): void {
  try {
    codecFor(api, version, direction).write(writer, value);
  } catch (error) {
    throw inMessage(error, api, version, direction);
  }
}

function readBody(
  api: AnyApi | Api<never, unknown>,
  version: number,
  direction: Direction,
  buffer: Buffer,
  at: number,
): unknown {
  try {
    const reader = new Reader(buffer, at);
    const value = codecFor(api, version, direction).read(reader);
    if (direction === 'response') reader.expectEnd();
    return value;
  } catch (error) {
    throw inMessage(error, api, version, direction);
  }
}

function codecFor(api: AnyApi | Api<never, unknown>, version: number, direction: Direction): Codec {
  if (version < api.minVersion || version > api.maxVersion) {
    throw protocolError(`only versions ${api.minVersion} to ${api.maxVersion} are defined`);
  }
  const schema: AnySchema = api[direction];
  return codecOf(schema, version, version >= api.flexibleFrom);
}

function inMessage(
  error: unknown,
  api: Pick<AnyApi, 'name'>,
  version: number,
  direction: Direction,
): unknown {
  if (!isMillraceError(error)) return error;
  return new MillraceError(error.code, `${api.name} v${version} ${direction}: ${error.message}`, {
    cause: error,
    facts: { ...error.facts, api: api.name, version },
  });
}

function writeRequestHeader(writer: Writer, header: RequestFrameHeader): void {
  writer.int16(header.apiKey);
  writer.int16(header.apiVersion);
  writer.int32(header.correlationId);
  // The client id keeps its old encoding in header v2 too.
  if (header.clientId === null) {
    writer.int16(-1);
  } else {
    const sizeBytes = Buffer.byteLength(header.clientId);
    writer.int16(sizeBytes);
    writer.utf8(header.clientId, sizeBytes);
  }
  if (header.flexible) writer.uvarint(0);
}

function writeResponseHeader(
  writer: Writer,
  request: Pick<RequestFrameHeader, 'apiKey' | 'flexible' | 'correlationId'>,
): void {
  writer.int32(request.correlationId);
  if (hasTaggedResponseHeader(request)) writer.uvarint(0);
}

/** ApiVersions' answer must be readable by a client that does not know our versions yet: always v0. */
function hasTaggedResponseHeader(
  request: Pick<RequestFrameHeader, 'apiKey' | 'flexible'>,
): boolean {
  return request.flexible && request.apiKey !== API_VERSIONS_KEY;
}

function readClientId(reader: Reader): string | null {
  const sizeBytes = reader.int16();
  return sizeBytes === -1 ? null : reader.utf8(sizeBytes);
}

function skipTags(reader: Reader): void {
  const count = reader.uvarint();
  for (let index = 0; index < count; index += 1) {
    reader.uvarint();
    reader.skip(reader.uvarint());
  }
}

function takeFrame(writer: Writer): Buffer {
  writer.int32At(0, writer.position - FRAME_SIZE_BYTES);
  return writer.take();
}
