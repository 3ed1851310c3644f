/**
 * Every setting: what it means, what is allowed, its default. config.ts reads them; the command
 * line, docs/configuration.md and .env.example are made from this table. The only file that names
 * zod.
 */
import { z } from 'zod';
import { isPeerEntry } from '../../interactive-queries/peer-addresses.ts';
import { ID_PATTERN } from '../domain/zone.ts';

const ID_ALLOWED = '1 to 64 of A-Z a-z 0-9 . _ ~ -';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .meta({ allowed: `${min} to ${max}` });

const port = whole(0, 65_535).meta({ allowed: '0 to 65535; 0 = any free one' });

const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  z.enum(values, `must be one of ${values.join(', ')}`).meta({ allowed: values.join(', ') });

const flag = oneOf('true', 'false', '1', '0').transform((text) => text === 'true' || text === '1');

const text = z.string();

const matching = (pattern: RegExp, allowed: string) =>
  z.string().regex(pattern, `must be ${allowed}`).meta({ allowed });

const address = matching(/^(?:[^\s:/,[\]@]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/, 'host:port').transform(
  (value, context): HostAndPort => {
    const cut = value.lastIndexOf(':');
    const number = Number(value.slice(cut + 1));
    if (number > 65_535) context.addIssue('the port must be at most 65535');
    return { host: value.slice(0, cut), port: number };
  },
);

const listed = <T extends z.ZodType<unknown, string>>(item: T) =>
  z
    .string()
    .transform((value) => value.split(',').map((part) => part.trim()))
    .pipe(z.array(item));

export const SETTINGS = {
  KAFKA_BROKERS: {
    about: 'Kafka brokers. Unset: the embedded broker.',
    allowed: 'host:port, several separated by commas',
    schema: listed(address).optional(),
  },
  KAFKA_CLIENT_ID: { about: 'Client id told to the brokers.', schema: text.default('millrace') },
  KAFKA_SECURITY_PROTOCOL: {
    about: 'How to talk to the brokers.',
    schema: oneOf('PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL').default('PLAINTEXT'),
  },
  KAFKA_SASL_MECHANISM: {
    about: 'How to authenticate, with SASL_PLAINTEXT or SASL_SSL.',
    schema: oneOf('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512').optional(),
  },
  KAFKA_SASL_USERNAME: { about: 'SASL user.', schema: text.optional() },
  KAFKA_SASL_PASSWORD: { about: 'SASL password.', schema: text.optional(), secret: true },
  KAFKA_SSL_CA_LOCATION: {
    about: 'PEM file of the certificate authority, with SSL or SASL_SSL.',
    schema: text.optional(),
  },
  KAFKA_SSL_CERTIFICATE_LOCATION: {
    about: 'PEM file of our certificate (mTLS).',
    schema: text.optional(),
  },
  KAFKA_SSL_KEY_LOCATION: { about: 'PEM file of our key (mTLS).', schema: text.optional() },
  KAFKA_SSL_KEY_PASSWORD: {
    about: 'Passphrase of that key.',
    schema: text.optional(),
    secret: true,
  },
  KAFKA_COMPRESSION_TYPE: {
    about: 'Compression of what is produced.',
    schema: oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd').default('none'),
  },
  SCHEMA_REGISTRY_URL: {
    about: 'Confluent-compatible registry. Unset: the embedded one, on the topic _schemas.',
    allowed: 'http:// or https:// URL',
    schema: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  },
  SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO: {
    about: 'Credentials for that registry.',
    schema: matching(/^[^:]+:.*$/s, 'user:password').optional(),
    secret: true,
  },
  EMBEDDED_DATA_DIR: {
    about: "Folder of the embedded broker's data.",
    schema: text.default('.millrace/kafka'),
  },
  EMBEDDED_LISTEN: {
    about: 'Where the embedded broker listens for other clients.',
    schema: address.default({ host: '127.0.0.1', port: 9_092 }),
  },
  EMBEDDED_ADVERTISED: {
    about:
      "Where those clients find it, when they cannot at the address they dialled first: behind NAT, or a container's published port. Unset: that address.",
    schema: address.optional(),
  },
  EMBEDDED_REGISTRY_HOST: {
    about: 'Address the embedded schema registry listens on.',
    schema: text.default('127.0.0.1'),
  },
  EMBEDDED_REGISTRY_PORT: {
    about: 'Port of the embedded schema registry.',
    schema: port.default(8_081),
  },
  STREAMS_APPLICATION_ID: {
    about: 'Names the group, the internal topics and the state.',
    schema: matching(/^[A-Za-z0-9._-]{1,100}$/, '1 to 100 of A-Z a-z 0-9 . _ -').default(
      'ticket-sales',
    ),
  },
  STREAMS_APPLICATION_SERVER: {
    about:
      'Where other instances reach this one. Unset: HTTP_HOST (or the host name, where that is all addresses) and HTTP_PORT.',
    schema: address.optional(),
  },
  STREAMS_STATE_DIR: {
    about: 'Folder of the local state. One per instance.',
    schema: text.default('.millrace/state'),
  },
  STREAMS_NUM_STREAM_THREADS: {
    about: 'Worker threads; 0 = everything in one loop.',
    schema: whole(0, 64).default(1),
  },
  STREAMS_NUM_STANDBY_REPLICAS: {
    about: 'Copies of the state on other instances.',
    schema: whole(0, 5).default(0),
  },
  STREAMS_PROCESSING_GUARANTEE: {
    about: 'What a crash may do to what was processed.',
    schema: oneOf('exactly_once_v2', 'at_least_once').default('exactly_once_v2'),
  },
  STREAMS_COMMIT_INTERVAL_MS: {
    about: 'Longest time between commits, ms.',
    schema: whole(1, 60_000).default(100),
  },
  STREAMS_TRANSACTION_TIMEOUT_MS: {
    about: 'The broker aborts a transaction after this, ms.',
    schema: whole(1_000, 900_000).default(5_000),
  },
  STREAMS_SESSION_TIMEOUT_MS: {
    about: 'A silent instance is given up after this, ms.',
    schema: whole(1_000, 1_800_000).default(10_000),
  },
  STREAMS_GROUP_INSTANCE_ID: {
    about: 'Static membership: a restart within the session keeps its partitions.',
    schema: matching(/^[A-Za-z0-9._-]{1,200}$/, '1 to 200 of A-Z a-z 0-9 . _ -').optional(),
  },
  STREAMS_REPLICATION_FACTOR: {
    about: 'Of the topics that are created; -1 = the default of the cluster.',
    schema: whole(-1, 10).default(-1),
  },
  TICKETS_PARTITIONS: {
    about: 'Partitions of the topics that are created. Fixed for the life of an application id.',
    schema: whole(1, 1_024).default(8),
  },
  TICKETS_ORDERS: {
    about:
      'Take orders of several lines, all or nothing: docs/orders.md. The same in every process of an application. Unset: on.',
    schema: oneOf('on', 'off').optional(),
  },
  TICKETS_INTAKE: {
    about:
      'Serve events for registered customers only, or with a limit per customer: docs/intake.md. The same in every process of an application. Unset: on.',
    schema: oneOf('on', 'off').optional(),
  },
  TICKETS_DEMO: {
    about: 'Create a demo event at the start. Unset: with the embedded broker only.',
    allowed: 'true, false, 1, 0',
    schema: flag.optional(),
  },
  FESTIVAL_EVENT: {
    about:
      'The event that is sold as Festival_Ticket_Sales_API, too: docs/how-to/festival.md. The same in all instances. Unset: that API is off.',
    allowed: ID_ALLOWED,
    schema: matching(new RegExp(ID_PATTERN), ID_ALLOWED).optional(),
  },
  FESTIVAL_BASE_PATH: {
    about: 'Where that API is served. Not at /v1, which is ours.',
    schema: matching(
      /^(?!\/v1(?:\/|$))(?:\/[A-Za-z0-9._~-]{1,64}){1,8}$/,
      'a path like /festival/v1, and not /v1 or below it',
    ).default('/festival/v1'),
  },
  FESTIVAL_PUBLIC_URL: {
    about:
      'Where its clients find it, base path and all. Unset: the Host they ask, where that is this instance; else STREAMS_APPLICATION_SERVER.',
    allowed: 'http:// or https:// URL',
    schema: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  },
  FESTIVAL_INVENTORY_TOPIC: {
    about: "Topic of the festival's own inventory records.",
    schema: matching(/^[A-Za-z0-9._-]{1,249}$/, '1 to 249 of A-Z a-z 0-9 . _ -').default(
      'festivalInventoryUpdated',
    ),
  },
  FESTIVAL_REQUESTS_PER_SECOND: {
    about:
      'Purchases that one client (of a token, else of an address) may ask of that API, per second and instance, twice as many at once; more are 429. 0 = any number: for a proxy that counts itself.',
    schema: whole(0, 100_000).default(50),
  },
  FESTIVAL_PAYMENT_WAIT_MS: {
    about:
      'How long a payment of the festival that overtook its purchase waits for it, ms of log time, before it is a dead letter.',
    schema: whole(0, 86_400_000).default(600_000),
  },
  PAYMENTS: {
    about:
      'Who answers requests for payments: docs/how-to/payment-provider.md. Unset: simulated with the embedded broker, else off (then `millrace payments`, or a service of your own).',
    schema: oneOf('simulated', 'http', 'off').optional(),
  },
  PAYMENT_PROVIDER_URL: {
    about: 'Where payments and refunds are asked for, with PAYMENTS=http.',
    allowed: 'http:// or https:// URL',
    schema: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  },
  PAYMENT_PROVIDER_SECRET: {
    about: 'Signs what we ask there.',
    allowed: 'at least 16 characters',
    schema: text.min(16, 'must have at least 16 characters').optional(),
    secret: true,
  },
  PAYMENT_CALLBACK_SECRETS: {
    about:
      'What providers sign their callbacks with; several while one is being changed. Unset: POST /v1/payments answers 503.',
    allowed: 'at least 16 characters each, several separated by commas',
    schema: listed(text.min(16, 'must have at least 16 characters each')).optional(),
    secret: true,
  },
  PAYMENT_SIM_SEED: {
    about: 'Of the simulated provider: the same seed answers the same purchases the same.',
    schema: whole(0, 2_147_483_647).default(1),
  },
  PAYMENT_SIM_DELAY_MS: {
    about: 'Mean time until it answers, ms.',
    schema: whole(0, 600_000).default(1_000),
  },
  PAYMENT_SIM_DECLINED_PERCENT: {
    about: 'Payments that it declines.',
    schema: whole(0, 100).default(0),
  },
  PAYMENT_SIM_LATE_PERCENT: {
    about: 'Payments that it tells of only after the hold is over.',
    schema: whole(0, 100).default(0),
  },
  PAYMENT_SIM_DOUBLED_PERCENT: {
    about: 'Payments that it tells of twice.',
    schema: whole(0, 100).default(0),
  },
  PAYMENT_SIM_LOST_PERCENT: {
    about: 'Payments that it never tells of.',
    schema: whole(0, 100).default(0),
  },
  NOTIFICATIONS: {
    about:
      'How buyers hear of their purchases: docs/how-to/notifications.md. Unset: log with the embedded broker, else off (then `millrace notifications`).',
    schema: oneOf('log', 'file', 'smtp', 'webhooks', 'off').optional(),
  },
  NOTIFICATION_FILE: {
    about: 'Where mails are written, with NOTIFICATIONS=file.',
    schema: text.default('.millrace/mails.ndjson'),
  },
  NOTIFICATION_ATTEMPTS_MAX: {
    about: 'Attempts at a mail or a webhook before it becomes a dead letter.',
    schema: whole(1, 1_000).default(12),
  },
  NOTIFICATION_TIMEOUT_MS: {
    about: 'Longest time that a mail server or a webhook may be silent, ms.',
    schema: whole(100, 300_000).default(10_000),
  },
  SMTP_URL: {
    about: 'Mail server, with NOTIFICATIONS=smtp.',
    allowed: 'smtp://user:password@host:port or smtps://…',
    schema: z.url({ protocol: /^smtps?$/, error: 'must be an smtp(s) URL' }).optional(),
    secret: true,
  },
  MAIL_FROM: { about: 'Sender of mails.', schema: text.default('Tickets <tickets@localhost>') },
  MAIL_TO_TEMPLATE: {
    about: "A buyer's address.",
    allowed: 'with {buyerId} in it',
    schema: text
      .refine((value) => value.includes('{buyerId}'), 'must have {buyerId} in it')
      .default('{buyerId}@example.org'),
  },
  MAIL_IN_DOUBT: {
    about:
      'A mail that may have been sent when the process ended: put aside, or sent again with the same Message-ID.',
    schema: oneOf('dead-letter', 'resend').default('dead-letter'),
  },
  WEBHOOK_URLS: {
    about: 'Notifications are also posted there.',
    allowed: 'http:// or https:// URLs, several separated by commas',
    schema: listed(z.url({ protocol: /^https?$/, error: 'must be http(s) URLs' })).optional(),
    secret: true,
  },
  WEBHOOK_SECRETS: {
    about: 'What webhooks are signed with; several while one is being changed.',
    allowed: 'at least 16 characters each, several separated by commas',
    schema: listed(text.min(16, 'must have at least 16 characters each')).optional(),
    secret: true,
  },
  TICKETS_BUYER_QUERIES: {
    about:
      'Whether purchases are indexed by buyer, for GET /v1/purchases: costs a second read of every outcome.',
    schema: oneOf('on', 'off').default('on'),
  },
  TICKETS_SALES_BUCKET_MS: {
    about: 'How long each stretch of the sales over time is, ms of log time.',
    schema: whole(1_000, 86_400_000)
      .refine((ms) => 86_400_000 % ms === 0, 'must divide a day')
      .meta({ allowed: '1000 to 86400000, a divisor of a day' })
      .default(60_000),
  },
  TICKETS_SALES_RETENTION_MS: {
    about: 'How long a stretch of the sales over time is kept after its last change, ms.',
    schema: whole(60_000, 315_360_000_000).default(2_592_000_000),
  },
  HTTP_HOST: { about: 'Address the API listens on.', schema: text.default('127.0.0.1') },
  AUTH: {
    about:
      'Who may use the API: docs/security.md. none = everybody who reaches it; jwt = who has a token. Must be said where HTTP_HOST is not loopback.',
    schema: oneOf('none', 'jwt').optional(),
  },
  AUTH_JWKS_URL: {
    about: 'Public keys of the issuer (a JSON Web Key Set), with AUTH=jwt.',
    allowed: 'https://, http:// or file:// URL',
    schema: z
      .url({ protocol: /^(https?|file)$/, error: 'must be an http(s) or file URL' })
      .refine((url) => !/^[^/]*\/\/[^/]*@/.test(url), 'must not have a password in it')
      .optional(),
  },
  AUTH_ISSUER: { about: 'What `iss` of a token must be, with AUTH=jwt.', schema: text.optional() },
  AUTH_AUDIENCE: {
    about: 'What `aud` of a token must be or contain, with AUTH=jwt.',
    schema: text.optional(),
  },
  AUTH_ROLES_CLAIM: {
    about:
      'Claim with the roles (buyer, operator, admin), or the way to it: realm_access.roles for Keycloak.',
    schema: text.default('roles'),
  },
  MILLRACE_TOKEN: {
    about: 'Token with which our own programs (demo event, rush) speak to the API; an operator.',
    schema: text.optional(),
    secret: true,
  },
  HTTP_PORT: { about: 'Port of the API.', schema: port.default(8_080) },
  SERVICE_HTTP_PORT: {
    about:
      'Port of /livez, /readyz and /metrics of a service in a process of its own (`millrace payments`, `millrace notifications`), on HTTP_HOST. Unset: none.',
    schema: port.optional(),
  },
  HTTP_BODY_LIMIT: {
    about: 'Largest request body, bytes.',
    schema: whole(256, 1_048_576).default(16_384),
  },
  SSE_MAX_CLIENTS: {
    about: 'Streams of server-sent events that may be open at once.',
    schema: whole(0, 100_000).default(1_000),
  },
  QUERY_TIMEOUT_MS: {
    about: 'Longest time a query waits for another instance or a position, ms.',
    schema: whole(10, 60_000).default(2_000),
  },
  PRODUCE_TIMEOUT_MS: {
    about: 'Longest time a command waits for its acknowledgement, ms.',
    schema: whole(100, 600_000).default(10_000),
  },
  PEER_TOKEN: {
    about: 'Shared secret between instances.',
    allowed: 'at least 16 characters',
    schema: text.min(16, 'must have at least 16 characters').optional(),
    secret: true,
  },
  PEER_ALLOW: {
    about:
      'Where other instances may be. Unset: the host of STREAMS_APPLICATION_SERVER, or all of loopback if that is there.',
    allowed: 'host, host:port, *.domain or *.domain:port, several separated by commas',
    schema: listed(text.refine(isPeerEntry, 'must be host, host:port or *.domain')).optional(),
  },
  SHUTDOWN_GRACE_MS: {
    about: 'Longest time for an orderly stop, ms.',
    schema: whole(0, 600_000).default(10_000),
  },
  LOG_LEVEL: {
    about: 'From which level on events are logged.',
    schema: oneOf('debug', 'info', 'warn', 'error').default('warn'),
  },
} as const satisfies Record<string, Setting>;

interface Setting {
  readonly about: string;
  readonly schema: z.ZodType<unknown, string | undefined>;
  /** Where the schema does not tell it. */
  readonly allowed?: string;
  readonly secret?: true;
}

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;
export type SettingValues = {
  readonly [Name in SettingName]: z.output<Settings[Name]['schema']>;
};

/** A setting as people read of it. */
export interface SettingDescription {
  readonly name: SettingName;
  readonly about: string;
  /** '' = any text. */
  readonly allowed: string;
  /** As it would stand in the environment; '' = none. */
  readonly defaultText: string;
  readonly isSecret: boolean;
}

/** Reads one setting. `problems` are complete sentences but for the name. */
export function parseSetting(
  name: SettingName,
  value: string | undefined,
): { readonly value: unknown; readonly problems: readonly string[] } {
  const result = SETTINGS[name].schema.safeParse(value);
  if (result.success) return { value: result.data, problems: [] };
  return { value: undefined, problems: result.error.issues.map(({ message }) => message) };
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

export function describeSettings(): readonly SettingDescription[] {
  return Object.entries<Setting>(SETTINGS).map(([name, setting]) => ({
    name: name as SettingName,
    about: setting.about,
    allowed: setting.allowed ?? allowedBy(setting.schema),
    defaultText: settingText(parseSetting(name as SettingName, undefined).value),
    isSecret: setting.secret === true,
  }));
}

/** A value as it would stand in the environment. */
export function settingText(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map(settingText).join(',');
  if (typeof value !== 'object' || value === null) return String(value);
  const { host, port: number } = value as HostAndPort;
  return `${host}:${number}`;
}

/** What the schema below defaults and transformations says. */
function allowedBy(schema: z.ZodType): string {
  const { allowed } = (schema.meta() ?? {}) as { allowed?: string };
  if (allowed !== undefined) return allowed;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return allowedBy(schema.unwrap() as z.ZodType);
  }
  return schema instanceof z.ZodPipe ? allowedBy(schema.in as z.ZodType) : '';
}
