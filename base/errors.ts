/**
 * The one error class of the engine and the closed list of its codes.
 * The code is API (documented in docs/errors.md); the message is for people and may change.
 */

/** Every code an error of ours may carry. A new code is documented in docs/errors.md in the same commit. */
export const ERROR_CODES = [
  'CONFIG_INVALID',
  'CONFIG_MISSING',
  'SETTINGS_DIFFER',
  'PORT_TAKEN',
  'STATE_DIR_LOCKED',
  'STATE_DIR_UNUSABLE',
  'KAFKA_UNAVAILABLE',
  'KAFKA_RETRIABLE',
  'KAFKA_ABORTABLE',
  'KAFKA_FENCED',
  'KAFKA_AMBIGUOUS',
  'KAFKA_OFFSET_OUT_OF_RANGE',
  'KAFKA_FATAL',
  'KAFKA_AUTHENTICATION',
  'KAFKA_PROTOCOL',
  'RECORD_CORRUPT',
  'SCHEMA_UNKNOWN',
  'SCHEMA_INCOMPATIBLE',
  'SCHEMA_REGISTRY_UNAVAILABLE',
  'SERIALIZATION',
  'DESERIALIZATION',
  'TOPOLOGY_INVALID',
  'STORE_CORRUPT',
  'STORE_IO',
  'STORE_DISK_FULL',
  'STORE_CLOSED',
  'STORE_UNKNOWN',
  'STATE_UNREADABLE',
  'PARTITIONS_CHANGED',
  'LOG_LOST',
  'TASK_MIGRATED',
  'PROCESSING_FAILED',
  'PROCESSING_STUCK',
  'STREAMS_STATE',
  'QUERY_UNAVAILABLE',
  'QUERY_UNSUPPORTED',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorDetails {
  /** What the reader can do about it, in one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Facts, as plain data, for logs and problem documents. */
  readonly facts?: Readonly<Record<string, string | number | boolean | undefined>>;
}

export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean | undefined>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'MillraceError';
    this.code = code;
    this.hint = details.hint;
    this.facts = details.facts ?? {};
  }
}

/** True when `error` is ours and, if codes are given, carries one of them. */
export function isMillraceError(error: unknown, ...codes: ErrorCode[]): error is MillraceError {
  return error instanceof MillraceError && (codes.length === 0 || codes.includes(error.code));
}
