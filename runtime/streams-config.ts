/**
 * Every option of the engine with its unit and default, checked once and frozen.
 * Plain data (but for handlers given as functions), so that it can be posted to a stream thread.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../base/errors.ts';
import type { HostInfo } from '../interactive-queries/queryable-streams.ts';
import type { Compression } from '../kafka/ports.ts';
import type { ExceptionHandlers } from './failures/exception-handlers.ts';

export type ProcessingGuarantee = 'exactly_once_v2' | 'at_least_once';

export interface StreamsConfig {
  /** Group id, prefix of internal topics and transactional ids, folder of the state. */
  readonly applicationId: string;
  /** Where other instances reach this one's queries; null = answers nobody. */
  readonly applicationServer: HostInfo | null;
  readonly stateDir: string;
  /**
   * Caches and write buffers of all LevelDBs of the process, divided over the tasks it may come to own.
   * With very many tasks each keeps the least that LevelDB works with, about 1 MB.
   */
  readonly storeBytesMax: number;
  /**
   * How far a power loss may set a task's state back, in time: what it lost comes from the changelogs again.
   * At each interval the store is flushed to the disk, at the latest after 64 MB.
   */
  readonly checkpointIntervalMs: number;
  /** Worker threads; 0 = everything in the caller's event loop. */
  readonly numStreamThreads: number;
  readonly processingGuarantee: ProcessingGuarantee;
  /** Longest time that something processed waits for its commit to begin. */
  readonly commitIntervalMs: number;
  /** While more input waits, commits begin at least this far apart: bigger transactions under load. */
  readonly commitLingerMs: number;
  /** The broker aborts a transaction that is not ended by then. Below the session timeout. */
  readonly transactionTimeoutMs: number;
  /** Output and state of one transaction; processing waits for the commit beyond it. */
  readonly transactionBytesMax: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  /**
   * How long user code may keep its thread waiting for a promise: beyond it the client stops, and its tasks
   * go to others. What never comes back would hold them for ever, since heartbeats go on meanwhile.
   */
  readonly maxPollIntervalMs: number;
  /**
   * What all instances must have alike, by name. One that has something else than those that run gets
   * no tasks, and ends with SETTINGS_DIFFER when they have not gone within a session.
   */
  readonly agreedSettings: Readonly<Record<string, string>>;
  /** Of static members: `<groupInstanceId>-<thread index>`; null = the process id, and an orderly stop gives the place up. */
  readonly groupInstanceId: string | null;
  /** Of internal topics; -1 = the cluster's default. */
  readonly replicationFactor: number;
  readonly numStandbyReplicas: number;
  /** Records buffered per partition beyond which its fetching pauses. */
  readonly bufferedRecordsMax: number;
  /** Bytes the fetcher of a thread may hold that no task has taken yet. */
  readonly bufferedBytesMax: number;
  /** How long a task with several inputs waits for an empty one that may have data; -1 = never. */
  readonly maxTaskIdleMs: number;
  /** Records processed, or milliseconds, before I/O gets its turn. */
  readonly sliceRecordsMax: number;
  readonly sliceMs: number;
  /** Where a source without committed offset starts, unless the source says otherwise. */
  readonly offsetReset: 'earliest' | 'latest';
  /** Records that cannot be used go to `<topic><suffix>`; null = they are only logged. */
  readonly deadLetterSuffix: string | null;
  /** Values and keys longer than this are cut in a dead letter, with a hash of the whole. */
  readonly deadLetterBytesMax: number;
  readonly exceptionHandlers: ExceptionHandlers;
  /** Of one record batch, below the brokers' message.max.bytes (1,048,588 by default). */
  readonly batchBytesMax: number;
  readonly compression: Compression;
  /** Of changelog topics: how long tombstones stay. */
  readonly changelogDeleteRetentionMs: number;
  /** at_least_once: how long the same bytes are sent again. */
  readonly deliveryTimeoutMs: number;
}

export type StreamsOptions = Partial<StreamsConfig> & Pick<StreamsConfig, 'applicationId'>;

const DAY_MS = 24 * 60 * 60 * 1000;

