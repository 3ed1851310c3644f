/**
 * Configuration: read once from the environment, checked, frozen, passed down. Defaults stand beside
 * name, unit and meaning; `millrace config` and docs/configuration.md are made from this table.
 * A value may come from a file: NAME_FILE.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { MillraceError } from '../base/errors.ts';
import { isPeerEntry } from '../interactive-queries/peer-addresses.ts';
import type { KafkaConnection } from '../kafka/connection.ts';

const port = z.coerce.number().int().min(0).max(65_535);
const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const flag = z
  .enum(['true', 'false', '1', '0'])
  .transform((text) => text === 'true' || text === '1');
const address = z
  .string()
  .regex(/^[^\s:/,]+:\d{1,5}$/, 'must be host:port')
  .transform((text) => {
    const cut = text.lastIndexOf(':');
    return { host: text.slice(0, cut), port: Number(text.slice(cut + 1)) };
  });

const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/** Every setting: what it means, for the reference, and how it is read. */
export const SETTINGS = {
  KAFKA_BROKERS: {
    about: 'Kafka brokers, host:port separated by commas. Unset: the embedded broker.',
    schema: z
      .string()
      .transform((text) => text.split(',').map((part) => part.trim()))
      .pipe(z.array(address).min(1))
      .optional(),
  },
  KAFKA_CLIENT_ID: {
    about: 'Client id told to the brokers.',
    schema: z.string().min(1).default('millrace'),
  },
  KAFKA_SECURITY_PROTOCOL: {
    about: 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.',
    schema: z.enum(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']).default('PLAINTEXT'),
  },
  KAFKA_SASL_MECHANISM: {
    about: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.',
    schema: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']).optional(),
  },
  KAFKA_SASL_USERNAME: { about: 'SASL user.', schema: z.string().min(1).optional() },
  KAFKA_SASL_PASSWORD: {
    about: 'SASL password.',
    schema: z.string().min(1).optional(),
    secret: true,
  },
  KAFKA_SSL_CA_LOCATION: {
    about: 'PEM file of the certificate authority.',
    schema: z.string().optional(),
  },
  KAFKA_SSL_CERTIFICATE_LOCATION: {
    about: 'PEM file of our certificate (mTLS).',
    schema: z.string().optional(),
  },
  KAFKA_SSL_KEY_LOCATION: { about: 'PEM file of our key (mTLS).', schema: z.string().optional() },
  KAFKA_SSL_KEY_PASSWORD: {
    about: 'Passphrase of that key.',
    schema: z.string().optional(),
    secret: true,
  },
  KAFKA_COMPRESSION_TYPE: {
    about: 'Compression of what is produced: none, gzip, snappy, lz4 or zstd.',
    schema: z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).default('none'),
  },
  SCHEMA_REGISTRY_URL: {
    about: 'Confluent-compatible registry. Unset: the embedded one, on the topic _schemas.',
    schema: z.url({ protocol: /^https?$/ }).optional(),
  },
  SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO: {
    about: 'user:password for the registry.',
    schema: z
      .string()
      .regex(/^[^:]+:.*$/, 'must be user:password')
      .optional(),
    secret: true,
  },
  EMBEDDED_DATA_DIR: {
    about: "Folder of the embedded broker's data.",
    schema: z.string().min(1).default('.millrace/kafka'),
  },
  EMBEDDED_LISTEN: {
    about: 'Where the embedded broker listens for other clients, host:port.',
    schema: address.default({ host: '127.0.0.1', port: 9092 }),
  },
  EMBEDDED_REGISTRY_PORT: {
    about: 'Port of the embedded schema registry.',
    schema: port.default(8081),
  },
  EMBEDDED_REGISTRY_HOST: {
    about: 'Address the embedded schema registry listens on.',
    schema: z.string().min(1).default('127.0.0.1'),
  },
  STREAMS_APPLICATION_ID: {
    about: 'Names the group, the internal topics and the state.',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 of A-Z a-z 0-9 . _ -')
      .default('ticket-sales'),
  },
  STREAMS_APPLICATION_SERVER: {
    about:
      'host:port by which other instances reach this one. Default: HTTP_HOST (or the host name) and HTTP_PORT.',
    schema: address.optional(),
  },
  STREAMS_STATE_DIR: {
    about: 'Folder of the local state. One per instance.',
    schema: z.string().min(1).default('.millrace/state'),
  },
  STREAMS_NUM_STREAM_THREADS: {
    about: 'Worker threads; 0 = everything in one loop.',
    schema: count(0, 64).default(1),
  },
  STREAMS_NUM_STANDBY_REPLICAS: {
    about: 'Copies of the state on other instances.',
    schema: count(0, 5).default(0),
  },
  STREAMS_PROCESSING_GUARANTEE: {
    about: 'exactly_once_v2 or at_least_once.',
    schema: z.enum(['exactly_once_v2', 'at_least_once']).default('exactly_once_v2'),
  },
  STREAMS_COMMIT_INTERVAL_MS: {
    about: 'Longest time between commits, ms.',
    schema: count(1, 60_000).default(100),
  },
  STREAMS_TRANSACTION_TIMEOUT_MS: {
    about: 'Transaction timeout, ms.',
    schema: count(1_000, 900_000).default(5_000),
  },
  STREAMS_SESSION_TIMEOUT_MS: {
    about: 'A silent instance is given up after this, ms.',
    schema: count(1_000, 1_800_000).default(10_000),
  },
  STREAMS_GROUP_INSTANCE_ID: {
    about: 'Static membership: a restart within the session keeps its partitions.',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,200}$/)
      .optional(),
  },
  STREAMS_REPLICATION_FACTOR: {
    about: 'Of the topics that are created; -1 = the default of the cluster.',
    schema: count(-1, 10).default(-1),
  },
  TICKETS_PARTITIONS: {
    about: 'Partitions of the topics that are created. Fixed for the life of an application id.',
    schema: count(1, 1_024).default(8),
  },
  TICKETS_DEMO: {
    about: 'Create a demo event at the start. Default: with the embedded broker only.',
    schema: flag.optional(),
  },
  HTTP_HOST: {
    about: 'Address the API listens on.',
    schema: z.string().min(1).default('127.0.0.1'),
  },
  HTTP_PORT: { about: 'Port of the API.', schema: port.default(8080) },
  HTTP_BODY_LIMIT: {
    about: 'Largest request body, bytes.',
    schema: count(256, 1_048_576).default(16_384),
  },
  QUERY_TIMEOUT_MS: {
    about: 'Longest time a query waits for another instance, ms.',
    schema: count(10, 60_000).default(2_000),
  },
  PRODUCE_TIMEOUT_MS: {
    about: 'Longest time a command waits for its acknowledgement, ms.',
    schema: count(100, 600_000).default(10_000),
  },
  PEER_TOKEN: {
    about: 'Shared secret between instances.',
    schema: z.string().min(16).optional(),
    secret: true,
  },
  PEER_ALLOW: {
    about:
      'Where other instances may be, separated by commas: host, host:port, *.domain or *.domain:port. Default: the host of STREAMS_APPLICATION_SERVER, or all of loopback if that is there.',
    schema: z
      .string()
      .transform((text) => text.split(',').map((part) => part.trim()))
      .pipe(z.array(z.string().refine(isPeerEntry, 'must be host, host:port or *.domain')))
      .optional(),
  },
  SHUTDOWN_GRACE_MS: {
    about: 'Longest time for an orderly stop, ms.',
    schema: count(0, 600_000).default(10_000),
  },
  LOG_LEVEL: {
    about: 'debug, info, warn or error.',
    schema: z.enum(['debug', 'info', 'warn', 'error']).default('warn'),
  },
} as const satisfies Record<string, { about: string; schema: z.ZodType; secret?: boolean }>;

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;
export type AppConfig = { readonly [Name in SettingName]: z.output<Settings[Name]['schema']> };

