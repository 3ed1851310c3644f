/**
 * A dead letter: the original key, value and headers, and why it could not be used.
 * Header names are those of KIP-1034, ours begin with `millrace.`. Messages of errors are cut;
 * they name codes and positions, never contents of the record.
 */
import { createHash } from 'node:crypto';
import type { RecordHeader } from '../../kafka/records/types.ts';
import type { RecordFailure } from './exception-handlers.ts';

const STACK_BYTES_MAX = 4_096;
const MESSAGE_BYTES_MAX = 1_024;

export interface DeadLetter {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

export interface OriginalRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

export function deadLetter(
  original: OriginalRecord,
  failure: RecordFailure,
  limits: { readonly bytesMax: number; readonly nowMs: number },
): DeadLetter {
  const { error } = failure;
  const facts: RecordHeader[] = [
    header('__streams.errors.exception', error.name),
    header('__streams.errors.message', cut(error.message, MESSAGE_BYTES_MAX)),
    header('__streams.errors.stacktrace', cut(error.stack ?? '', STACK_BYTES_MAX)),
    header('__streams.errors.topic', failure.topic),
    header('__streams.errors.partition', String(failure.partition)),
    header('__streams.errors.offset', String(failure.offset)),
    header('millrace.dlq.stage', failure.stage),
    header('millrace.dlq.task', failure.taskId),
    header('millrace.dlq.time', new Date(limits.nowMs).toISOString()),
  ];
  const key = bounded('key', original.key, limits.bytesMax, facts);
  const value = bounded('value', original.value, limits.bytesMax, facts);
  return {
    key,
    value,
    headers: [...boundedHeaders(original.headers, limits.bytesMax, facts), ...facts],
  };
}

/** The bytes, or their beginning with a header that tells size and SHA-256 of the whole. */
function bounded(
  part: 'key' | 'value',
  bytes: Buffer | null,
  bytesMax: number,
  facts: RecordHeader[],
): Buffer | null {
  if (bytes === null || bytes.length <= bytesMax) return bytes;
  const hash = createHash('sha256').update(bytes).digest('hex');
  facts.push(header(`millrace.dlq.${part}.truncated`, `${bytes.length} sha256:${hash}`));
  return bytes.subarray(0, bytesMax);
}

function boundedHeaders(
  headers: readonly RecordHeader[],
  bytesMax: number,
  facts: RecordHeader[],
): readonly RecordHeader[] {
  let sizeBytes = 0;
  const kept = headers.findIndex(({ key, value }) => {
    sizeBytes += key.length + (value?.length ?? 0);
    return sizeBytes > bytesMax;
  });
  if (kept < 0) return headers;
  facts.push(header('millrace.dlq.headers.truncated', String(headers.length)));
  return headers.slice(0, kept);
}

function header(key: string, value: string): RecordHeader {
  return { key, value: Buffer.from(value) };
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`;
}
