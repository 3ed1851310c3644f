import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isMillraceError } from '../../../base/errors.ts';
import {
  applicationServer,
  outsideKafka,
  peerEntries,
  readConfig,
  redacted,
} from '../../../ticket-sales/app/config.ts';
import { describeSettings, type SettingName } from '../../../ticket-sales/app/settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

type Environment = Readonly<Record<string, string>>;

const configOf = (env: Environment) => readConfig(env).config;

function problemsOf(env: Environment): string {
  try {
    readConfig(env);
  } catch (error) {
    expect(isMillraceError(error, 'CONFIG_INVALID')).toBe(true);
    expect(error).toHaveProperty('hint', expect.stringContaining('docs/configuration.md'));
    return (error as Error).message;
  }
  throw new Error('nothing was wrong');
}

const JWT = {
  AUTH: 'jwt',
  AUTH_JWKS_URL: 'https://issuer.test/keys',
  AUTH_ISSUER: 'https://issuer.test',
  AUTH_AUDIENCE: 'tickets',
};
const SASL = {
  KAFKA_BROKERS: 'a:9092',
  KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
  KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
  KAFKA_SASL_USERNAME: 'me',
  KAFKA_SASL_PASSWORD: 'secret',
};

describe('the configuration', () => {
  test('of an empty environment is all defaults: loopback, embedded, exactly once', () => {
    const { config, unknownNames } = readConfig({});
    expect(config).toMatchObject({
      KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT',
      EMBEDDED_LISTEN: { host: '127.0.0.1', port: 9092 },
      EMBEDDED_REGISTRY_HOST: '127.0.0.1',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 8080,
      STREAMS_PROCESSING_GUARANTEE: 'exactly_once_v2',
    });
    expect(config.KAFKA_BROKERS).toBeUndefined();
    expect(unknownNames).toEqual([]);
    expect(Object.isFrozen(config)).toBe(true);
  });

  /** One sound and one wrong value of each setting. */
  const VALUES: Readonly<
    Record<SettingName, readonly [good: string, means: unknown, bad: string | null]>
  > = {
    KAFKA_BROKERS: [
      'a:1, b:2',
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      'a',
    ],
    KAFKA_CLIENT_ID: ['me', 'me', null],
    KAFKA_SECURITY_PROTOCOL: ['PLAINTEXT', 'PLAINTEXT', 'plaintext'],
    KAFKA_SASL_MECHANISM: ['PLAIN', 'PLAIN', 'GSSAPI'],
    KAFKA_SASL_USERNAME: ['me', 'me', null],
    KAFKA_SASL_PASSWORD: [' p ', ' p ', null],
    KAFKA_SSL_CA_LOCATION: ['/ca', '/ca', null],
    KAFKA_SSL_CERTIFICATE_LOCATION: ['/cert', '/cert', null],
    KAFKA_SSL_KEY_LOCATION: ['/key', '/key', null],
    KAFKA_SSL_KEY_PASSWORD: ['p', 'p', null],
    KAFKA_COMPRESSION_TYPE: ['zstd', 'zstd', 'brotli'],
    SCHEMA_REGISTRY_URL: ['https://r:8081/x', 'https://r:8081/x', 'ftp://r'],
    SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO: ['u:p:q', 'u:p:q', 'u'],
    EMBEDDED_DATA_DIR: ['/data', '/data', null],
    EMBEDDED_LISTEN: ['[::1]:0', { host: '[::1]', port: 0 }, 'a:65536'],
    EMBEDDED_ADVERTISED: ['broker.test:19092', { host: 'broker.test', port: 19_092 }, 'broker'],
    EMBEDDED_REGISTRY_HOST: ['0.0.0.0', '0.0.0.0', null],
    EMBEDDED_REGISTRY_PORT: ['0', 0, '65536'],
    STREAMS_APPLICATION_ID: ['my.app-1_x', 'my.app-1_x', 'my app'],
    STREAMS_APPLICATION_SERVER: ['pod-1.svc:80', { host: 'pod-1.svc', port: 80 }, 'user@host:80'],
    STREAMS_STATE_DIR: ['/state', '/state', null],
    STREAMS_NUM_STREAM_THREADS: ['0', 0, '65'],
    STREAMS_NUM_STANDBY_REPLICAS: ['2', 2, '-1'],
    STREAMS_PROCESSING_GUARANTEE: ['at_least_once', 'at_least_once', 'exactly_once'],
    STREAMS_COMMIT_INTERVAL_MS: ['1', 1, '0'],
    STREAMS_TRANSACTION_TIMEOUT_MS: ['1000', 1000, '1e4'],
    STREAMS_SESSION_TIMEOUT_MS: ['6000', 6000, '6s'],
    STREAMS_GROUP_INSTANCE_ID: ['pod-1', 'pod-1', 'pod 1'],
    STREAMS_REPLICATION_FACTOR: ['-1', -1, '-2'],
    TICKETS_PARTITIONS: ['1024', 1024, '0'],
    TICKETS_ORDERS: ['on', 'on', 'yes'],
    TICKETS_INTAKE: ['off', 'off', 'no'],
    TICKETS_DEMO: ['0', false, 'yes'],
    TICKETS_BUYER_QUERIES: ['off', 'off', 'maybe'],
    TICKETS_SALES_BUCKET_MS: ['5000', 5_000, '7000'],
    TICKETS_SALES_RETENTION_MS: ['60000', 60_000, '59999'],
    FESTIVAL_EVENT: ['gala', 'gala', 'the gala'],
    FESTIVAL_BASE_PATH: ['/festival/v2', '/festival/v2', '/v1'],
    FESTIVAL_PUBLIC_URL: ['https://fest.test/v1', 'https://fest.test/v1', 'fest.test'],
    FESTIVAL_INVENTORY_TOPIC: ['inventory.festival', 'inventory.festival', 'a topic'],
    FESTIVAL_REQUESTS_PER_SECOND: ['0', 0, '-1'],
    FESTIVAL_PAYMENT_WAIT_MS: ['0', 0, '1m'],
    PAYMENTS: ['simulated', 'simulated', 'paypal'],
    PAYMENT_PROVIDER_URL: ['https://pay.test/x', 'https://pay.test/x', 'pay.test'],
    PAYMENT_PROVIDER_SECRET: ['0123456789abcdef', '0123456789abcdef', 'short'],
    PAYMENT_CALLBACK_SECRETS: [
      '0123456789abcdef, fedcba9876543210',
      ['0123456789abcdef', 'fedcba9876543210'],
      '0123456789abcdef,short',
    ],
    PAYMENT_SIM_SEED: ['7', 7, '-1'],
    PAYMENT_SIM_DELAY_MS: ['0', 0, '1s'],
    PAYMENT_SIM_DECLINED_PERCENT: ['100', 100, '101'],
    PAYMENT_SIM_LATE_PERCENT: ['5', 5, '5%'],
    PAYMENT_SIM_DOUBLED_PERCENT: ['5', 5, '-5'],
    PAYMENT_SIM_LOST_PERCENT: ['5', 5, '0.5'],
    NOTIFICATIONS: ['log', 'log', 'sms'],
    NOTIFICATION_FILE: ['/mails', '/mails', null],
    NOTIFICATION_ATTEMPTS_MAX: ['1', 1, '0'],
    NOTIFICATION_TIMEOUT_MS: ['100', 100, '99'],
    SMTP_URL: ['smtps://u:p@mail.test:465', 'smtps://u:p@mail.test:465', 'https://mail.test'],
    MAIL_FROM: ['Box Office <box@fest.test>', 'Box Office <box@fest.test>', null],
    MAIL_TO_TEMPLATE: ['{buyerId}@fest.test', '{buyerId}@fest.test', 'all@fest.test'],
    MAIL_IN_DOUBT: ['resend', 'resend', 'forget'],
    WEBHOOK_URLS: [
      'https://a.test/x, http://b.test',
      ['https://a.test/x', 'http://b.test'],
      'https://a.test,b.test',
    ],
    WEBHOOK_SECRETS: ['0123456789abcdef', ['0123456789abcdef'], 'short'],
    HTTP_HOST: ['0.0.0.0', '0.0.0.0', null],
    AUTH: ['none', 'none', 'nobody'],
    AUTH_JWKS_URL: ['file:///keys.json', 'file:///keys.json', 'https://u:p@issuer.test/keys'],
    AUTH_ISSUER: ['https://issuer.test', 'https://issuer.test', null],
    AUTH_AUDIENCE: ['tickets', 'tickets', null],
    AUTH_ROLES_CLAIM: ['realm_access.roles', 'realm_access.roles', null],
    MILLRACE_TOKEN: ['a.b.c', 'a.b.c', null],
    HTTP_PORT: ['65535', 65535, '8080.5'],
    SERVICE_HTTP_PORT: ['8090', 8_090, '-1'],
    HTTP_BODY_LIMIT: ['256', 256, '0x100'],
    SSE_MAX_CLIENTS: ['5', 5, '-1'],
    QUERY_TIMEOUT_MS: ['10', 10, '9'],
    PRODUCE_TIMEOUT_MS: ['100', 100, ' 100'],
    PEER_TOKEN: ['0123456789abcdef', '0123456789abcdef', 'short'],
    PEER_ALLOW: ['a, *.svc:80', ['a', '*.svc:80'], 'http://a'],
    SHUTDOWN_GRACE_MS: ['0', 0, ''.padEnd(20, '9')],
    LOG_LEVEL: ['debug', 'debug', 'trace'],
  };

  test.each(Object.entries(VALUES))(
    '%s is read, or refused by its name',
    (name, [good, means, bad]) => {
      const around = name.startsWith('KAFKA_SASL')
        ? SASL
        : name.startsWith('KAFKA_SSL')
          ? { ...SASL, KAFKA_SSL_CERTIFICATE_LOCATION: '/cert', KAFKA_SSL_KEY_LOCATION: '/key' }
          : name.startsWith('SCHEMA')
            ? { SCHEMA_REGISTRY_URL: 'http://r' }
            : name === 'HTTP_HOST'
              ? { AUTH: 'none' }
              : name.startsWith('AUTH_')
                ? JWT
                : name === 'WEBHOOK_URLS'
                  ? { WEBHOOK_SECRETS: '0123456789abcdef' }
                  : {};
      expect(configOf({ ...around, [name]: good })[name as SettingName]).toEqual(means);
      if (bad !== null) expect(problemsOf({ ...around, [name]: bad })).toContain(`${name}: `);
    },
  );

  test('has no setting that the list above forgets', () => {
    expect(
      describeSettings()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(VALUES).sort());
  });

  test('names every wrong setting at once', () => {
    const message = problemsOf({ HTTP_PORT: 'x', LOG_LEVEL: 'loud', TICKETS_PARTITIONS: '0' });
    expect(message).toContain('HTTP_PORT: must be a whole number');
    expect(message).toContain('LOG_LEVEL: must be one of debug, info, warn, error');
    expect(message).toContain('TICKETS_PARTITIONS: must be at least 1');
  });

  test('takes an empty value for none', () => {
    expect(configOf({ HTTP_PORT: '', KAFKA_BROKERS: '', PEER_TOKEN_FILE: '' })).toEqual(
      configOf({}),
    );
  });

  test('takes a value from a file, without the line end', () => {
    const path = file('token', 'a-secret-of-many-letters\n');
    expect(configOf({ PEER_TOKEN_FILE: path }).PEER_TOKEN).toBe('a-secret-of-many-letters');
  });

  test('refuses a file that cannot be read, and a value beside a file', () => {
    expect(problemsOf({ PEER_TOKEN_FILE: '/nowhere' })).toContain(
      'PEER_TOKEN_FILE: cannot read /nowhere (ENOENT)',
    );
    const both = { PEER_TOKEN: 'a-secret-of-many-letters', PEER_TOKEN_FILE: file('other', 'x') };
    expect(problemsOf(both)).toContain('PEER_TOKEN and PEER_TOKEN_FILE are both set');
  });

  test('warns of names that only look like ours', () => {
    const { unknownNames } = readConfig({
      KAFKA_BROKER: 'a:1',
      HTTP_PROT: '1',
      STREAMS_STATE_DIRECTORY: '/x',
      PEER_TOKENS_FILE: '/x',
      HTTP_PROXY: 'http://proxy',
      PATH: '/bin',
      LOG_LEVEL: 'warn',
      constructor: 'x',
    });
    expect(unknownNames).toEqual([
      'KAFKA_BROKER',
      'HTTP_PROT',
      'STREAMS_STATE_DIRECTORY',
      'PEER_TOKENS_FILE',
    ]);
  });
});

