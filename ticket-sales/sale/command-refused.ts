/** How a processor refuses a record that has no outcome, and the refusal that all of them share. */
import { partitionForKey } from '../../kafka/murmur2.ts';

/** A record that has no outcome: it belongs with the dead letters, with this reason. */
export class CommandRefused extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'CommandRefused';
  }
}

/** Throws CommandRefused unless every producer's partitioner sends this key to this partition. */
export function mustBelongTo(partition: number, key: string, partitionCount: number): void {
  const bytes = Buffer.from(key);
  const home = partitionForKey(bytes, 0, bytes.length, partitionCount);
  if (home === partition) return;
  throw new CommandRefused(`the key belongs to partition ${home}`);
}
