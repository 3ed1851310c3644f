/** What users of the engine import: the one reviewed list. */

export type { Clock } from './base/clock.ts';
export { ERROR_CODES, type ErrorCode, isMillraceError, MillraceError } from './base/errors.ts';
export type { Log } from './base/log.ts';
export {
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
  startEmbeddedBroker,
} from './embedded-kafka/server/embedded-broker.ts';
export type { QueryableStreams, StreamsState } from './interactive-queries/queryable-streams.ts';
export type { KafkaConnection } from './kafka/connection.ts';
// A Kafka client and a broker of one's own
export { createKafkaClient } from './kafka/kafka-client.ts';
export type {
  Admin,
  Fetcher,
  KafkaClient,
  Producer,
  TransactionalProducer,
} from './kafka/ports.ts';
// Running
export { KafkaStreams, type KafkaStreamsOptions } from './runtime/kafka-streams.ts';
export type { StreamsConfig, StreamsOptions } from './runtime/streams-config.ts';
export type { TopologyModule } from './runtime/topology-module.ts';
export { type AvroSerdeOptions, avroSerde } from './schemas/avro-serde.ts';
export { confluentRegistryClient } from './schemas/confluent-registry-client.ts';
export type { AvroSchema, SchemaRegistry } from './schemas/schema-registry.ts';
// Bytes <-> values
export type { Serde } from './schemas/serde.ts';
export {
  bigInt64Serde,
  booleanSerde,
  bytesSerde,
  doubleSerde,
  floatSerde,
  int16Serde,
  int32Serde,
  int64Serde,
  jsonSerde,
  stringSerde,
  uuidSerde,
} from './schemas/serdes.ts';
// State
export type { KeyValueStore, ReadOnlyKeyValueStore, StoreSpec } from './stores/state-store.ts';
export type { KGroupedStream } from './topology/dsl/kgrouped-stream.ts';
export type { KGroupedTable } from './topology/dsl/kgrouped-table.ts';
export type { KStream } from './topology/dsl/kstream.ts';
export type { KTable } from './topology/dsl/ktable.ts';
export type {
  Processor,
  ProcessorContext,
  ProcessorSupplier,
  PunctuationType,
  Punctuator,
  RecordMetadata,
  StreamPartitioner,
  StreamRecord,
  TimestampExtractor,
} from './topology/processor.ts';
// Topologies
export { StreamsBuilder, type StreamsBuilderOptions } from './topology/streams-builder.ts';
export type { BuiltTopology } from './topology/sub-topology.ts';
export { Topology } from './topology/topology.ts';
