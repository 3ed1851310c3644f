/** Avro compatibility by trying: what one schema wrote, can the other read it? Pure. */
import { unreachable } from '../../base/assert.ts';
import { parse } from '../avro-serde.ts';
import type { AvroSchema } from '../schema-registry.ts';
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
      return cannotRead(candidate, last, 'new', 'old');
    case 'BACKWARD_TRANSITIVE':
      return cannotRead(candidate, earlier, 'new', 'old');
    case 'FORWARD':
      return cannotBeRead(candidate, last);
    case 'FORWARD_TRANSITIVE':
      return cannotBeRead(candidate, earlier);
    case 'FULL':
      return [...cannotRead(candidate, last, 'new', 'old'), ...cannotBeRead(candidate, last)];
    case 'FULL_TRANSITIVE':
      return [...cannotRead(candidate, earlier, 'new', 'old'), ...cannotBeRead(candidate, earlier)];
    default:
      return unreachable(level);
  }
}

function cannotRead(
  reader: AvroSchema,
  writers: readonly AvroSchema[],
  readerName: string,
  writerName: string,
): string[] {
  return writers.flatMap((writer) => {
    try {
      parse(reader).createResolver(parse(writer));
      return [];
    } catch (error) {
      return [
        `the ${readerName} schema cannot read data of the ${writerName} one: ${(error as Error).message}`,
      ];
    }
  });
}

function cannotBeRead(writer: AvroSchema, readers: readonly AvroSchema[]): string[] {
  return readers.flatMap((reader) => cannotRead(reader, [writer], 'old', 'new'));
}
