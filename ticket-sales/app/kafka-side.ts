/** Where Kafka is: started here, or somewhere outside. */
import type { Log } from '../../base/log.ts';
import {
  type EmbeddedBroker,
  startEmbeddedBroker,
} from '../../embedded-kafka/server/embedded-broker.ts';
import type { KafkaConnection } from '../../kafka/connection.ts';
import { type AppConfig, outsideKafka } from './config.ts';
import type { Stops } from './stops.ts';

export interface KafkaSide {
  readonly brokers: string;
  readonly isEmbedded: boolean;
  /** A connection of one's own, for each thread that asks. */
  readonly connect: () => KafkaConnection;
  readonly failed: Promise<Error>;
}

/** The embedded broker, or an outside Kafka; `stops` gets what is to be undone. */
export async function reachKafka(config: AppConfig, log: Log, stops: Stops): Promise<KafkaSide> {
  if (config.KAFKA_BROKERS !== undefined) {
    const connection = outsideKafka(config);
    return {
      brokers: connection.brokers.map(({ host, port }) => `${host}:${port}`).join(','),
      isEmbedded: false,
      connect: () => connection,
      failed: new Promise(() => {}),
    };
  }
  const broker: EmbeddedBroker = await startEmbeddedBroker({
    dataDirectory: config.EMBEDDED_DATA_DIR,
    listen: config.EMBEDDED_LISTEN,
    advertised: config.EMBEDDED_ADVERTISED ?? null,
    config: {},
    log,
  });
  stops.add('broker', () => broker.stop());
  const { host, port } = broker.address ?? config.EMBEDDED_LISTEN;
  return {
    brokers: `${host}:${port}`,
    isEmbedded: true,
    connect: () => broker.connectionFor(config.KAFKA_CLIENT_ID),
    failed: new Promise((resolve) => broker.onExit(resolve)),
  };
}
