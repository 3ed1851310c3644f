/** Where schemas are registered: at a registry outside, or at one of our own over Kafka. */
import { systemClock } from '../../base/clock.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { KafkaClient } from '../../kafka/ports.ts';
import {
  type RegistryServer,
  startRegistryServer,
} from '../../schemas/registry/registry-server.ts';
import { SchemaRegistryService } from '../../schemas/registry/schema-registry-service.ts';
import type { SchemaRegistry } from '../../schemas/schema-registry.ts';
import type { AppHooks } from './app.ts';
import type { AppConfig } from './config.ts';
import { createSchemasTopic, kafkaSchemaLog, SCHEMAS_TOPIC } from './kafka-schema-log.ts';
import type { Stops } from './stops.ts';

export interface RegistrySide {
  readonly url: string;
  readonly registry: SchemaRegistry;
}

/** An outside registry, or one of our own over the log of schemas, served to others by HTTP. */
export async function reachRegistry(
  config: AppConfig,
  kafka: KafkaClient,
  log: Log,
  hooks: AppHooks,
  stops: Stops,
): Promise<RegistrySide> {
  const unserved = await reachUnservedRegistry(config, kafka, log, hooks, stops);
  if (unserved.service === undefined) return unserved;
  const server: RegistryServer = await startRegistryServer(
    unserved.service,
    config.EMBEDDED_REGISTRY_HOST,
    config.EMBEDDED_REGISTRY_PORT,
  );
  stops.add('registry server', () => server.close());
  return { url: server.url, registry: unserved.registry };
}

/** The same for a process that nobody asks for schemas. `service` is there where it is our own. */
export async function reachUnservedRegistry(
  config: AppConfig,
  kafka: KafkaClient,
  log: Log,
  hooks: AppHooks,
  stops: Stops,
): Promise<RegistrySide & { readonly service?: SchemaRegistryService }> {
  const outside = config.SCHEMA_REGISTRY_URL;
  if (outside !== undefined) {
    const basicAuth = config.SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO;
    // Its library takes a tenth of a second to load, and most starts have a registry of their own.
    const { confluentRegistryClient } = await import('../../schemas/confluent-registry-client.ts');
    const registry = confluentRegistryClient({
      url: outside,
      ...(basicAuth === undefined ? {} : { basicAuth }),
    });
    return { url: outside, registry };
  }
  await createSchemasTopic(kafka, config.STREAMS_REPLICATION_FACTOR);
  const producer = kafka.producer({
    deliveryTimeoutMs: config.PRODUCE_TIMEOUT_MS,
    lingerMs: 0,
    compression: 'none',
  });
  stops.add('registry producer', () => producer.close());
  const service = new SchemaRegistryService(kafkaSchemaLog(kafka, producer, log));
  stops.add('registry', () => service.close());
  hooks.onWaiting('the schemas to be read');
  await service.start();
  return { url: `the topic ${SCHEMAS_TOPIC}`, registry: service, service };
}

/** A registry that is away is waited for, visibly; one that refuses stops the start. */
export async function waitForRegistry(
  hooks: AppHooks,
  url: string,
  attempt: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const away = error instanceof MillraceError && error.code === 'SCHEMA_REGISTRY_UNAVAILABLE';
      if (!away || hooks.signal.aborted) throw error;
      hooks.onWaiting(`the schema registry at ${url}: ${error.message}`);
      await systemClock.sleep(1_000, hooks.signal);
    }
  }
}
