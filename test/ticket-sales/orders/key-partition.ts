import { partitionForKey } from '../../../kafka/murmur2.ts';

/** Where every producer puts a key. */
export function keyPartition(key: string, partitionCount: number): number {
  const bytes = Buffer.from(key);
  return partitionForKey(bytes, 0, bytes.length, partitionCount);
}