const OUR_PREFIXES = /^(KAFKA|SCHEMA_REGISTRY|EMBEDDED|STREAMS|TICKETS|HTTP|QUERY|PEER)_/;
/** Prefixed like ours but meant for others: proxies, images. */
const NOT_OURS = new Set(['HTTP_PROXY', 'KAFKA_VERSION', 'KAFKA_HOME']);

export interface ConfigResult {
  readonly config: AppConfig;
  /** Names that look like ours but are not known: most likely typing errors. */
  readonly unknownNames: readonly string[];
}

/** Throws CONFIG_INVALID naming every wrong setting. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ConfigResult {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const result = setting.schema.safeParse(textOf(name, env, problems));
    if (result.success) values[name] = result.data;
    else for (const issue of result.error.issues) problems.push(`${name}: ${issue.message}`);
  }
  if (problems.length === 0) problems.push(...contradictions(values as AppConfig));
  if (problems.length > 0) {
    throw new MillraceError('CONFIG_INVALID', `configuration: ${problems.join('; ')}`, {
      hint: 'docs/configuration.md lists every setting.',
    });
  }
  return { config: Object.freeze(values) as AppConfig, unknownNames: unknownNames(env) };
}

function textOf(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): string | undefined {
  const direct = env[name];
  if (direct !== undefined && direct !== '') return direct;
  const file = env[`${name}_FILE`];
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    problems.push(`${name}_FILE: cannot read ${file} (${(cause as NodeJS.ErrnoException).code})`);
    return undefined;
  }
}

function contradictions(config: AppConfig): string[] {
  const problems: string[] = [];
  const sasl = config.KAFKA_SECURITY_PROTOCOL.startsWith('SASL_');
  if (sasl && config.KAFKA_SASL_MECHANISM === undefined) {
    problems.push('KAFKA_SASL_MECHANISM is required with KAFKA_SECURITY_PROTOCOL=SASL_…');
  }
  if (
    sasl &&
    (config.KAFKA_SASL_USERNAME === undefined || config.KAFKA_SASL_PASSWORD === undefined)
  ) {
    problems.push('KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD are required with SASL');
  }
  if (config.KAFKA_BROKERS === undefined && config.KAFKA_SECURITY_PROTOCOL !== 'PLAINTEXT') {
    problems.push(
      'KAFKA_SECURITY_PROTOCOL needs KAFKA_BROKERS: the embedded broker speaks PLAINTEXT',
    );
  }
  if (config.STREAMS_TRANSACTION_TIMEOUT_MS >= config.STREAMS_SESSION_TIMEOUT_MS) {
    problems.push('STREAMS_TRANSACTION_TIMEOUT_MS must be below STREAMS_SESSION_TIMEOUT_MS');
  }
  return problems;
}

function unknownNames(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env).filter(
    (name) =>
      OUR_PREFIXES.test(name) && !NOT_OURS.has(name) && !(name.replace(/_FILE$/, '') in SETTINGS),
  );
}

/** The effective settings, secrets blotted out. */
export function redacted(config: AppConfig): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(SETTINGS).map(([name, setting]) => {
      const value = config[name as SettingName];
      return [name, 'secret' in setting && value !== undefined ? '***' : value];
    }),
  );
}

