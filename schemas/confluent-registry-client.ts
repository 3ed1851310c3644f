/**
 * The registry port over an outside registry that speaks Confluent's API. The only file that names
 * @kafkajs/confluent-schema-registry, which talks to it; decoding on the hot path is ours.
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
}

export function confluentRegistryClient(options: ConfluentRegistryOptions): SchemaRegistry {
  const client = new ConfluentRegistry({ host: options.url, ...authOf(options.basicAuth) });
  return {
    register: async (subject, schema) => {
      try {
        const confluent = { type: SchemaType.AVRO as const, schema: JSON.stringify(schema) };
        return (await client.register(confluent, { subject })).id;
      } catch (cause) {
        throw asMillraceError(cause, `registering ${subject}`, 'SCHEMA_INCOMPATIBLE');
      }
    },
    schemaById: async (id) => {
      try {
        const type = (await client.getSchema(id)) as unknown as {
          schema(options: object): AvroSchema;
        };
        return type.schema({ exportAttrs: true });
      } catch (cause) {
        throw asMillraceError(cause, `schema ${id}`, 'SCHEMA_UNKNOWN');
      }
    },
  };
}

function authOf(basicAuth: string | undefined) {
  if (basicAuth === undefined) return {};
  const cut = basicAuth.indexOf(':');
  return { auth: { username: basicAuth.slice(0, cut), password: basicAuth.slice(cut + 1) } };
}

/** An answer of 4xx is definite; anything else means that nobody answered. */
function asMillraceError(
  cause: unknown,
  what: string,
  definite: 'SCHEMA_INCOMPATIBLE' | 'SCHEMA_UNKNOWN',
): MillraceError {
  const { status, message, name } = cause as { status?: number; message?: string; name?: string };
  const answered = status !== undefined && status >= 400 && status < 500;
  const local = name?.startsWith('ConfluentSchemaRegistry') ?? false;
  const code = answered || local ? definite : 'SCHEMA_REGISTRY_UNAVAILABLE';
  return new MillraceError(code, `${what}: ${message ?? 'no answer'}`, {
    cause,
    hint: 'Check SCHEMA_REGISTRY_URL.',
  });
}
