/**
 * A real Apache Kafka without containers: jars from Maven Central, KRaft in combined mode, one or
 * three nodes as child processes on loopback. Needs Java 17+ and Maven; `whyNoKafka` says what is missing.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const KAFKA_VERSION = '4.3.1';

/** Only to end what hangs: a busy machine starts a JVM slowly. */
const START_WITHIN_MS = 240_000;

const jarsHome = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'millrace',
  `kafka-${KAFKA_VERSION}`,
);

/** undefined when a real Kafka can be started here; else the reason to print beside SKIPPED. */
export function whyNoKafka(): string | undefined {
  if (spawnSync('java', ['-version']).status !== 0) return 'no java on the PATH';
  if (existsSync(join(jarsHome, '.complete'))) return undefined;
  return spawnSync('mvn', ['-v']).status === 0 ? undefined : 'no mvn on the PATH';
}

/** Class path with broker, tools, clients and streams; fetched once. Throws when Maven fails. */
export function kafkaClassPath(): string {
  if (!existsSync(join(jarsHome, '.complete'))) fetchJars();
  return join(jarsHome, 'libs', '*');
}

function fetchJars(): void {
  mkdirSync(jarsHome, { recursive: true });
  const dependency = (group: string, artifact: string, version: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  const kafka = ['kafka_2.13', 'kafka-tools', 'kafka-streams', 'kafka-clients'];
  writeFileSync(
    join(jarsHome, 'pom.xml'),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>kafka</artifactId><version>1</version><dependencies>
${kafka.map((artifact) => dependency('org.apache.kafka', artifact, KAFKA_VERSION)).join('\n')}
${dependency('org.apache.logging.log4j', 'log4j-slf4j-impl', '2.24.3')}
</dependencies></project>\n`,
  );
  const args = ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs'];
  const maven = spawnSync('mvn', args, { cwd: jarsHome, stdio: ['ignore', 'inherit', 'inherit'] });
  if (maven.status !== 0) throw new Error(`mvn ended with ${maven.status}`);
  writeFileSync(join(jarsHome, '.complete'), '');
}

export interface KafkaNode {
  readonly nodeId: number;
  readonly port: number;
  readonly process: () => ChildProcess | undefined;
  /** Starts (again) on the same data and resolves when it answers. */
  start(): Promise<void>;
  /** Sends the signal and resolves when the process has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface KafkaCluster {
  /** `host:port,…` as KAFKA_BROKERS wants it. */
  readonly brokers: string;
  readonly nodes: readonly KafkaNode[];
  stop(): Promise<void>;
}

export interface KafkaClusterOptions {
  readonly directory: string;
  readonly nodeCount?: 1 | 3;
  /** More broker settings, e.g. `transaction.abort.timed.out.transaction.cleanup.interval.ms`. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** e.g. `{ 'transaction.version': 0 }` for transactions V1. */
  readonly features?: Readonly<Record<string, number>>;
  readonly heapMb?: number;
  /** More listeners by name, each with its port (one node only); their security goes into `settings`. */
  readonly listeners?: Readonly<Record<string, number>>;
  /** Listeners whose clients come through a proxy, by name and then by node. */
  readonly proxiedListeners?: Readonly<Record<string, readonly ProxiedListener[]>>;
  /** More arguments for formatting, e.g. `--add-scram`. */
  readonly formatArguments?: readonly string[];
}

export interface ProxiedListener {
  readonly port: number;
  /** Where clients are told that it is. */
  readonly advertisedPort: number;
}

/** Formats and starts a cluster on free ports. */
export async function startKafkaCluster(options: KafkaClusterOptions): Promise<KafkaCluster> {
  const nodeCount = options.nodeCount ?? 1;
  const ports: number[] = [];
  for (let index = 0; index < nodeCount * 2; index++) ports.push(await freePort());
  const voters = Array.from(
    { length: nodeCount },
    (_, index) => `${index + 1}@127.0.0.1:${ports[nodeCount + index]}`,
  );
  const clusterId = randomBytes(16).toString('base64url');
  const nodes = voters.map((_, index) =>
    kafkaNode({
      nodeId: index + 1,
      port: ports[index]!,
      controllerPort: ports[nodeCount + index]!,
      voters: voters.join(','),
      clusterId,
      replication: nodeCount,
      options,
    }),
  );
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    throw error;
  }
  return {
    brokers: nodes.map((node) => `127.0.0.1:${node.port}`).join(','),
    nodes,
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    },
  };
}

interface NodeSpec {
  readonly nodeId: number;
  readonly port: number;
  readonly controllerPort: number;
  readonly voters: string;
  readonly clusterId: string;
  readonly replication: number;
  readonly options: KafkaClusterOptions;
}

function kafkaNode(spec: NodeSpec): KafkaNode {
  const directory = join(spec.options.directory, `node-${spec.nodeId}`);
  const configFile = join(directory, 'server.properties');
  let child: ChildProcess | undefined;

  const format = () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(configFile, serverProperties(spec, directory));
    const features = Object.entries(spec.options.features ?? {}).flatMap(([name, level]) => [
      '--feature',
      `${name}=${level}`,
    ]);
    const args = [
      '-cp',
      kafkaClassPath(),
      'kafka.tools.StorageTool',
      'format',
      `--cluster-id=${spec.clusterId}`,
      '-c',
      configFile,
      ...features,
      ...(spec.options.formatArguments ?? []),
    ];
    const result = spawnSync('java', args, { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`formatting failed: ${result.stdout}${result.stderr}`);
  };

  const start = async () => {
    if (!existsSync(join(directory, 'data'))) format();
    const log = openSync(join(directory, 'kafka.log'), 'a');
    const heap = `${spec.options.heapMb ?? (spec.replication > 1 ? 384 : 1_024)}m`;
    const args = [
      `-Xms${heap}`,
      `-Xmx${heap}`,
      '-XX:+UseSerialGC',
      '-cp',
      kafkaClassPath(),
      'kafka.Kafka',
      configFile,
    ];
    const started = spawn('java', args, { stdio: ['ignore', log, log] });
    child = started;
    const deadlineMs = Date.now() + START_WITHIN_MS;
    while (!(await answers(spec.port))) {
      if (started.exitCode !== null)
        throw new Error(`Kafka ended at start, see ${directory}/kafka.log`);
      if (Date.now() > deadlineMs)
        throw new Error(`Kafka does not answer, see ${directory}/kafka.log`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };

  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    const stopping = child;
    child = undefined;
    if (stopping === undefined || stopping.exitCode !== null || stopping.signalCode !== null)
      return;
    const ended = new Promise((resolve) => stopping.once('exit', resolve));
    stopping.kill(signal);
    await ended;
  };

  return { nodeId: spec.nodeId, port: spec.port, process: () => child, start, stop };
}

function serverProperties(spec: NodeSpec, directory: string): string {
  const replicas = spec.replication;
  const minInSync = Math.min(2, replicas);
  const own = Object.entries({ PLAINTEXT: spec.port, ...spec.options.listeners });
  const proxied = Object.entries(spec.options.proxiedListeners ?? {}).map(
    ([name, nodes]) => [name, nodes[spec.nodeId - 1]!] as const,
  );
  const addresses = (ports: readonly (readonly [name: string, port: number])[]) =>
    ports.map(([name, port]) => `${name}://127.0.0.1:${port}`);
  const bound = addresses([...own, ...proxied.map(([name, { port }]) => [name, port] as const)]);
  const advertised = addresses([
    ...own,
    ...proxied.map(([name, { advertisedPort }]) => [name, advertisedPort] as const),
  ]);
  const plain = ['PLAINTEXT', 'CONTROLLER', ...proxied.map(([name]) => name)];
  const settings: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': spec.nodeId,
    'controller.quorum.voters': spec.voters,
    listeners: `${bound.join(',')},CONTROLLER://127.0.0.1:${spec.controllerPort}`,
    'advertised.listeners': advertised.join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': plain.map((name) => `${name}:PLAINTEXT`).join(','),
    'log.dirs': join(directory, 'data'),
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInSync,
    'group.initial.rebalance.delay.ms': 0,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1_000,
    'auto.create.topics.enable': 'false',
    'broker.session.timeout.ms': 6_000,
    'broker.heartbeat.interval.ms': 1_000,
    ...spec.options.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** Below those that systems give to whoever connects: nobody else comes by one of these by chance. */
const PORT_MIN = 10_000;
const PORT_MAX = 32_000;

/** A port that was free a moment ago, on loopback. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