/** Host and port that this instance tells the others. */
export function applicationServer(config: AppConfig): {
  readonly host: string;
  readonly port: number;
} {
  if (config.STREAMS_APPLICATION_SERVER !== undefined) return config.STREAMS_APPLICATION_SERVER;
  const everywhere = config.HTTP_HOST === '0.0.0.0' || config.HTTP_HOST === '::';
  return { host: everywhere ? hostname() : config.HTTP_HOST, port: config.HTTP_PORT };
}

/** Where other instances may be, as PeerAddresses takes it. Default: where we are ourselves. */
export function peerEntries(config: AppConfig, self: { readonly host: string }): readonly string[] {
  if (config.PEER_ALLOW !== undefined) return config.PEER_ALLOW;
  return LOOPBACK.includes(self.host) ? LOOPBACK : [self.host];
}

/** How to reach an outside Kafka. Throws CONFIG_INVALID when a file that is named cannot be read. */
export function outsideKafka(config: AppConfig): Extract<KafkaConnection, { kind: 'tcp' }> {
  const protocol = config.KAFKA_SECURITY_PROTOCOL;
  return {
    kind: 'tcp',
    brokers: config.KAFKA_BROKERS ?? [],
    clientId: config.KAFKA_CLIENT_ID,
    ...(protocol.endsWith('SSL') ? { tls: tlsOptions(config) } : {}),
    ...(protocol.startsWith('SASL_') ? { sasl: saslOptions(config) } : {}),
  };
}

function saslOptions(config: AppConfig) {
  return {
    mechanism: (config.KAFKA_SASL_MECHANISM ?? 'PLAIN').toLowerCase() as
      | 'plain'
      | 'scram-sha-256'
      | 'scram-sha-512',
    username: config.KAFKA_SASL_USERNAME ?? '',
    password: config.KAFKA_SASL_PASSWORD ?? '',
  };
}

function tlsOptions(config: AppConfig) {
  const pem = (
    name: 'KAFKA_SSL_CA_LOCATION' | 'KAFKA_SSL_CERTIFICATE_LOCATION' | 'KAFKA_SSL_KEY_LOCATION',
  ) => {
    const path = config[name];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      throw new MillraceError('CONFIG_INVALID', `${name}: cannot read ${path}`, { cause });
    }
  };
  const parts = {
    ca: pem('KAFKA_SSL_CA_LOCATION'),
    cert: pem('KAFKA_SSL_CERTIFICATE_LOCATION'),
    key: pem('KAFKA_SSL_KEY_LOCATION'),
    passphrase: config.KAFKA_SSL_KEY_PASSWORD,
  };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}
