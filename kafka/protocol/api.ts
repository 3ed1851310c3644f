/**
 * What a protocol message is: plain data, one definition per API and version range, giving both
 * directions, so that the client and the embedded broker share it.
 *
 * Conventions. Messages and fields are named as in Kafka's own message definitions, in camelCase
 * (`transactionalId`, `topics[].partitions[].partitionIndex` …), and exist in the type whatever the
 * version: a field that a version does not have is skipped when writing and gets Kafka's default
 * when reading. Optional in the written value: every field that has a default.
 *   int8..int32 -> number     int64 -> number (RECORD: throws KAFKA_PROTOCOL beyond 2^53)
 *   string -> string, nullable -> string|null   bytes, records -> Buffer (a view into the frame), nullable -> null
 *   array -> T[], nullable -> null              uuid -> 32 hex digits (ZERO_UUID when absent)
 *   bool -> boolean                             tagged fields -> ordinary fields; unknown tags are skipped
 */
import type { Schema } from './schema.ts';

export interface Api<Request, Response> {
  readonly key: number;
  readonly name: string;
  /** The versions that our definitions cover, both inclusive. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /** First version with compact encodings and tagged fields (header v2/v1); Infinity when none has. */
  readonly flexibleFrom: number;
  /** `Request` is what its sender writes; the broker's side of it is Infer<typeof api.request>. */
  readonly request: Schema<unknown, Request>;
  /** `Response` is what its receiver reads; the broker's side of it is Written<typeof api.response>. */
  readonly response: Schema<Response, never>;
}

export const ZERO_UUID = '00000000000000000000000000000000';
