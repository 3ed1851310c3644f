/** Which schemas may follow which, by a subject's level. Pure. */
import { unreachable } from '../../base/assert.ts';
import type { AvroSchema } from '../schema-registry.ts';
import { cannotRead } from './can-read.ts';
import type { CompatibilityLevel } from './registry-state.ts';

/** Why the new schema may not follow the earlier ones (oldest first); empty = it may. */
export function incompatibilities(
  candidate: AvroSchema,
  earlier: readonly AvroSchema[],
  level: CompatibilityLevel,
): string[] {
  const last = earlier.slice(-1);
  switch (level) {
    case 'NONE':
      return [];
    case 'BACKWARD':
      return readsOld(candidate, last);
    case 'BACKWARD_TRANSITIVE':
      return readsOld(candidate, earlier);
    case 'FORWARD':
      return isReadByOld(candidate, last);
    case 'FORWARD_TRANSITIVE':
      return isReadByOld(candidate, earlier);
    case 'FULL':
      return [...readsOld(candidate, last), ...isReadByOld(candidate, last)];
    case 'FULL_TRANSITIVE':
      return [...readsOld(candidate, earlier), ...isReadByOld(candidate, earlier)];
    default:
      return unreachable(level);
  }
}

function readsOld(reader: AvroSchema, writers: readonly AvroSchema[]): string[] {
  return writers.flatMap((writer) =>
    cannotRead(reader, writer).map(
      ({ path, why }) => `the new schema cannot read data of the old one: ${why} (at ${path})`,
    ),
  );
}

function isReadByOld(writer: AvroSchema, readers: readonly AvroSchema[]): string[] {
  return readers.flatMap((reader) =>
    cannotRead(reader, writer).map(
      ({ path, why }) => `the old schema cannot read data of the new one: ${why} (at ${path})`,
    ),
  );
}
