/** TLS and SASL against a broker of this test's own that insists on them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { systemRandom } from '../../base/random.ts';
import { createCluster } from '../../kafka/cluster.ts';
import { connectorFor, type SaslOptions, type TlsOptions } from '../../kafka/connection.ts';
import { freePort, type KafkaCluster, startKafkaCluster, whyNoKafka } from '../kit/apache-kafka.ts';
import { CertificateAuthority, whyNoOpenssl } from '../kit/certificates.ts';

const deps = { clock: systemClock, random: systemRandom, log: silentLog };
const missing = whyNoKafka() ?? whyNoOpenssl();
if (missing !== undefined) console.log(`SKIPPED: TLS and SASL on Apache Kafka (${missing})`);

const LISTENERS = ['SASL_PLAINTEXT', 'SSL', 'SASL_SSL'] as const;
type Listener = (typeof LISTENERS)[number];

let directory: string;
let kafka: KafkaCluster | undefined;
let ports: Record<Listener, number>;
let authority: CertificateAuthority;

/** Everything that a listener with SASL needs, for all three mechanisms. */
function saslSettings(listener: string): Record<string, string> {
  const prefix = `listener.name.${listener.toLowerCase()}`;
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  return {
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: scram,
    [`${prefix}.plain.sasl.jaas.config`]: `${plain} user_app="app-secret";`,
  };
}

async function startSecured(): Promise<KafkaCluster> {
  authority = new CertificateAuthority(directory, 'authority');
  const broker = authority.issue('broker');
  const keyStore = join(directory, 'broker.pem');
  const trustStore = join(directory, 'authority.pem');
  writeFileSync(keyStore, `${broker.key}${broker.cert}${authority.cert}`);
  writeFileSync(trustStore, authority.cert);
  const [sasl, ssl, both] = [await freePort(), await freePort(), await freePort()];
  ports = { SASL_PLAINTEXT: sasl!, SSL: ssl!, SASL_SSL: both! };
  return startKafkaCluster({
    directory,
    heapMb: 512,
    listeners: ports,
    formatArguments: [
      ...['--add-scram', 'SCRAM-SHA-256=[name=app,password=app-secret]'],
      ...['--add-scram', 'SCRAM-SHA-512=[name=app,password=app-secret]'],
    ],
    settings: {
      'listener.security.protocol.map':
        'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512,PLAIN',
      ...saslSettings('SASL_PLAINTEXT'),
      ...saslSettings('SASL_SSL'),
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keyStore,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': trustStore,
      'listener.name.ssl.ssl.client.auth': 'required',
    },
  });
}

/** Connects twice, to the bootstrap address and to the broker that is advertised, and asks for topics. */
async function reach(
  listener: Listener,
  how: { readonly tls?: TlsOptions; readonly sasl?: SaslOptions },
): Promise<number> {
  const brokers = [{ host: '127.0.0.1', port: ports[listener] }];
  const { connector, bootstrap } = connectorFor(
    { kind: 'tcp', brokers, clientId: 'test', ...how },
    deps,
  );
  const cluster = createCluster({ ...deps, connector, bootstrap, clientId: 'test' });
  try {
    await cluster.refreshMetadata();
    await cluster.features();
    return cluster.brokers().size;
  } finally {
    cluster.close();
  }
}

beforeAll(async () => {
  if (missing !== undefined) return;
  directory = mkdtempSync(join(tmpdir(), 'millrace-security-'));
  kafka = await startSecured();
});

afterAll(async () => {
  await kafka?.stop();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const login = (mechanism: SaslOptions['mechanism'], password = 'app-secret') =>
  ({ mechanism, username: 'app', password }) as const;
const REFUSED = { code: 'KAFKA_AUTHENTICATION' };

describe.skipIf(missing !== undefined)('a broker that insists on', () => {
  test.each(MECHANISMS)('SASL %s lets us in with the right password only', async (mechanism) => {
    expect(await reach('SASL_PLAINTEXT', { sasl: login(mechanism) })).toBe(1);
    const wrong = reach('SASL_PLAINTEXT', { sasl: login(mechanism, 'guessed') });
    await expect(wrong).rejects.toMatchObject(REFUSED);
  });

  test.each(MECHANISMS)('TLS and SASL %s lets us in', async (mechanism) => {
    const tls = { ca: authority.cert };
    expect(await reach('SASL_SSL', { tls, sasl: login(mechanism) })).toBe(1);
  });

  test('a client certificate lets us in with one', async () => {
    const { cert, key } = authority.issue('client');
    expect(await reach('SSL', { tls: { ca: authority.cert, cert, key } })).toBe(1);
  });

  test('a client certificate does not let us in without one', async () => {
    await expect(reach('SSL', { tls: { ca: authority.cert } })).rejects.toThrow();
  });

  test('SASL does not let us in without', async () => {
    await expect(reach('SASL_PLAINTEXT', {})).rejects.toThrow(/Metadata: .*[Cc]losed connection/);
  });
});

describe.skipIf(missing !== undefined)('we do not talk to a broker', () => {
  test('whose certificate nobody we trust has signed', async () => {
    const stranger = new CertificateAuthority(directory, 'stranger');
    const sasl = login('plain');
    await expect(reach('SASL_SSL', { tls: { ca: stranger.cert }, sasl })).rejects.toMatchObject(
      REFUSED,
    );
    await expect(reach('SASL_SSL', { tls: {}, sasl })).rejects.toMatchObject(REFUSED);
  });

  test('whose certificate is for another name', async () => {
    const tls = { ca: authority.cert, serverName: 'elsewhere.example' };
    await expect(reach('SASL_SSL', { tls, sasl: login('plain') })).rejects.toMatchObject(REFUSED);
  });

  test('that does not speak TLS when we insist', async () => {
    const attempt = reach('SASL_PLAINTEXT', { tls: { ca: authority.cert }, sasl: login('plain') });
    await expect(attempt).rejects.toThrow();
  });
});
