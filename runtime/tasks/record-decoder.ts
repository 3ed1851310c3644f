/**
 * Bytes of one source topic -> StreamRecord, synchronously. A schema that is not cached yet is
 * fetched aside, once, and patiently: a registry that is away is waited for, never dead-lettered.
 */
import { backoffMs } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { RecordCursor } from '../../kafka/records/types.ts';
import type { Serde } from '../../schemas/serde.ts';
import { UnknownSchemaError } from '../../schemas/serde.ts';
import type { RecordHeaders, StreamRecord } from '../../topology/processor.ts';
import type { SourceNode } from '../../topology/sub-topology.ts';

export interface DecoderContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const NO_HEADERS: readonly RecordHeaders[] = [];

export class RecordDecoder {
  readonly #source: SourceNode;
  readonly #context: DecoderContext;
  /** The serde that ran last: the one an UnknownSchemaError came from. */
  #serde: Serde<unknown>;

  constructor(source: SourceNode, context: DecoderContext) {
    this.#source = source;
    this.#context = context;
    this.#serde = source.keySerde;
  }

  /**
   * The record under the cursor. Throws UnknownSchemaError (then await resolve() and decode again);
   * anything else that is thrown means a bad record.
   */
  decode(cursor: RecordCursor): StreamRecord<unknown, unknown> {
    const { buffer, timestampMs } = cursor;
    if (timestampMs < 0) throw bad(`timestamp ${timestampMs} is negative`);
    let key: unknown = null;
    if (cursor.keyStart >= 0) {
      this.#serde = this.#source.keySerde;
      key = this.#serde.decode(buffer, cursor.keyStart, cursor.keyEnd);
    } else if (this.#source.nullKeys === false) {
      throw bad('the key is null');
    }
    let value: unknown = null;
    if (cursor.valueStart >= 0) {
      this.#serde = this.#source.valueSerde;
      value = this.#serde.decode(buffer, cursor.valueStart, cursor.valueEnd);
    } else if (this.#source.nullValues === false) {
      throw bad('the value is null');
    }
    const headers = cursor.headerCount === 0 ? NO_HEADERS : cursor.headers();
    return { key, value, timestampMs, headers };
  }

  /**
   * Fetches the schema that the last decode() missed; retries while the registry is unavailable.
   * Resolves with undefined when decode() may be tried again, or with why the record is bad.
   */
  async resolve(missing: UnknownSchemaError, signal: AbortSignal): Promise<Error | undefined> {
    const serde = this.#serde;
    const { clock, random, log } = this.#context;
    if (serde.resolve === undefined) return bad(missing.message, missing);
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await serde.resolve(missing.schemaId);
        return undefined;
      } catch (error) {
        if (!isMillraceError(error, 'SCHEMA_REGISTRY_UNAVAILABLE')) {
          return error instanceof Error ? error : bad(String(error));
        }
        log.warn(
          { schemaId: missing.schemaId, attempt, err: error },
          'waiting for the schema registry',
        );
        await clock.sleep(backoffMs(attempt, { initialMs: 100, maxMs: 5_000 }, random), signal);
      }
    }
    return undefined;
  }
}

export function isUnknownSchema(error: unknown): error is UnknownSchemaError {
  return error instanceof UnknownSchemaError;
}

function bad(message: string, cause?: unknown): MillraceError {
  return new MillraceError('DESERIALIZATION', message, { cause });
}
