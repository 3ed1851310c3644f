/** A process that runs one instance of a test topology until SIGTERM. Tells its state on stdout. */
import { KafkaStreams } from '../../../runtime/kafka-streams.ts';
import type { StreamsOptions } from '../../../runtime/streams-config.ts';
import type { TestTopics } from './topologies.ts';

interface ChildStart {
  readonly brokers: string;
  readonly config: StreamsOptions;
  readonly topology: string;
  readonly topics: TestTopics;
}

const { brokers, config, topology, topics }: ChildStart = JSON.parse(process.argv[2]!);
const [host, port] = brokers.split(':');
const streams = new KafkaStreams({
  config,
  topology: { module: new URL('./topologies.ts', import.meta.url), export: topology, args: topics },
  connection: { kind: 'tcp', brokers: [{ host: host!, port: Number(port) }], clientId: 'child' },
});
streams.onStateChange((state) => console.log(state));
process.once('SIGTERM', () => void streams.close().then(() => process.exit(0)));
await streams.start();
