/**
 * The registry port over an outside registry that speaks Confluent's API. The only file that names
 * @kafkajs/confluent-schema-registry, which talks to it; decoding on the hot path is ours, and so is
 * the registration itself: the library refuses schemas without a name and overrides the subject's
 * compatibility level.
 *
 * C1. Only a definite answer of the registry condemns a schema or a record. Silence, a proxy's error
 *     page or refused credentials mean "not available": whoever asks waits and asks again.
 */
import {
  SchemaRegistry as ConfluentRegistry,
  SchemaType,
} from '@kafkajs/confluent-schema-registry';
import { MillraceError } from '../base/errors.ts';
import type { AvroSchema, SchemaRegistry } from './schema-registry.ts';

export interface ConfluentRegistryOptions {
  readonly url: string;
  /** user:password */
  readonly basicAuth?: string;
  /** Longest silence within one request. Default 5 s. */
  readonly timeoutMs?: number;
}

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

export function confluentRegistryClient(options: ConfluentRegistryOptions): SchemaRegistry {
  const { url, basicAuth, timeoutMs = 5_000 } = options;
  const client = new ConfluentRegistry({
    host: url,
    ...credentials(basicAuth),
    middlewares: [
      () => ({
        // Its requests have no timeout of their own,
        prepareRequest: async (next) => (await next()).enhance({ timeout: timeoutMs }),
        // and it takes a login page for a schema that it cannot read.
        response: async (next) => {
          const answer = await next();
          if (typeof answer.data() === 'object') return answer;
          throw new Error(`${url} answers, but not as a schema registry`);
        },
      }),
    ],
  });

  /** Asking first leaves alone a registry that may only be read. */
  const idOf = (subject: string, schema: string): Promise<number | undefined> =>
    client
      .getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema })
      .catch((cause: LibraryError) => {
        // So it says 404, whose reasons it does not tell; registering finds them out.
        if (cause.name === 'ConfluentSchemaRegistryError') return undefined;
        throw fromLibrary(cause, `registering ${subject}`, 'SCHEMA_INCOMPATIBLE', 422);
      });

  const register = async (subject: string, schema: string): Promise<number> => {
    const path = `${url.replace(/\/$/, '')}/subjects/${encodeURIComponent(subject)}/versions`;
    const answer = await fetch(path, {
      method: 'POST',
      headers: {
        'content-type': MEDIA_TYPE,
        ...(basicAuth === undefined ? {} : { authorization: `Basic ${btoa(basicAuth)}` }),
      },
      body: JSON.stringify({ schema }),
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((cause: Error) => {
      throw unavailable(`registering ${subject}: ${cause.message}`, cause);
    });
    const said = (await answer.json().catch(() => ({}))) as RegistrationAnswer;
    if (answer.ok && typeof said.id === 'number') return said.id;
    const message = `registering ${subject}: ${said.message ?? `status ${answer.status}`}`;
    const isDefinite = said.error_code !== undefined && [409, 422].includes(answer.status);
    if (!isDefinite) throw unavailable(message);
    throw new MillraceError('SCHEMA_INCOMPATIBLE', message, {
      hint: 'Change the schema compatibly, or the compatibility level of the subject.',
    });
  };

  return {
    register: async (subject, schema) => {
      const text = JSON.stringify(schema);
      return (await idOf(subject, text)) ?? (await register(subject, text));
    },
    schemaById: async (id) => {
      const type: unknown = await client.getSchema(id).catch((cause: LibraryError) => {
        throw fromLibrary(cause, `schema ${id}`, 'SCHEMA_UNKNOWN', 404);
      });
      return avroOf(type, id);
    },
  };
}

interface RegistrationAnswer {
  readonly id?: number;
  readonly error_code?: number;
  readonly message?: string;
}

interface LibraryError {
  readonly status?: number;
  readonly message: string;
  readonly name: string;
}

/** The library hands out its parsed schema; one that is not Avro can never be read. */
function avroOf(type: unknown, id: number): AvroSchema {
  const { schema } = type as { schema?: (options: object) => AvroSchema };
  if (typeof schema === 'function') return schema.call(type, { exportAttrs: true });
  throw new MillraceError('SCHEMA_UNKNOWN', `schema ${id} is not an Avro schema`);
}

function credentials(basicAuth: string | undefined) {
  if (basicAuth === undefined) return {};
  const cut = basicAuth.indexOf(':');
  return { auth: { username: basicAuth.slice(0, cut), password: basicAuth.slice(cut + 1) } };
}

function fromLibrary(
  cause: LibraryError,
  what: string,
  definite: 'SCHEMA_INCOMPATIBLE' | 'SCHEMA_UNKNOWN',
  definiteStatus: number,
): MillraceError {
  const { status, message, name } = cause;
  // So its message reads when the answer was not the registry's JSON, or when there was none.
  const isAnswered = status !== undefined && !message.includes(`Error, status ${status}`);
  // What the library itself refuses, it has read: a schema that it cannot parse.
  const isUnreadable = name.startsWith('ConfluentSchemaRegistry');
  if ((isAnswered && status === definiteStatus) || isUnreadable) {
    return new MillraceError(definite, `${what}: ${message}`, { cause });
  }
  return unavailable(`${what}: ${message}`, cause);
}

function unavailable(message: string, cause?: unknown): MillraceError {
  const hint = 'Check SCHEMA_REGISTRY_URL and its credentials.';
  return new MillraceError('SCHEMA_REGISTRY_UNAVAILABLE', message, { cause, hint });
}
