/**
 * Configuration: read once from the environment, checked, frozen, passed down. A value may come from
 * a file: NAME_FILE. settings.ts says what there is.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { MillraceError } from '../../base/errors.ts';
import type { KafkaConnection } from '../../kafka/connection.ts';
import {
  describeSettings,
  type HostAndPort,
  isSettingName,
  parseSetting,
  SETTINGS,
  type SettingName,
  type SettingValues,
  settingText,
} from './settings.ts';

export type AppConfig = SettingValues;

const OUR_PREFIXES =
  /^(KAFKA|SCHEMA_REGISTRY|EMBEDDED|STREAMS|TICKETS|HTTP|QUERY|PRODUCE|PEER|SHUTDOWN|AUTH|FESTIVAL)_/;
/** Prefixed like ours but meant for others: proxies, images. */
const NOT_OURS = new Set(['HTTP_PROXY', 'KAFKA_VERSION', 'KAFKA_HOME', 'KAFKA_OPTS']);

const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(hostInUrl(host)) || /^127(\.\d{1,3}){3}$/.test(host);
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface ConfigResult {
  readonly config: AppConfig;
  /** Names that look like ours but are not known: most likely typing errors. */
  readonly unknownNames: readonly string[];
}

/** Throws CONFIG_INVALID naming every wrong setting. */
export function readConfig(env: Environment): ConfigResult {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const setting = parseSetting(name, textOf(name, env, problems));
    values[name] = setting.value;
    problems.push(...setting.problems.map((problem) => `${name}: ${problem}`));
  }
  if (problems.length === 0) problems.push(...contradictions(values as AppConfig));
  if (problems.length > 0) {
    throw new MillraceError('CONFIG_INVALID', `configuration: ${problems.join('; ')}`, {
      hint: 'docs/configuration.md lists every setting.',
    });
  }
  return { config: Object.freeze(values) as AppConfig, unknownNames: unknownNames(env) };
}