describe('settings that contradict each other are refused', () => {
  test.each<[string, Environment, string]>([
    [
      'SASL without credentials',
      { ...SASL, KAFKA_SASL_PASSWORD: '' },
      'are required with SASL_SSL',
    ],
    [
      'credentials without SASL',
      { KAFKA_BROKERS: 'a:1', KAFKA_SASL_USERNAME: 'me' },
      'KAFKA_SASL_USERNAME have no effect',
    ],
    [
      'certificates without TLS',
      { KAFKA_BROKERS: 'a:1', KAFKA_SSL_CA_LOCATION: '/ca' },
      'KAFKA_SSL_CA_LOCATION have no effect',
    ],
    [
      'a certificate without its key',
      { ...SASL, KAFKA_SSL_CERTIFICATE_LOCATION: '/c' },
      'go together',
    ],
    ['security for the embedded broker', { KAFKA_SECURITY_PROTOCOL: 'SSL' }, 'needs KAFKA_BROKERS'],
    [
      'a transaction longer than a session',
      { STREAMS_TRANSACTION_TIMEOUT_MS: '10000' },
      'must be below',
    ],
    [
      'tokens without their issuer',
      { AUTH: 'jwt', AUTH_ISSUER: 'https://issuer.test' },
      'AUTH_JWKS_URL, AUTH_ISSUER, AUTH_AUDIENCE are required with AUTH=jwt',
    ],
    ['an issuer that nobody asks', { ...JWT, AUTH: '' }, 'have no effect without AUTH=jwt'],
    ['a demo that nobody may make', { ...JWT, TICKETS_DEMO: '1' }, 'TICKETS_DEMO needs'],
    [
      'registry credentials without a registry',
      { SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO: 'a:b' },
      'needs SCHEMA_REGISTRY_URL',
    ],
  ])('%s', (_, env, why) => {
    expect(problemsOf(env)).toContain(why);
  });
});

