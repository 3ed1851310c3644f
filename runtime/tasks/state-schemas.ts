/**
 * State whose values were written with another version of their schema than ours, before an upgrade
 * say. The first time one is met its schema is fetched; whoever met it starts over from the last
 * commit and can read it then. No value of the state ever costs a record its turn.
 */
import type { Clock } from '../../base/clock.ts';
import { isMillraceError, MillraceError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { UnknownSchemaError } from '../../schemas/serde.ts';
import type { StoreSpec } from '../../stores/state-store.ts';

/** A registry that is away: the thread looks after the group, and asks again. */
const AGAIN_MS = 500;

/** Rejects STATE_UNREADABLE when there is no such schema, or no store that knows schemas. */
export async function learnSchema(
  stores: readonly StoreSpec[],
  { schemaId }: UnknownSchemaError,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  const serdes = stores.flatMap(({ keySerde, valueSerde }) => [keySerde, valueSerde]);
  const knowing = serdes.filter(({ resolve }) => resolve !== undefined);
  if (knowing.length === 0) throw unreadable(schemaId);
  log.info({ schemaId }, 'the state has values of a schema that is not ours: asking for it');
  try {
    for (const serde of knowing) await serde.resolve?.(schemaId);
  } catch (error) {
    if (!isMillraceError(error, 'SCHEMA_REGISTRY_UNAVAILABLE')) throw unreadable(schemaId, error);
    log.warn({ schemaId, err: error }, 'waiting for the schema registry');
    await clock.sleep(AGAIN_MS);
  }
}

function unreadable(schemaId: number, cause?: unknown): MillraceError {
  const message = `the state has values of schema ${schemaId}, which nobody knows`;
  return new MillraceError('STATE_UNREADABLE', message, { cause });
}
