/**
 * Topic configuration: Kafka's names, defaults and bounds as one table, the typed view that the
 * broker works with, and validation. What this broker cannot honour is refused. Hints about file
 * handling (segment.jitter.ms, segment.index.bytes, preallocate, flush.*, file.delete.delay.ms) are
 * taken and need nothing done: every append is flushed, and files are small and removed at once.
 * As in Kafka, min.insync.replicas never asks for more replicas than the topic has: one.
 */

type ConfigType =
  | { readonly kind: 'integer'; readonly min: number; readonly max?: number }
  | { readonly kind: 'ratio' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'list'; readonly values: readonly string[] }
  | { readonly kind: 'choice'; readonly values: readonly string[] };

export interface ConfigDefinition {
  readonly name: string;
  readonly defaultValue: string;
  readonly type: ConfigType;
}

const LONG_MAX = '9223372036854775807';
const INT_MAX = 2_147_483_647;

const integer = (min: number, max?: number): ConfigType =>
  max === undefined ? { kind: 'integer', min } : { kind: 'integer', min, max };

/** By name. `segment.bytes` below 1 MiB, which Kafka 4 refuses, stays possible for tests. */
export const TOPIC_CONFIGS: ReadonlyMap<string, ConfigDefinition> = new Map(
  (
    [
      ['cleanup.policy', 'delete', { kind: 'list', values: ['delete', 'compact'] }],
      ['compression.type', 'producer', { kind: 'choice', values: ['producer'] }],
      ['delete.retention.ms', '86400000', integer(0)],
      ['file.delete.delay.ms', '60000', integer(0)],
      ['flush.messages', LONG_MAX, integer(1)],
      ['flush.ms', LONG_MAX, integer(0)],
      ['index.interval.bytes', '4096', integer(0, INT_MAX)],
      ['max.compaction.lag.ms', LONG_MAX, integer(1)],
      ['max.message.bytes', '1048588', integer(0, INT_MAX)],
      ['message.timestamp.after.max.ms', '3600000', integer(0)],
      ['message.timestamp.before.max.ms', LONG_MAX, integer(0)],
      [
        'message.timestamp.type',
        'CreateTime',
        { kind: 'choice', values: ['CreateTime', 'LogAppendTime'] },
      ],
      ['min.cleanable.dirty.ratio', '0.5', { kind: 'ratio' }],
      ['min.compaction.lag.ms', '0', integer(0)],
      ['min.insync.replicas', '1', integer(1, INT_MAX)],
      ['preallocate', 'false', { kind: 'boolean' }],
      ['retention.bytes', '-1', integer(-1)],
      ['retention.ms', '604800000', integer(-1)],
      ['segment.bytes', '1073741824', integer(1024, INT_MAX)],
      ['segment.index.bytes', '10485760', integer(4, INT_MAX)],
      ['segment.jitter.ms', '0', integer(0)],
      ['segment.ms', '604800000', integer(1)],
      ['unclean.leader.election.enable', 'false', { kind: 'boolean' }],
    ] as const
  ).map(([name, defaultValue, type]) => [name, { name, defaultValue, type }]),
);

/** The effective configuration, with units in the names. */
export interface TopicConfig {
  readonly isDeleted: boolean;
  readonly isCompacted: boolean;
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly indexIntervalBytes: number;
  /** Infinity = no bound. */
  readonly retentionBytes: number;
  readonly retentionMs: number;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly deleteRetentionMs: number;
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
}

/** Overrides must be valid (see refuseConfig). */
export function effectiveConfig(overrides: ReadonlyMap<string, string>): TopicConfig {
  const text = (name: string) => overrides.get(name) ?? TOPIC_CONFIGS.get(name)!.defaultValue;
  const number = (name: string) => Number(text(name));
  const bound = (name: string) => (number(name) < 0 ? Number.POSITIVE_INFINITY : number(name));
  const policies = listOf(text('cleanup.policy'));
  const maxCompactionLagMs = number('max.compaction.lag.ms');
  const isCompacted = policies.includes('compact');
  return {
    isDeleted: policies.includes('delete'),
    isCompacted,
    maxMessageBytes: number('max.message.bytes'),
    segmentBytes: number('segment.bytes'),
    // What must be compacted within a time must leave the active segment within it.
    segmentMs: isCompacted
      ? Math.min(number('segment.ms'), maxCompactionLagMs)
      : number('segment.ms'),
    indexIntervalBytes: number('index.interval.bytes'),
    retentionBytes: bound('retention.bytes'),
    retentionMs: bound('retention.ms'),
    timestampType:
      text('message.timestamp.type') === 'LogAppendTime' ? 'LogAppendTime' : 'CreateTime',
    timestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    timestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    deleteRetentionMs: number('delete.retention.ms'),
    minCleanableDirtyRatio: number('min.cleanable.dirty.ratio'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    maxCompactionLagMs,
  };
}

/** Why these overrides are not acceptable; undefined = they are. */
export function refuseConfig(overrides: ReadonlyMap<string, string>): string | undefined {
  for (const [name, value] of overrides) {
    const definition = TOPIC_CONFIGS.get(name);
    if (definition === undefined) return `Unknown topic config name: ${name}`;
    if (!isValid(definition.type, value)) {
      return `Invalid value ${value} for configuration ${name}: ${describe(definition.type)}`;
    }
  }
  const config = effectiveConfig(overrides);
  if (config.minCompactionLagMs > config.maxCompactionLagMs) {
    return 'min.compaction.lag.ms must not be larger than max.compaction.lag.ms';
  }
  return undefined;
}

export function isListConfig(name: string): boolean {
  return TOPIC_CONFIGS.get(name)?.type.kind === 'list';
}

export function listOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function isValid(type: ConfigType, value: string): boolean {
  switch (type.kind) {
    case 'integer':
      return (
        /^-?\d+$/.test(value) && Number(value) >= type.min && Number(value) <= (type.max ?? 2 ** 63)
      );
    case 'ratio':
      return /^\d*\.?\d+$/.test(value) && Number(value) <= 1;
    case 'boolean':
      return value === 'true' || value === 'false';
    case 'choice':
      return type.values.includes(value);
    case 'list':
      return listOf(value).every((item) => type.values.includes(item));
  }
}

function describe(type: ConfigType): string {
  switch (type.kind) {
    case 'integer':
      return `must be a whole number of at least ${type.min}`;
    case 'ratio':
      return 'must be between 0 and 1';
    case 'boolean':
      return 'must be true or false';
    case 'choice':
      return `this broker knows: ${type.values.join(', ')}`;
    case 'list':
      return `must be a list of: ${type.values.join(', ')}`;
  }
}