describe('what follows from it', () => {
  test('secrets are never printed', () => {
    const texts = redacted(
      configOf({ ...SASL, PEER_TOKEN: 'a-secret-of-many-letters', MILLRACE_TOKEN: 'secret' }),
    );
    expect(texts).toMatchObject({
      KAFKA_BROKERS: 'a:9092',
      KAFKA_SASL_USERNAME: 'me',
      KAFKA_SASL_PASSWORD: '***',
      PEER_TOKEN: '***',
      MILLRACE_TOKEN: '***',
      KAFKA_SSL_KEY_PASSWORD: '',
    });
    expect(JSON.stringify(texts)).not.toMatch(/secret/);
  });

  test.each<[Environment, string]>([
    [{}, '127.0.0.1:8080'],
    [{ AUTH: 'none', HTTP_HOST: '0.0.0.0', HTTP_PORT: '81' }, `${hostname()}:81`],
    [{ AUTH: 'none', HTTP_HOST: '::' }, `${hostname()}:8080`],
    [{ HTTP_HOST: '::1' }, '[::1]:8080'],
    [{ AUTH: 'none', HTTP_HOST: '0.0.0.0', STREAMS_APPLICATION_SERVER: 'pod-1:80' }, 'pod-1:80'],
  ])('%j is reached by others at %s', (env, expected) => {
    const { host, port } = applicationServer(configOf(env));
    expect(`${host}:${port}`).toBe(expected);
  });

  test.each(['0.0.0.0', '::', '10.0.0.7', 'tickets.test', '127.0.0.1.test'])(
    'an API at %s, open to other machines, has to be meant so',
    (host) => {
      expect(problemsOf({ HTTP_HOST: host })).toMatch(/HTTP_HOST .* open .*AUTH=none/);
      for (const meant of [{ AUTH: 'none' }, JWT]) {
        expect(configOf({ HTTP_HOST: host, ...meant }).HTTP_HOST).toBe(host);
      }
    },
  );

  test.each(['127.0.0.1', '127.8.0.1', 'localhost', '::1'])(
    'an API at %s, on loopback, needs nothing said',
    (host) => {
      expect(configOf({ HTTP_HOST: host }).AUTH).toBeUndefined();
    },
  );

  test('peers are where we are, unless it is said where', () => {
    expect(peerEntries(configOf({}), { host: '127.0.0.1' })).toEqual([
      '127.0.0.1',
      'localhost',
      '[::1]',
    ]);
    expect(peerEntries(configOf({}), { host: 'pod-1' })).toEqual(['pod-1']);
    expect(peerEntries(configOf({ PEER_ALLOW: '*.svc' }), { host: 'pod-1' })).toEqual(['*.svc']);
  });

  test('an outside Kafka is reached as it is said: plain, TLS, SASL', () => {
    const [ca, cert, key] = [file('ca', 'CA'), file('cert', 'CERT'), file('key', 'KEY')];
    expect(outsideKafka(configOf({ KAFKA_BROKERS: 'a:1,b:2' }))).toEqual({
      kind: 'tcp',
      brokers: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
      clientId: 'millrace',
    });
    const secured = {
      ...SASL,
      KAFKA_SSL_CA_LOCATION: ca,
      KAFKA_SSL_CERTIFICATE_LOCATION: cert,
      KAFKA_SSL_KEY_LOCATION: key,
      KAFKA_SSL_KEY_PASSWORD: 'p',
    };
    expect(outsideKafka(configOf(secured))).toMatchObject({
      tls: { ca: 'CA', cert: 'CERT', key: 'KEY', passphrase: 'p' },
      sasl: { mechanism: 'scram-sha-512', username: 'me', password: 'secret' },
    });
    const missing = configOf({ ...SASL, KAFKA_SSL_CA_LOCATION: '/nowhere' });
    expect(() => outsideKafka(missing)).toThrow('KAFKA_SSL_CA_LOCATION: cannot read /nowhere');
  });
});