const DEFAULTS = {
  applicationServer: null,
  stateDir: join(tmpdir(), 'millrace'),
  storeBytesMax: 256 * 1024 * 1024,
  checkpointIntervalMs: 60_000,
  numStreamThreads: 1,
  processingGuarantee: 'exactly_once_v2',
  commitIntervalMs: 100,
  commitLingerMs: 10,
  transactionTimeoutMs: 5_000,
  transactionBytesMax: 32 * 1024 * 1024,
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 1_000,
  rebalanceTimeoutMs: 60_000,
  maxPollIntervalMs: 300_000,
  agreedSettings: {},
  groupInstanceId: null,
  replicationFactor: -1,
  numStandbyReplicas: 0,
  bufferedRecordsMax: 10_000,
  bufferedBytesMax: 16 * 1024 * 1024,
  maxTaskIdleMs: 0,
  sliceRecordsMax: 1_000,
  sliceMs: 5,
  offsetReset: 'earliest',
  deadLetterSuffix: '.dlq',
  deadLetterBytesMax: 256 * 1024,
  exceptionHandlers: {
    deserialization: 'continue',
    processing: 'continue',
    production: 'continue',
  },
  batchBytesMax: 900_000,
  compression: 'none',
  changelogDeleteRetentionMs: 7 * DAY_MS,
  deliveryTimeoutMs: 120_000,
} as const satisfies Omit<StreamsConfig, 'applicationId'>;

/** Fills in defaults. Throws CONFIG_INVALID naming the option, its value and what is allowed. */
export function streamsConfig(options: StreamsOptions): StreamsConfig {
  const config: StreamsConfig = { ...DEFAULTS, ...withoutUndefined(options) };
  checkNames(config);
  for (const [name, min, max] of INTEGER_BOUNDS) checkInteger(name, config[name], min, max);
  checkTimes(config);
  return Object.freeze(config);
}

type NumberOption = {
  [Name in keyof StreamsConfig]: StreamsConfig[Name] extends number ? Name : never;
}[keyof StreamsConfig];

const INTEGER_BOUNDS: readonly (readonly [NumberOption, number, number])[] = [
  ['numStreamThreads', 0, 128],
  ['storeBytesMax', 1024 * 1024, 64 * 1024 ** 3],
  ['checkpointIntervalMs', 100, 3_600_000],
  ['commitIntervalMs', 0, 60_000],
  ['commitLingerMs', 0, 10_000],
  ['transactionTimeoutMs', 1_000, 900_000],
  ['transactionBytesMax', 1024, 1024 ** 3],
  ['sessionTimeoutMs', 1_000, 1_800_000],
  ['heartbeatIntervalMs', 100, 600_000],
  ['rebalanceTimeoutMs', 1_000, 1_800_000],
  ['maxPollIntervalMs', 1_000, 86_400_000],
  ['replicationFactor', -1, 32_767],
  ['numStandbyReplicas', 0, 16],
  ['bufferedRecordsMax', 1, 10_000_000],
  ['bufferedBytesMax', 1024, 1024 ** 3],
  ['maxTaskIdleMs', -1, 600_000],
  ['sliceRecordsMax', 1, 1_000_000],
  ['sliceMs', 1, 1_000],
  ['deadLetterBytesMax', 0, 100 * 1024 * 1024],
  ['batchBytesMax', 1024, 100 * 1024 * 1024],
  ['changelogDeleteRetentionMs', 1_000, 3650 * DAY_MS],
  ['deliveryTimeoutMs', 1_000, 3_600_000],
];

function withoutUndefined(options: StreamsOptions): StreamsOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as unknown as StreamsOptions;
}

function checkNames(config: StreamsConfig): void {
  if (!/^[a-zA-Z0-9._-]{1,100}$/.test(config.applicationId)) {
    invalid('applicationId', config.applicationId, '1 to 100 letters, digits, ".", "_" or "-"');
  }
  if (!/^[a-zA-Z0-9._-]{1,100}$/.test(config.groupInstanceId ?? 'none')) {
    invalid('groupInstanceId', config.groupInstanceId, '1 to 100 letters, digits, ".", "_" or "-"');
  }
  if (!/^[a-zA-Z0-9._-]{1,50}$/.test(config.deadLetterSuffix ?? '.dlq')) {
    invalid('deadLetterSuffix', config.deadLetterSuffix, 'what a topic name may end with');
  }
  if (config.stateDir === '') invalid('stateDir', config.stateDir, 'a path');
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  invalid(name, value, `an integer from ${min} to ${max}`);
}

function checkTimes(config: StreamsConfig): void {
  if (config.heartbeatIntervalMs * 3 > config.sessionTimeoutMs) {
    invalid('heartbeatIntervalMs', config.heartbeatIntervalMs, 'a third of sessionTimeoutMs');
  }
  if (config.transactionTimeoutMs >= config.sessionTimeoutMs) {
    invalid('transactionTimeoutMs', config.transactionTimeoutMs, 'less than sessionTimeoutMs');
  }
}

function invalid(name: string, value: unknown, allowed: string): never {
  throw new MillraceError('CONFIG_INVALID', `${name} is ${String(value)}`, {
    hint: `Allowed: ${allowed}.`,
    facts: { option: name },
  });
}