/** An empty value counts as none: that is how compose files and shells unset. */
function textOf(name: SettingName, env: Environment, problems: string[]): string | undefined {
  const direct = env[name] === '' ? undefined : env[name];
  const file = env[`${name}_FILE`] ?? '';
  if (file === '') return direct;
  if (direct !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set`);
    return undefined;
  }
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    problems.push(`${name}_FILE: cannot read ${file} (${(cause as NodeJS.ErrnoException).code})`);
    return undefined;
  }
}

function contradictions(config: AppConfig): string[] {
  const protocol = config.KAFKA_SECURITY_PROTOCOL;
  const isSasl = protocol.startsWith('SASL_');
  const isTls = protocol.endsWith('SSL');
  const set = (...names: SettingName[]) => names.filter((name) => config[name] !== undefined);
  const sasl = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
  const jwt = ['AUTH_JWKS_URL', 'AUTH_ISSUER', 'AUTH_AUDIENCE'] as const;
  const provider = [
    'PAYMENT_PROVIDER_URL',
    'PAYMENT_PROVIDER_SECRET',
    'PAYMENT_CALLBACK_SECRETS',
  ] as const;
  const files = [
    'KAFKA_SSL_CA_LOCATION',
    'KAFKA_SSL_CERTIFICATE_LOCATION',
    'KAFKA_SSL_KEY_LOCATION',
  ] as const;
  const rules: readonly (readonly [isBroken: boolean, problem: string])[] = [
    [
      isSasl && set(...sasl).length < sasl.length,
      `${sasl.join(', ')} are required with ${protocol}`,
    ],
    [
      !isSasl && set(...sasl).length > 0,
      `${set(...sasl).join(', ')} have no effect with ${protocol}`,
    ],
    [
      !isTls && set(...files).length > 0,
      `${set(...files).join(', ')} have no effect with ${protocol}`,
    ],
    [
      set('KAFKA_SSL_CERTIFICATE_LOCATION', 'KAFKA_SSL_KEY_LOCATION').length === 1,
      'KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION go together',
    ],
    [
      config.KAFKA_BROKERS === undefined && protocol !== 'PLAINTEXT',
      'KAFKA_SECURITY_PROTOCOL needs KAFKA_BROKERS: the embedded broker speaks PLAINTEXT',
    ],
    [
      config.KAFKA_BROKERS !== undefined && config.EMBEDDED_ADVERTISED !== undefined,
      'EMBEDDED_ADVERTISED has no effect with KAFKA_BROKERS',
    ],
    [
      !isLoopback(config.HTTP_HOST) && config.AUTH === undefined,
      `HTTP_HOST ${config.HTTP_HOST} is open to other machines and nobody has to log in: set AUTH=jwt, or say AUTH=none if a proxy or the network decides who gets there, or set HTTP_HOST=127.0.0.1`,
    ],
    [
      config.AUTH === 'jwt' && set(...jwt).length < jwt.length,
      `${jwt.join(', ')} are required with AUTH=jwt`,
    ],
    [
      config.AUTH !== 'jwt' && set(...jwt).length > 0,
      `${set(...jwt).join(', ')} have no effect without AUTH=jwt`,
    ],
    [
      config.AUTH === 'jwt' && config.TICKETS_DEMO === true && config.MILLRACE_TOKEN === undefined,
      'TICKETS_DEMO needs MILLRACE_TOKEN, of an operator, with AUTH=jwt',
    ],
    [
      config.STREAMS_TRANSACTION_TIMEOUT_MS >= config.STREAMS_SESSION_TIMEOUT_MS,
      'STREAMS_TRANSACTION_TIMEOUT_MS must be below STREAMS_SESSION_TIMEOUT_MS',
    ],
    [
      config.PAYMENTS === 'http' && set(...provider).length < provider.length,
      `${provider.join(', ')} are required with PAYMENTS=http`,
    ],
    [
      config.NOTIFICATIONS === 'smtp' && config.SMTP_URL === undefined,
      'SMTP_URL is required with NOTIFICATIONS=smtp',
    ],
    [
      config.NOTIFICATIONS === 'webhooks' && config.WEBHOOK_URLS === undefined,
      'WEBHOOK_URLS is required with NOTIFICATIONS=webhooks',
    ],
    [
      config.WEBHOOK_URLS !== undefined && config.WEBHOOK_SECRETS === undefined,
      'WEBHOOK_SECRETS is required with WEBHOOK_URLS',
    ],
    [
      config.WEBHOOK_URLS !== undefined && config.NOTIFICATIONS === 'off',
      'WEBHOOK_URLS has no effect with NOTIFICATIONS=off',
    ],
    [
      config.SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO !== undefined &&
        config.SCHEMA_REGISTRY_URL === undefined,
      'SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO needs SCHEMA_REGISTRY_URL',
    ],
  ];
  return rules.filter(([isBroken]) => isBroken).map(([, problem]) => problem);
}

function unknownNames(env: Environment): string[] {
  return Object.keys(env).filter(
    (name) =>
      OUR_PREFIXES.test(name) && !NOT_OURS.has(name) && !isSettingName(name.replace(/_FILE$/, '')),
  );
}

/** The effective settings as they would stand in the environment, secrets blotted out. */
export function redacted(config: AppConfig): Readonly<Record<SettingName, string>> {
  const texts = describeSettings().map(({ name, isSecret }) => {
    const text = settingText(config[name]);
    return [name, isSecret && text !== '' ? '***' : text];
  });
  return Object.fromEntries(texts) as Record<SettingName, string>;
}

/** Host and port that this instance tells the others. */
export function applicationServer(config: AppConfig): HostAndPort {
  if (config.STREAMS_APPLICATION_SERVER !== undefined) return config.STREAMS_APPLICATION_SERVER;
  const { HTTP_HOST: host, HTTP_PORT: port } = config;
  if (host === '0.0.0.0' || host === '::') return { host: hostname(), port };
  return { host: hostInUrl(host), port };
}

/** What decides how records are read, or what is made of them: the same in all instances. */
export function agreedSettings(config: AppConfig): Readonly<Record<string, string>> {
  const festival = config.FESTIVAL_EVENT;
  return {
    TICKETS_ORDERS: config.TICKETS_ORDERS ?? 'on',
    TICKETS_INTAKE: config.TICKETS_INTAKE ?? 'on',
    FESTIVAL_EVENT: festival ?? '',
    ...(festival === undefined
      ? {}
      : { FESTIVAL_INVENTORY_TOPIC: config.FESTIVAL_INVENTORY_TOPIC }),
  };
}

/** An address as it stands in a URL: IPv6 in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
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
